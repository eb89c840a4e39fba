import { type Digest, digestOf } from '../core/digest.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import type { ListedImage, ListedRelease } from '../trust/layout.ts'
import { artifactsOf } from './artifacts.ts'
import { cutReferrers, provenanceReferrers } from './oci/referrers.ts'

/** Say of a release what the list of releases says: everything that indexes are made of, so that its record need not be read again. */
export function listedRelease(
  record: ReleaseRecord,
  recordBytes: Buffer,
  provenance?: { readonly name: string; readonly envelope: Buffer },
): ListedRelease {
  return {
    version: record.version,
    commit: record.commit,
    sourceDateEpoch: record.sourceDateEpoch,
    snapshot: record.tag === undefined,
    record: stored(recordBytes),
    ...(provenance === undefined ? {} : { provenance: { name: provenance.name, ...stored(provenance.envelope) } }),
    debs: artifactsOf(record, 'deb').map(deb => ({
      package: deb.package,
      version: deb.debianVersion,
      architecture: deb.architecture,
    })),
    images: listedImages(record, provenance?.envelope),
    python: artifactsOf(record, 'python').map(({ name, project, sizeBytes, digest, requiresPython }) => ({
      name,
      project,
      sizeBytes,
      digest,
      ...(requiresPython === undefined ? {} : { requiresPython }),
    })),
  }
}

function listedImages(record: ReleaseRecord, envelope: Buffer | undefined): readonly ListedImage[] {
  return record.components.flatMap(component =>
    artifactsOf({ ...record, components: [component] }, 'oci').map(image => {
      const artifacts = component.artifacts.filter(artifact => artifact.kind !== 'oci' || artifact === image)
      const alone = { ...record, components: [{ ...component, artifacts }] }
      const referrers = envelope === undefined ? [] : provenanceReferrers(alone, envelope)
      return { digest: image.digest, sizeBytes: image.sizeBytes, referrers: [...cutReferrers(alone), ...referrers] }
    }),
  )
}

function stored(bytes: Buffer): { readonly sizeBytes: number; readonly digest: Digest } {
  return { sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
}
