import fs from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type Digest, digestOf, isDigest } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { payloadManifestAnnotation } from '../envelope/oci.ts'
import { frameHeader } from '../payload/codec.ts'
import { type PayloadManifest, parseManifest } from '../payload/manifest.ts'
import { type Descriptor, renderPlatform, type StoredDocument } from '../registry/document.ts'
import { findReferrers, isLayout, layoutBlob, readLayout, readLayoutDocument } from '../registry/layout.ts'
import { walkImage } from '../registry/walk.ts'
import { largestStoredBytes } from './inspect-bytes.ts'

/** An image layout, with the payload that is its last layer. */
export interface InspectedImage {
  readonly kind: 'image'
  readonly place: string
  /** The layers of all platforms, each once. */
  readonly sizeBytes: number
  readonly digest: Digest
  readonly platforms: readonly { readonly platform: string; readonly digest: Digest; readonly layers: number }[]
  /** What refers to the image, such as its payload manifest and its SBOM. */
  readonly referrers: readonly { readonly artifactType: string; readonly digest: Digest }[]
  /** Somebody else's image has none. */
  readonly manifest?: PayloadManifest
  readonly content?: { readonly url: string; readonly payloadOffset: number }
}

/**
 * Read an image layout: its documents, and the payload manifest that its annotation names.
 *
 * Errors: INSPECT_UNKNOWN (no layout), IMAGE_INVALID, IMAGE_UNSUPPORTED, MANIFEST_INVALID.
 */
export async function openImage(folder: string, given: PayloadManifest | undefined): Promise<InspectedImage> {
  if (!isLayout(folder)) {
    throw new ReleaseError('INSPECT_UNKNOWN', `${folder} is a folder, but no image layout`, {
      hint: 'compare an unpacked folder with `release inspect FILE --against FOLDER`',
      details: { path: folder },
    })
  }
  const [entry] = readLayout(folder)
  if (entry === undefined) throw invalid(folder, 'lists no image')
  const root = readLayoutDocument(folder, entry)
  const { manifests } = await walkImage(root, descriptor => readLayoutDocument(folder, descriptor), undefined)
  const layers = manifests.flatMap(({ stored }) => layersOf(stored))
  const image = {
    kind: 'image',
    place: folder,
    sizeBytes: [...new Map(layers.map(({ digest, sizeBytes }) => [digest, sizeBytes])).values()].reduce(sum, 0),
    digest: root.digest,
    platforms: manifests.map(({ stored, platform }) => ({
      platform: platform === undefined ? '' : renderPlatform(platform),
      digest: stored.digest,
      layers: layersOf(stored).length,
    })),
    referrers: findReferrers(folder, [root.digest, ...manifests.map(({ stored }) => stored.digest)]).map(
      ({ document, digest }) => ({ artifactType: document.artifactType ?? document.kind, digest }),
    ),
  } as const
  const manifest = given ?? payloadManifest(folder, root)
  const layer = manifests.map(({ stored }) => layersOf(stored).at(-1)).find(each => each !== undefined)
  if (manifest === undefined || layer === undefined) return image
  const payloadOffset = frameHeader(manifest.codec.name).byteLength
  return { ...image, manifest, content: { url: pathToFileURL(layoutBlob(folder, layer.digest)).href, payloadOffset } }
}

function payloadManifest(folder: string, { document }: StoredDocument): PayloadManifest | undefined {
  const digest = document.annotations[payloadManifestAnnotation]
  if (digest === undefined) return undefined
  if (!isDigest(digest)) throw invalid(folder, `names ${JSON.stringify(digest.slice(0, 80))} as its payload manifest`)
  const bytes = readBlob(folder, digest)
  if (digestOf(bytes) !== digest) throw invalid(folder, `has other bytes as its payload manifest ${digest}`)
  return parseManifest(bytes)
}

function readBlob(folder: string, digest: Digest): Buffer {
  const file = layoutBlob(folder, digest)
  try {
    const stat = fs.statSync(file, { throwIfNoEntry: false })
    if (stat?.isFile() !== true || stat.size > largestStoredBytes) {
      throw invalid(folder, `has no payload manifest ${digest}`)
    }
    return fs.readFileSync(file)
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function layersOf({ document }: StoredDocument): readonly Descriptor[] {
  return document.kind === 'manifest' ? document.layers : []
}

function sum(total: number, sizeBytes: number): number {
  return total + sizeBytes
}

function invalid(folder: string, problem: string): ReleaseError {
  return new ReleaseError('IMAGE_INVALID', `${folder} ${problem}`, { details: { path: folder } })
}
