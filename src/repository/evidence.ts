import fs from 'node:fs'
import path from 'node:path'
import { digestOf } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { envelopesType, openEnvelope, signStatement } from '../evidence/dsse.ts'
import { type SbomSummary, summariseSbom } from '../evidence/sbom-summary.ts'
import { assertSubjects, type ProvenanceSummary, parseStatement } from '../evidence/statement.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { ociBlobKey, poolKey } from '../trust/layout.ts'
import { artifactsOf } from './catalogue.ts'
import type { ReadyRelease } from './dist.ts'
import type { Document } from './document.ts'
import { provenanceParts } from './oci/referrers.ts'
import type { TargetReader } from './target.ts'
import type { TufSigner } from './tuf/signer.ts'

/** What is published beside a release about how it was made, and what its page tells. */
export interface ReleaseEvidence {
  readonly sboms: readonly { readonly name: string; readonly summary: SbomSummary }[]
  readonly provenance?: SignedProvenance | undefined
}

/** A provenance under the signature of the application's key. */
export interface SignedProvenance {
  /** The file that holds the envelope, beside the statement. */
  readonly name: string
  readonly envelope: Buffer
  readonly keyId: string
  readonly summary: ProvenanceSummary
}

const maxEnvelopeBytes = 16 * 1024 * 1024

/** The file that the signed envelope of a release's provenance is published as; undefined when it has none. */
export function envelopeName(record: ReleaseRecord): string | undefined {
  const [statement] = artifactsOf(record, 'provenance')
  return statement?.name.replace(/\.json$/, '.intoto.jsonl')
}

/**
 * Read the evidence of a release that `cut` left, and sign its provenance.
 *
 * Pre: the files were digested ({@link ReadyRelease}). Errors: EVIDENCE_INVALID, EVIDENCE_MISMATCH: nothing is signed that is not true of
 * the record.
 */
export function signEvidence(release: ReadyRelease, signer: TufSigner): ReleaseEvidence {
  const { record, folder } = release
  const sboms = artifactsOf(record, 'sbom').map(({ name }) => ({ name, summary: summariseSbom(read(folder, name)) }))
  const [statement] = artifactsOf(record, 'provenance')
  const name = envelopeName(record)
  if (statement === undefined || name === undefined) return { sboms }
  const bytes = read(folder, statement.name)
  const summary = parseStatement(bytes)
  assertSubjects(summary, record)
  const keyId = signer.key.keyID
  const sign = (signed: Buffer) => Buffer.from(signer.sign(signed).sig, 'hex')
  return { sboms, provenance: { name, envelope: signStatement(bytes, { keyId, sign }), keyId, summary } }
}

/**
 * Render the envelope in the pool, and for each image of the release the artifact that refers to it with its blobs.
 *
 * What a killed upload left of something never published is replaced, as files of a release are. Source: OCI image-spec 1.1, manifest
 * (artifact usage), distribution-spec, Listing referrers.
 */
export function renderEvidence(
  record: ReleaseRecord,
  { name, envelope }: Pick<SignedProvenance, 'name' | 'envelope'>,
): readonly Document[] {
  const blobs = new Map(
    provenanceParts(record, envelope).map(part => [ociBlobKey(record.name, digestOf(part.bytes)), part]),
  )
  return [
    document(poolKey(record.name, record.version, name), envelope, envelopesType),
    ...[...blobs].map(([key, { bytes, mediaType }]) => document(key, Buffer.from(bytes), mediaType)),
  ]
}

/**
 * Read the envelopes of releases that were published before, for they are named again wherever all releases are.
 *
 * Post: only those whose signature holds and whose statement is about the release; others are as if they were not there.
 */
export async function readPublishedEnvelopes(
  target: TargetReader,
  releases: readonly ReleaseRecord[],
  keys: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, Buffer>> {
  const envelopes = new Map<string, Buffer>()
  for (const record of releases) {
    const name = envelopeName(record)
    if (name === undefined) continue
    const bytes = await target.get(poolKey(record.name, record.version, name), maxEnvelopeBytes)
    if (bytes !== undefined && isAbout(record, bytes, keys)) envelopes.set(record.version, bytes)
  }
  return envelopes
}

function isAbout(record: ReleaseRecord, envelope: Buffer, keys: ReadonlyMap<string, string>): boolean {
  try {
    assertProvenance(record, envelope, keys)
    return true
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code.startsWith('EVIDENCE_')) return false
    throw caught
  }
}

/**
 * Check a signed provenance: by a key of the application, holding the statement that the record names, about this very release.
 *
 * Errors: EVIDENCE_SIGNATURE, EVIDENCE_INVALID, EVIDENCE_MISMATCH.
 */
export function assertProvenance(
  record: ReleaseRecord,
  envelope: Buffer,
  keys: ReadonlyMap<string, string>,
): ProvenanceSummary {
  const statement = openEnvelope(envelope, keys)
  const [artifact] = artifactsOf(record, 'provenance')
  const found = digestOf(statement)
  if (found !== artifact?.digest) {
    throw new ReleaseError(
      'EVIDENCE_MISMATCH',
      `the signed provenance of ${record.name} ${record.version} is ${found}, its record names ${artifact?.digest ?? 'none'}`,
      { details: { found, expected: artifact?.digest } },
    )
  }
  const summary = parseStatement(statement)
  assertSubjects(summary, record)
  return summary
}

function document(key: string, bytes: Buffer, mediaType: string): Document {
  return { phase: 'indexes', key, bytes, mediaType, immutable: false }
}

function read(folder: string, name: string): Buffer {
  try {
    return fs.readFileSync(path.join(folder, name))
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
