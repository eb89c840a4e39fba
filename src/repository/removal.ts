import { type Digest, digestOf } from '../core/digest.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { type ListedRelease, ociBlobKey, poolKey, recordKey } from '../trust/layout.ts'
import { filesOf } from './dist.ts'

/** A published release: what was signed of it, and its record. */
export interface PublishedRelease {
  readonly record: ReleaseRecord
  readonly listed: ListedRelease
}

/** A file that a repository must hold. */
export interface SignedFile {
  readonly key: string
  readonly digest: Digest
  readonly sizeBytes: number
}

/** The configuration that every artifact below an image has. Source: OCI image-spec, manifest, guidance for an empty descriptor. */
const emptyConfig = { digest: digestOf('{}'), sizeBytes: 2 }

/**
 * Name every file that a published release consists of: its record, what is in the pool, its image blobs, and the artifacts that refer to
 * its images. A function of what is signed.
 */
export function filesOfPublished({ record, listed }: PublishedRelease): readonly SignedFile[] {
  const { name, version } = record
  const files: SignedFile[] = [
    { key: recordKey(name, version, listed.record.digest), ...listed.record },
    ...filesOf(record).map(({ key, digest, sizeBytes }) => ({ key, digest, sizeBytes })),
  ]
  for (const { referrers } of listed.images) {
    files.push(...referrers.map(({ digest, sizeBytes }) => ({ key: ociBlobKey(name, digest), digest, sizeBytes })))
  }
  const { provenance } = listed
  if (provenance === undefined) return files
  const { digest, sizeBytes } = provenance
  files.push({ key: poolKey(name, version, provenance.name), digest, sizeBytes })
  if (listed.images.length === 0) return files
  // Below an image it is an artifact of its own.
  files.push({ key: ociBlobKey(name, digest), digest, sizeBytes })
  return [...files, { key: ociBlobKey(name, emptyConfig.digest), ...emptyConfig }]
}

/** Name the files that are there for releases that go and for no other, by key. Pre: all are of one application. */
export function freedFiles(
  going: readonly PublishedRelease[],
  staying: readonly PublishedRelease[],
): readonly SignedFile[] {
  const needed = new Set(staying.flatMap(filesOfPublished).map(({ key }) => key))
  const freed = new Map(going.flatMap(filesOfPublished).map(file => [file.key, file]))
  return [...freed.values()].filter(({ key }) => !needed.has(key))
}

/** How much space files take: bytes under several names, such as a tarball that is the layer of an image, are counted once. */
export function spaceBytes(files: readonly SignedFile[]): number {
  const sizes = new Map(files.map(({ digest, sizeBytes }) => [digest, sizeBytes]))
  return [...sizes.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0)
}
