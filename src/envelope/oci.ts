import path from 'node:path'
import zlib from 'node:zlib'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { Codec, PayloadManifest } from '../payload/manifest.ts'
import type { Artifact } from '../payload/release-record.ts'
import type { BaseImage, BasePlatform } from './oci-base.ts'
import { effectiveUser, type ImageConfig, renderConfig } from './oci-config.ts'
import { putReferrer } from './oci-referrer.ts'
import { imageTypes } from './oci-types.ts'
import { volumesTar } from './oci-volumes.ts'
import { LayoutWriter, type WrittenDescriptor } from './oci-writer.ts'
import { layerMediaType, type TarballArtifact } from './tarball.ts'

/** What a release record says of an image. */
export type OciArtifact = Artifact & { readonly kind: 'oci' }

/** A platform that images are made for. */
export type ImagePlatform = 'linux/amd64' | 'linux/arm64'

export interface ImageOptions {
  /** The folder to write; it does not exist, or is from a run that was killed. */
  readonly folder: string
  /** The tarball of the same payload: it is the layer. */
  readonly tarball: { readonly file: string; readonly artifact: TarballArtifact }
  readonly manifest: PayloadManifest
  /** The manifest as `compressedManifest` wrote it; it travels as an artifact that refers to the image. */
  readonly storedManifest: Uint8Array
  readonly platforms: readonly ImagePlatform[]
  /** What the layer is put on; nothing when absent (`scratch`). It has all the platforms. */
  readonly base?: BaseImage
  readonly config: ImageConfig
  /** Further annotations, such as `org.opencontainers.image.title`. */
  readonly annotations: Readonly<Record<string, string>>
}

/** The annotation that names the payload manifest's blob. */
export const payloadManifestAnnotation = 'dev.cutover.payload-manifest'
/** The type of the artifact that carries the payload manifest, a referrer of the image index. */
export const payloadManifestType = 'application/vnd.cutover.payload-manifest.v1+zstd'

/**
 * Make an image around a payload, as an OCI image layout: the last layer is the tarball, byte by byte, for every platform; those before it
 * are the base's as they are, and one with the folders of volumes where their owner is not root.
 *
 * Shape: `oci-layout`, `index.json` (one entry: the image index, by its version), `blobs/sha256`; an artifact with the payload
 * manifest refers to the image index and is among the blobs.
 * Post: the same bytes for the same options. Crash: a folder without `index.json`, written anew by the next run.
 * Errors: FILE_IO, FILE_NO_SPACE, IMAGE_UNSUPPORTED (the base lacks a platform), IMAGE_INVALID (its bytes changed meanwhile).
 * Source: OCI image-spec 1.1 image-layout, manifest, config, annotations.
 */
export function createImage(options: ImageOptions): OciArtifact {
  const { manifest: payload, base } = options
  const layout = LayoutWriter.create(options.folder)
  const layer = layout.link(options.tarball.file, options.tarball.artifact)
  const payloadManifest = layout.put(options.storedManifest, payloadManifestType)
  const annotations = imageAnnotations(options, payloadManifest.digest)
  const manifests = options.platforms.map(name => putManifest(layout, options, { name, layer, annotations }))
  const index = layout.putJson(
    {
      schemaVersion: 2,
      mediaType: imageTypes.index,
      manifests,
      annotations: { ...annotations, ...baseAnnotations(base, base?.digest) },
    },
    imageTypes.index,
  )
  putReferrer(layout, {
    subject: { mediaType: index.mediaType, digest: index.digest, sizeBytes: index.size },
    artifactType: payloadManifestType,
    mediaType: payloadManifestType,
    bytes: options.storedManifest,
  })
  layout.finish(index, payload.version)
  return {
    kind: 'oci',
    name: path.basename(options.folder),
    sizeBytes: index.size,
    digest: index.digest,
    mediaType: index.mediaType,
    blobs: layout.blobs.filter(blob => blob.digest !== index.digest),
  }
}

/** Write the image of one platform, and hand back its entry of the index. */
function putManifest(
  layout: LayoutWriter,
  { config, manifest, base, platforms }: ImageOptions,
  {
    name,
    layer,
    annotations,
  }: {
    readonly name: (typeof platforms)[number]
    readonly layer: WrittenDescriptor
    readonly annotations: Readonly<Record<string, string>>
  },
) {
  const [os = '', architecture = ''] = name.split('/')
  const below = base === undefined ? undefined : platformOf(base, name)
  const user = effectiveUser(config, below?.config)
  const folders = volumesTar(config.volumes, user, manifest.sourceDateEpoch)
  const volumes = folders === undefined ? [] : [putLayer(layout, folders, manifest.codec.name)]
  const rendered = renderConfig(config, {
    manifest,
    architecture,
    volumesDiffId: folders && digestOf(folders),
    ...(below === undefined ? {} : { base: below }),
  })
  const document = {
    schemaVersion: 2,
    mediaType: imageTypes.manifest,
    config: layout.putJson(rendered, imageTypes.config),
    layers: [...(below?.layers ?? []).map(each => layout.copy(each)), ...volumes, layer],
    annotations: { ...annotations, ...baseAnnotations(base, below?.digest) },
  }
  const { variant, osVersion } = below?.config ?? {}
  return {
    ...layout.putJson(document, imageTypes.manifest),
    platform: { architecture, os, variant, 'os.version': osVersion },
  }
}

/** Compressed like the payload: what copies images would compress it on the way, and with it change every digest. */
function putLayer(layout: LayoutWriter, tar: Buffer, codec: Codec['name']): WrittenDescriptor {
  const bytes = codec === 'zstd' ? zlib.zstdCompressSync(tar) : zlib.gzipSync(tar)
  return layout.put(bytes, layerMediaType(codec))
}

function platformOf(base: BaseImage, name: ImagePlatform): BasePlatform {
  const found = base.platforms.find(each => each.name === name)
  if (found !== undefined) return found
  throw new ReleaseError('IMAGE_UNSUPPORTED', `the base ${base.name} has nothing for ${name}`, {
    details: { base: base.name, platform: name },
  })
}

function imageAnnotations(options: ImageOptions, payloadManifest: Digest): Record<string, string> {
  return {
    ...options.annotations,
    'org.opencontainers.image.created': new Date(options.manifest.sourceDateEpoch * 1000).toISOString(),
    'org.opencontainers.image.version': options.manifest.version,
    [payloadManifestAnnotation]: payloadManifest,
  }
}

/** Only the name of a registry's image says anything to others. Source: OCI image-spec annotations.md, `base.name` and `base.digest`. */
function baseAnnotations(base: BaseImage | undefined, digest: Digest | undefined): Record<string, string> {
  if (base === undefined || digest === undefined) return {}
  const named = base.publicName === undefined ? {} : { 'org.opencontainers.image.base.name': base.publicName }
  return { ...named, 'org.opencontainers.image.base.digest': digest }
}
