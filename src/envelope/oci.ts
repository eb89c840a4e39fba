import fs from 'node:fs'
import path from 'node:path'
import { canonicalJson } from '../core/canonical-json.ts'
import { type Digest, digestOf, hexOf } from '../core/digest.ts'
import { isErrno, toReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { Artifact, OciBlob } from '../payload/release-record.ts'
import { type ImageConfig, renderConfig } from './oci-config.ts'
import type { TarballArtifact } from './tarball.ts'

/** What a release record says of an image. */
export type OciArtifact = Artifact & { readonly kind: 'oci' }

export interface ImageOptions {
  /** The folder to write; it does not exist, or is from a run that was killed. */
  readonly folder: string
  /** The tarball of the same payload: it is the layer. */
  readonly tarball: { readonly file: string; readonly artifact: TarballArtifact }
  readonly manifest: PayloadManifest
  /** The manifest as `compressedManifest` wrote it; it travels as an artifact that refers to the image. */
  readonly storedManifest: Uint8Array
  readonly platforms: readonly ('linux/amd64' | 'linux/arm64')[]
  readonly config: ImageConfig
  /** Further `org.opencontainers.image.*` annotations: title, description, licenses, revision, url. */
  readonly annotations: Readonly<Record<string, string>>
}

/** The annotation that names the payload manifest's blob. */
export const payloadManifestAnnotation = 'dev.cutover.payload-manifest'
/** The type of the artifact that carries the payload manifest, a referrer of the image index. */
export const payloadManifestType = 'application/vnd.cutover.payload-manifest.v1+zstd'

const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
} as const

/**
 * Make an image around a payload, as an OCI image layout: the layer is the tarball, byte by byte, for every platform.
 *
 * Shape: `oci-layout`, `index.json` (one entry: the image index, by its version), `blobs/sha256`; an artifact with the payload
 * manifest refers to the image index and is among the blobs.
 * Post: the same bytes for the same options. Crash: a folder without `index.json`, written anew by the next run.
 * Errors: FILE_IO, FILE_NO_SPACE. Source: OCI image-spec 1.1 image-layout, manifest, config, annotations.
 */
export function createImage(options: ImageOptions): OciArtifact {
  const layout = new Layout(options.folder)
  const layer = layout.link(options.tarball)
  const payloadManifest = layout.put(options.storedManifest, payloadManifestType)
  const annotations = imageAnnotations(options, payloadManifest.digest)
  const manifests = options.platforms.map(platform => {
    const [os = '', architecture = ''] = platform.split('/')
    const config = layout.putJson(renderConfig(options.config, options.manifest, architecture), mediaTypes.config)
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer], annotations }
    return { ...layout.putJson(manifest, mediaTypes.manifest), platform: { architecture, os } }
  })
  const index = layout.putJson(
    { schemaVersion: 2, mediaType: mediaTypes.index, manifests, annotations },
    mediaTypes.index,
  )
  layout.putJson(payloadArtifact(layout, payloadManifest, index), mediaTypes.manifest)
  layout.finish({ ...index, annotations: { 'org.opencontainers.image.ref.name': options.manifest.version } })
  return {
    kind: 'oci',
    name: path.basename(options.folder),
    sizeBytes: index.size,
    digest: index.digest,
    mediaType: index.mediaType,
    blobs: layout.blobs.filter(blob => blob.digest !== index.digest),
  }
}

/** What one document of an image says of another. */
interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

function imageAnnotations(options: ImageOptions, payloadManifest: Digest): Record<string, string> {
  return {
    ...options.annotations,
    'org.opencontainers.image.created': new Date(options.manifest.sourceDateEpoch * 1000).toISOString(),
    'org.opencontainers.image.version': options.manifest.version,
    [payloadManifestAnnotation]: payloadManifest,
  }
}

function payloadArtifact(layout: Layout, payloadManifest: Descriptor, subject: Descriptor): unknown {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: payloadManifestType,
    config: layout.put(Buffer.from('{}'), mediaTypes.empty),
    layers: [payloadManifest],
    subject,
  }
}

/** An image layout that is being written. */
class Layout {
  readonly #folder: string
  readonly #blobs = new Map<Digest, OciBlob>()

  constructor(folder: string) {
    this.#folder = folder
    attempt(() => {
      fs.rmSync(folder, { recursive: true, force: true })
      fs.mkdirSync(path.join(folder, 'blobs', 'sha256'), { recursive: true })
    })
  }

  get blobs(): readonly OciBlob[] {
    return [...this.#blobs.values()]
  }

  put(bytes: Uint8Array, mediaType: string): Descriptor {
    const digest = digestOf(bytes)
    attempt(() => fs.writeFileSync(this.#blobFile(digest), bytes))
    this.#blobs.set(digest, { digest, sizeBytes: bytes.byteLength, mediaType })
    return { mediaType, digest, size: bytes.byteLength }
  }

  putJson(document: unknown, mediaType: string): Descriptor {
    return this.put(Buffer.from(canonicalJson(document)), mediaType)
  }

  /** Let a file that is there already be a blob: a hard link where the file system has them, else a copy. */
  link({ file, artifact }: ImageOptions['tarball']): Descriptor {
    const { digest, sizeBytes, mediaType, name } = artifact
    const blob = this.#blobFile(digest)
    try {
      fs.linkSync(file, blob)
    } catch (caught) {
      if (!isErrno(caught, 'EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK')) throw toReleaseError(caught)
      attempt(() => fs.copyFileSync(file, blob, fs.constants.COPYFILE_FICLONE))
    }
    this.#blobs.set(digest, { digest, sizeBytes, mediaType, sameAs: name })
    return { mediaType, digest, size: sizeBytes }
  }

  /** Write what makes it a layout, `index.json` last. */
  finish(entry: Descriptor & { readonly annotations: Readonly<Record<string, string>> }): void {
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [entry] }
    attempt(() => {
      fs.writeFileSync(path.join(this.#folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
      fs.writeFileSync(path.join(this.#folder, 'index.json'), canonicalJson(index))
    })
  }

  #blobFile(digest: Digest): string {
    return path.join(this.#folder, 'blobs', 'sha256', hexOf(digest))
  }
}

function attempt<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
