import { stableJson } from '../../core/canonical-json.ts'
import type { Digest } from '../../core/digest.ts'
import { ociFolder } from '../../trust/layout.ts'
import { type Document, immutable, pointer } from '../document.ts'

/** An image of a release, as the layout's index lists it under its version. */
export interface TaggedImage {
  readonly version: string
  readonly digest: Digest
  readonly sizeBytes: number
}

/** An artifact that refers to an image: readers of layouts find it only when the index lists it. */
export interface Referrer {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly artifactType: string
}

/** The media type of an image index. */
export const imageIndexType = 'application/vnd.oci.image.index.v1+json'

const imageManifestType = 'application/vnd.oci.image.manifest.v1+json'

/** Render the files that make a folder of blobs an image layout: images by their versions, then what refers to them. Source: OCI image-spec, image-layout.md. */
export function renderLayout(
  application: string,
  images: readonly TaggedImage[],
  referrers: readonly Referrer[] = [],
): readonly Document[] {
  const index = {
    schemaVersion: 2,
    mediaType: imageIndexType,
    manifests: [
      ...images.map(image => ({
        mediaType: imageIndexType,
        digest: image.digest,
        size: image.sizeBytes,
        annotations: { 'org.opencontainers.image.ref.name': image.version },
      })),
      ...referrers.map(({ digest, sizeBytes, artifactType }) => ({
        mediaType: imageManifestType,
        digest,
        size: sizeBytes,
        artifactType,
      })),
    ],
  }
  const marker = Buffer.from('{"imageLayoutVersion":"1.0.0"}')
  return [
    immutable('indexes', `${ociFolder(application)}/oci-layout`, marker, 'application/vnd.oci.layout.header.v1+json'),
    pointer(`${ociFolder(application)}/index.json`, stableJson(index), imageIndexType),
  ]
}
