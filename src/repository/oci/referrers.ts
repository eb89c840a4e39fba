import { referrer, referrerManifest } from '../../envelope/oci-referrer.ts'
import { envelopeType } from '../../evidence/dsse.ts'
import { predicateType } from '../../evidence/provenance.ts'
import type { Artifact, ReleaseRecord } from '../../payload/release-record.ts'
import type { ArtifactOf } from '../artifacts.ts'
import type { Referrer } from './layout.ts'

/** A document or blob that is published with an image. */
export interface ReferrerPart {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

/** What `cut` said of the images of a release and put beside them: payload manifest and SBOM. A function of the record. */
export function cutReferrers(record: ReleaseRecord): readonly Referrer[] {
  return imagesOf(record).flatMap(({ image, others }) => {
    const there = new Set(image.blobs.map(({ digest }) => digest))
    const said = others.filter(({ kind }) => kind === 'manifest' || kind === 'sbom')
    return said
      .map(content => listed(referrerManifest({ subject: image, artifactType: content.mediaType, content }), content))
      .filter(({ digest }) => there.has(digest))
  })
}

/** What the signed provenance of a release is listed as, below each of its images. */
export function provenanceReferrers(record: ReleaseRecord, envelope: Buffer): readonly Referrer[] {
  return signedImages(record, envelope).map(({ manifest }) => listed(manifest, { mediaType: envelopeType }))
}

/** What is published so that each image of a release is referred to by the signed provenance: blobs, then the documents that name them. */
export function provenanceParts(record: ReleaseRecord, envelope: Buffer): readonly ReferrerPart[] {
  const signed = signedImages(record, envelope)
  return [...signed.flatMap(({ blobs }) => blobs), ...signed.map(({ manifest }) => manifest)]
}

function signedImages(record: ReleaseRecord, envelope: Buffer) {
  return imagesOf(record).map(({ image }) =>
    referrer({
      subject: image,
      artifactType: envelopeType,
      mediaType: envelopeType,
      bytes: envelope,
      // As BuildKit and cosign name what an envelope holds.
      annotations: { 'in-toto.io/predicate-type': predicateType },
    }),
  )
}

function imagesOf(record: ReleaseRecord) {
  return record.components.flatMap(({ artifacts }) =>
    artifacts
      .filter((artifact): artifact is ArtifactOf<'oci'> => artifact.kind === 'oci')
      .map(image => ({ image, others: artifacts.filter(other => other !== image) })),
  )
}

function listed(
  { digest, sizeBytes }: Pick<Artifact, 'digest' | 'sizeBytes'>,
  { mediaType: artifactType }: Pick<Artifact, 'mediaType'>,
): Referrer {
  return { digest, sizeBytes, artifactType }
}
