import { ReleaseError } from '../core/error.ts'
import { layerMediaType } from './tarball.ts'

/** The types of the documents that an image of ours consists of. Source: OCI image-spec media-types.md. */
export const imageTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
} as const

/** How a layer is compressed. */
export type LayerCodec = 'none' | 'gzip' | 'zstd'

/** A layer's type as OCI manifests have it, and how it is compressed. */
export interface LayerType {
  readonly mediaType: string
  readonly codec: LayerCodec
}

const tar = 'application/vnd.oci.image.layer.v1.tar'
const dockerTar = 'application/vnd.docker.image.rootfs.diff.tar'

/** Docker's names are older ones for the same bytes; manifests in OCI form use OCI's. */
const layerTypes: Readonly<Record<string, LayerType>> = {
  [tar]: { mediaType: tar, codec: 'none' },
  [`${tar}+gzip`]: { mediaType: `${tar}+gzip`, codec: 'gzip' },
  [`${tar}+zstd`]: { mediaType: `${tar}+zstd`, codec: 'zstd' },
  [dockerTar]: { mediaType: tar, codec: 'none' },
  [`${dockerTar}.gzip`]: { mediaType: `${tar}+gzip`, codec: 'gzip' },
  [`${dockerTar}.zstd`]: { mediaType: `${tar}+zstd`, codec: 'zstd' },
}

const configTypes: readonly string[] = [imageTypes.config, 'application/vnd.docker.container.image.v1+json']

/**
 * Read the type of a layer.
 *
 * Errors: IMAGE_UNSUPPORTED for layers that must not be passed on (foreign, non-distributable) and those of artifacts.
 * Source: OCI image-spec layer.md §Non-Distributable Layers; Docker image manifest v2 schema 2.
 */
export function parseLayerType(mediaType: string, place: string): LayerType {
  const known = Object.hasOwn(layerTypes, mediaType) ? layerTypes[mediaType] : undefined
  if (known !== undefined) return known
  const isForeign = /nondistributable|\.foreign\./.test(mediaType)
  const why = isForeign ? 'which its licence forbids to pass on' : 'which is no layer of a file system'
  throw new ReleaseError('IMAGE_UNSUPPORTED', `${place} has a layer of the type ${mediaType}, ${why}`, {
    details: { place, mediaType },
  })
}

/** Make sure that a configuration is that of an image, not an artifact's. Errors: IMAGE_UNSUPPORTED. */
export function assertConfigType(mediaType: string, place: string): void {
  if (configTypes.includes(mediaType)) return
  throw new ReleaseError('IMAGE_UNSUPPORTED', `${place} is no image: its configuration is ${mediaType}`, {
    details: { place, mediaType },
  })
}

/** Name the type of a layer of ours or of one that came without a name. */
export function layerTypeOf(codec: LayerCodec): string {
  return codec === 'none' ? tar : layerMediaType(codec)
}
