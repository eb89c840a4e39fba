import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import { compareVersions } from '../core/version.ts'
import { parseReleaseRecord, type ReleaseRecord } from '../payload/release-record.ts'
import {
  applicationRole,
  type RepositoryDescription,
  recordTarget,
  repositoryFile,
  targetKey,
} from '../trust/layout.ts'
import type { Catalogue, CatalogueEntry } from './catalogue.ts'
import type { TargetReader } from './target.ts'
import { type RoleState, readTufState, type TufState } from './tuf/state.ts'

/** What a repository holds now, verified from the root that its publisher trusts. */
export interface RepositoryState {
  readonly tuf: TufState
  readonly catalogue: Catalogue
  /** The digest of each published record, by its TUF target path. */
  readonly recordDigests: ReadonlyMap<string, Digest>
}

const maxDescriptionBytes = 64 * 1024
const rolePrefix = applicationRole('')

/**
 * Read a repository: its metadata and every record that it signs for. What is generated (indexes, pages) is never read, for it is
 * made anew from the records, so that tampering with it cannot get signed by the next upload.
 *
 * Errors: REPOSITORY_UNKNOWN (no description there), REPOSITORY_DAMAGED, TRUST_*.
 */
export async function readRepository(target: TargetReader, trustedRoot: string): Promise<RepositoryState> {
  const description = await readDescription(target)
  const tuf = await readTufState(target, trustedRoot)
  const recordDigests = new Map<string, Digest>()
  const applications: CatalogueEntry[] = []
  for (const [role, state] of tuf.roles) {
    const name = role.slice(rolePrefix.length)
    const releases = await readRecords(target, name, state, recordDigests)
    applications.push({ name, releases: releases.toSorted((a, b) => compareVersions(a.version, b.version)) })
  }
  applications.sort((a, b) => compareBytes(a.name, b.name))
  return { tuf, catalogue: { description, applications }, recordDigests }
}

/** Read what a repository says of itself. Errors: REPOSITORY_UNKNOWN, REPOSITORY_DAMAGED. */
export async function readDescription(target: TargetReader): Promise<RepositoryDescription> {
  const bytes = await target.get(repositoryFile, maxDescriptionBytes)
  if (bytes === undefined) {
    throw new ReleaseError('REPOSITORY_UNKNOWN', `${target.name} has no ${repositoryFile}`, {
      hint: `make the repository first: release init ${target.name}`,
      details: { path: target.name },
    })
  }
  return parseDescription(bytes, target.name)
}

/** Parse what a repository says of itself. Errors: REPOSITORY_DAMAGED. */
export function parseDescription(bytes: Buffer, place: string): RepositoryDescription {
  const damaged = () => new ReleaseError('REPOSITORY_DAMAGED', `${repositoryFile} in ${place} cannot be read`)
  let json: Partial<Record<keyof RepositoryDescription, unknown>>
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw damaged()
  }
  const { schema, name, url, aptKey } = json ?? {}
  if (schema !== 1 || typeof name !== 'string' || typeof url !== 'string' || typeof aptKey !== 'string') throw damaged()
  return { schema, name, url, aptKey }
}

async function readRecords(
  target: TargetReader,
  application: string,
  role: RoleState,
  digests: Map<string, Digest>,
): Promise<ReleaseRecord[]> {
  const records: ReleaseRecord[] = []
  for (const [path, info] of Object.entries(role.targets)) {
    if (!path.endsWith('/release.json')) continue
    const expected: Digest = `sha256:${info.hashes['sha256'] ?? ''}`
    const key = targetKey(path, expected)
    const bytes = await target.get(key, info.length)
    if (bytes === undefined || digestOf(bytes) !== expected) {
      throw new ReleaseError(
        'REPOSITORY_DAMAGED',
        `${key} is ${bytes === undefined ? 'missing' : digestOf(bytes)} in ${target.name}, expected ${expected}`,
        { details: { key } },
      )
    }
    const record = parseReleaseRecord(bytes)
    if (recordTarget(application, record.version) !== path || record.name !== application) {
      throw new ReleaseError('REPOSITORY_DAMAGED', `${key} is a record of ${record.name} ${record.version}`)
    }
    digests.set(path, expected)
    records.push(record)
  }
  return records
}
