import { digestOf } from '../core/digest.ts'
import { parseReleaseRecord } from '../payload/release-record.ts'
import { readTextIfExists } from '../sys/files.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import type { InstalledRelease } from './state.ts'

/**
 * Name the commit that an installed release was built from on this server (`install --rev`); undefined for one that was published.
 *
 * Nobody has signed such a release: what it must be, the journal alone says, by the digest of its record. A record that has another digest,
 * or is gone, says nothing. Errors: RECORD_INVALID, DOCUMENT_NEWER, FILE_IO.
 */
export function builtFrom(
  paths: PrefixPaths,
  { version, recordDigest }: Pick<InstalledRelease, 'version' | 'recordDigest'>,
): string | undefined {
  const text = readTextIfExists(releasePaths(paths, version).record)
  if (text === undefined || digestOf(text) !== recordDigest) return undefined
  const record = parseReleaseRecord(Buffer.from(text))
  return record.builtHere === true ? record.commit : undefined
}
