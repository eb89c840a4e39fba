import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { parseReleaseRecord, type ReleaseRecord } from '../payload/release-record.ts'
import {
  applicationRole,
  indexTarget,
  type ListedRelease,
  type ReleaseIndex,
  type RepositoryDescription,
  recordKey,
  repositoryFile,
} from '../trust/layout.ts'
import { emptyIndex, parseReleaseIndex } from '../trust/release-index.ts'
import { parseDescription } from './description.ts'
import { emptyLedger, type Ledger, parseLedger } from './ledger.ts'
import type { TargetReader } from './target.ts'
import { readLedgerBytes, readRole, readTarget, readTufState, type TufState } from './tuf/state.ts'

/**
 * A repository as its publisher sees it, verified from the root that the publisher trusts.
 *
 * What is generated (indexes, pages) is only read where signed metadata has its digest, so that tampering with it cannot get signed by the
 * next upload. Applications are read when they are asked for: publishing for one costs nothing for the others.
 */
export interface RepositoryView {
  readonly target: TargetReader
  readonly description: RepositoryDescription
  readonly tuf: TufState
  readonly ledger: Ledger
  /** The list of an application's releases; an empty one when it has none. Errors: TRUST_*, REPOSITORY_DAMAGED. */
  readonly index: (application: string) => Promise<ReleaseIndex>
}

/**
 * Look at a repository. Where nothing is published yet, it is as `founding` describes it; what a publication that was killed left counts.
 *
 * Errors: REPOSITORY_UNKNOWN (nothing is published, and nothing is to be founded), REPOSITORY_DAMAGED, TRUST_*.
 */
export async function readRepository(
  target: TargetReader,
  trustedRoot: string,
  founding?: RepositoryDescription,
): Promise<RepositoryView> {
  const tuf = await readTufState(target, trustedRoot)
  if (founding !== undefined && tuf.timestamp.version === 0) {
    return viewOf({ target, tuf, description: founding, ledger: emptyLedger })
  }
  const description = await readSignedDescription(target, tuf)
  const bytes = await readLedgerBytes(target, tuf)
  return viewOf({
    target,
    tuf,
    description,
    ledger: bytes === undefined ? emptyLedger : parseLedger(bytes, target.name),
  })
}

function viewOf(base: Omit<RepositoryView, 'index'>): RepositoryView {
  const indexes = new Map<string, Promise<ReleaseIndex>>()
  return {
    ...base,
    index: application => {
      const known = indexes.get(application) ?? readIndex(base, application)
      indexes.set(application, known)
      return known
    },
  }
}

async function readIndex({ target, tuf }: Omit<RepositoryView, 'index'>, application: string): Promise<ReleaseIndex> {
  const role = await readRole(target, tuf, applicationRole(application))
  const bytes = await readTarget(target, role, indexTarget(application))
  return bytes === undefined ? emptyIndex(application) : parseReleaseIndex(bytes, application)
}

async function readSignedDescription(target: TargetReader, tuf: TufState): Promise<RepositoryDescription> {
  const bytes = await readTarget(target, tuf.targets, repositoryFile)
  if (bytes !== undefined) return parseDescription(bytes, target.name)
  throw new ReleaseError('REPOSITORY_UNKNOWN', `nothing is published in ${target.name}`, {
    hint: `make the repository first: release init ${target.name}`,
    details: { path: target.name },
  })
}

/** The names of a repository's applications, in byte order. */
export function applicationsOf({ ledger }: RepositoryView): readonly string[] {
  return Object.keys(ledger.applications).toSorted()
}

/** Read the record of a listed release. Errors: REPOSITORY_DAMAGED. */
export async function readRecord(
  target: TargetReader,
  application: string,
  { version, record: { digest, sizeBytes } }: Pick<ListedRelease, 'version' | 'record'>,
): Promise<ReleaseRecord> {
  const key = recordKey(application, version, digest)
  const bytes = await target.get(key, sizeBytes)
  if (bytes === undefined || digestOf(bytes) !== digest) {
    throw new ReleaseError(
      'REPOSITORY_DAMAGED',
      `${key} is ${bytes === undefined ? 'missing' : digestOf(bytes)} in ${target.name}, expected ${digest}`,
      { details: { key } },
    )
  }
  const record = parseReleaseRecord(bytes)
  if (record.name === application && record.version === version) return record
  throw new ReleaseError('REPOSITORY_DAMAGED', `${key} is a record of ${record.name} ${record.version}`, {
    details: { key },
  })
}

/** Read a file that the repository says it has. Errors: REPOSITORY_DAMAGED. */
export async function readStored(target: TargetReader, key: string, maxBytes: number): Promise<Buffer> {
  const bytes = await target.get(key, maxBytes)
  if (bytes !== undefined) return bytes
  throw new ReleaseError('REPOSITORY_DAMAGED', `${key} is missing in ${target.name}`, {
    hint: 'run: release reindex',
    details: { key },
  })
}
