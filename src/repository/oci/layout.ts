import { stableJson } from '../../core/canonical-json.ts'
import { type ListedImage, ociFolder, type ReleaseIndex } from '../../trust/layout.ts'
import { headOf } from '../channels.ts'
import { type Document, immutable, pointer } from '../document.ts'

/** An artifact that refers to an image: readers of layouts find it only when the index lists it. */
export type Referrer = ListedImage['referrers'][number]

/** The media type of an image index. */
export const imageIndexType = 'application/vnd.oci.image.index.v1+json'

const imageManifestType = 'application/vnd.oci.image.manifest.v1+json'

/** The annotation that names an image in a layout. Source: OCI image-spec, annotations.md. */
export const tagAnnotation = 'org.opencontainers.image.ref.name'

/** Name the tag of a version: a tag has no `+`. Source: distribution-spec §Pulling manifests (tags). */
export function imageTag(version: string): string {
  return version.replaceAll('+', '_')
}

/**
 * Render the files that make a folder of blobs an image layout.
 *
 * Shape: every image under the tag of its version, oldest first; the image at the head of each channel once more under the channel's name; then what
 * refers to images. A withdrawn release keeps the tag of its version and is no channel's. Nothing when no release has an image.
 * Source: OCI image-spec, image-layout.md.
 */
export function renderLayout(index: ReleaseIndex): readonly Document[] {
  const { application, releases, channels } = index
  const versions = releases.flatMap(({ version, images }) => tagged(imageTag(version), images))
  if (versions.length === 0) return []
  const heads = Object.keys(channels)
    .toSorted()
    .flatMap(channel => tagged(channel, headOf(index, channel)?.images ?? []))
  const referrers = releases.flatMap(({ images }) => images.flatMap(image => image.referrers))
  const layout = {
    schemaVersion: 2,
    mediaType: imageIndexType,
    manifests: [...versions, ...heads, ...referrers.map(referrerEntry)],
  }
  const marker = Buffer.from('{"imageLayoutVersion":"1.0.0"}')
  return [
    immutable('indexes', `${ociFolder(application)}/oci-layout`, marker, 'application/vnd.oci.layout.header.v1+json'),
    pointer(`${ociFolder(application)}/index.json`, stableJson(layout), imageIndexType),
  ]
}

function tagged(tag: string, images: readonly ListedImage[]) {
  return images.map(({ digest, sizeBytes }) => ({
    mediaType: imageIndexType,
    digest,
    size: sizeBytes,
    annotations: { [tagAnnotation]: tag },
  }))
}

function referrerEntry({ digest, sizeBytes, artifactType }: Referrer) {
  return { mediaType: imageManifestType, digest, size: sizeBytes, artifactType }
}
