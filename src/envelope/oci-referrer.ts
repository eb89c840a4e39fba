import { canonicalJson } from '../core/canonical-json.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import type { OciArtifact } from './oci.ts'
import { imageTypes } from './oci-types.ts'
import { LayoutWriter } from './oci-writer.ts'

/** What one document of an image says of another. */
type Described = Pick<ReferrerBlob, 'digest' | 'sizeBytes' | 'mediaType'>

/** Something that is said of an image: its payload manifest, a bill of materials, a signed statement. */
export interface ReferrerOptions {
  /** The image index. */
  readonly subject: Described
  readonly artifactType: string
  /** The type of `bytes`. */
  readonly mediaType: string
  readonly bytes: Uint8Array
  /** Of the manifest, shown in listings of referrers. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** A blob or manifest in memory. */
export interface ReferrerBlob {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly mediaType: string
  readonly bytes: Uint8Array
}

/** A manifest that refers to an image, and what it consists of. */
export interface Referrer {
  readonly manifest: ReferrerBlob
  /** To be there before the manifest is. */
  readonly blobs: readonly ReferrerBlob[]
}

const emptyConfig = blobOf(Buffer.from('{}'), imageTypes.empty)

/**
 * Make an artifact that refers to an image.
 *
 * Post: the same bytes for the same options. Source: OCI image-spec 1.1 manifest.md §Guidelines for Artifact Usage (empty configuration,
 * `artifactType`, `subject`); distribution-spec §Listing Referrers.
 */
export function referrer(options: ReferrerOptions): Referrer {
  const content = blobOf(options.bytes, options.mediaType)
  return { manifest: referrerManifest({ ...options, content }), blobs: [emptyConfig, content] }
}

/** The manifest alone of what {@link referrer} makes, for which the bytes need not be at hand. */
export function referrerManifest(
  options: Pick<ReferrerOptions, 'subject' | 'artifactType' | 'annotations'> & { readonly content: Described },
): ReferrerBlob {
  const { subject, artifactType, annotations, content } = options
  const document = {
    schemaVersion: 2,
    mediaType: imageTypes.manifest,
    artifactType,
    config: descriptorOf(emptyConfig),
    layers: [descriptorOf(content)],
    subject: descriptorOf(subject),
    annotations,
  }
  return blobOf(Buffer.from(canonicalJson(document)), imageTypes.manifest)
}

/**
 * Add something that is said of an image to its layout and to what the release record says of it.
 *
 * Post: its blobs are in the folder; the image itself is as it was. Errors: FILE_IO, FILE_NO_SPACE.
 */
export function addReferrer(folder: string, image: OciArtifact, said: Omit<ReferrerOptions, 'subject'>): OciArtifact {
  const layout = LayoutWriter.open(folder, image.blobs)
  putReferrer(layout, { ...said, subject: image })
  return { ...image, blobs: layout.blobs }
}

/** Write a referrer into a layout. */
export function putReferrer(layout: LayoutWriter, options: ReferrerOptions): void {
  const { manifest, blobs } = referrer(options)
  for (const { bytes, mediaType } of [...blobs, manifest]) layout.put(bytes, mediaType)
}

function blobOf(bytes: Uint8Array, mediaType: string): ReferrerBlob {
  return { digest: digestOf(bytes), sizeBytes: bytes.byteLength, mediaType, bytes }
}

function descriptorOf({ mediaType, digest, sizeBytes }: Described) {
  return { mediaType, digest, size: sizeBytes }
}
