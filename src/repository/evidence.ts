import fs from 'node:fs'
import path from 'node:path'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { envelopesType, openEnvelope, readEnvelope, signStatement } from '../evidence/dsse.ts'
import { type SbomSummary, summariseSbom } from '../evidence/sbom-summary.ts'
import { assertSubjects, type ProvenanceSummary, parseStatement } from '../evidence/statement.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { type ListedRelease, ociBlobKey, poolKey } from '../trust/layout.ts'
import { artifactsOf } from './artifacts.ts'
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
export function signEvidence(release: ReadyRelease, signers: readonly TufSigner[]): ReleaseEvidence {
  const { record, folder } = release
  const sboms = artifactsOf(record, 'sbom').map(({ name }) => ({ name, summary: summariseSbom(read(folder, name)) }))
  const [statement] = artifactsOf(record, 'provenance')
  const name = envelopeName(record)
  if (statement === undefined || name === undefined) return { sboms }
  const bytes = read(folder, statement.name)
  const summary = parseStatement(bytes)
  assertSubjects(summary, record)
  const [signer] = signers
  if (signer === undefined) return { sboms }
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
 * Read what is published about how a release was made, to tell it on a page that is made anew.
 *
 * Post: an envelope is the one that the signed list of releases names, whatever keys the application has now. Errors: REPOSITORY_DAMAGED,
 * EVIDENCE_INVALID.
 */
export async function readEvidence(
  target: TargetReader,
  record: ReleaseRecord,
  listed: Pick<ListedRelease, 'provenance'>,
): Promise<ReleaseEvidence> {
  const fetchStored = async ({ name, sizeBytes, digest }: { name: string; sizeBytes: number; digest: Digest }) => {
    const key = poolKey(record.name, record.version, name)
    const bytes = await target.get(key, sizeBytes)
    if (bytes !== undefined && digestOf(bytes) === digest) return bytes
    throw new ReleaseError('REPOSITORY_DAMAGED', `${key} in ${target.name} is not what was signed`, {
      hint: 'run: release reindex',
      details: { key, expected: digest },
    })
  }
  const sboms = []
  for (const artifact of artifactsOf(record, 'sbom')) {
    sboms.push({ name: artifact.name, summary: summariseSbom(await fetchStored(artifact)) })
  }
  if (listed.provenance === undefined) return { sboms }
  const envelope = await fetchStored(listed.provenance)
  const { statement, keyId } = readEnvelope(envelope)
  return { sboms, provenance: { name: listed.provenance.name, envelope, keyId, summary: parseStatement(statement) } }
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
  return assertStatement(record, openEnvelope(envelope, keys))
}

/** Check that a statement is the one that a record names, and about this very release. Errors: EVIDENCE_INVALID, EVIDENCE_MISMATCH. */
export function assertStatement(record: ReleaseRecord, statement: Buffer): ProvenanceSummary {
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
