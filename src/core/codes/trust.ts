import { type ErrorEntries, entry } from './entry.ts'

/** Errors of trust. */
export const trustCodes = {
  TRUST_ROOT: entry(
    3,
    'The pinned root of a repository is missing or damaged.',
    'run `cutover init` on the prefix again',
  ),
  TRUST_PIN: entry(
    3,
    'A repository has another root than the one expected.',
    'ask the vendor for the fingerprint; do not go on before it agrees',
  ),
  TRUST_EXPIRED: entry(
    3,
    'Signed metadata is past its date.',
    'check the clock of this machine; else the vendor must refresh the repository, or a mirror of it is frozen',
  ),
  TRUST_SIGNATURE: entry(
    3,
    'Metadata is not signed by the keys that may sign it.',
    'do not install from this address; ask the vendor',
  ),
  TRUST_ROLLBACK: entry(
    3,
    'Metadata is older than, or does not belong to, what was trusted before.',
    'try another mirror; the address may serve an old copy',
  ),
  TRUST_MISMATCH: entry(
    3,
    'Bytes are not those that were signed for.',
    'try another mirror; the address may be damaged or tampered with',
  ),
  TRUST_METADATA: entry(
    3,
    'Signed metadata is missing or malformed.',
    'try again; if it stays, the repository is incomplete: try another mirror or ask the vendor',
    true,
  ),
  BUNDLE_UNKNOWN: entry(
    1,
    'There is no offline bundle at a path.',
    'check the path; `release bundle --output FILE` makes a bundle',
  ),
  BUNDLE_INVALID: entry(
    3,
    'A file is no offline bundle, or is damaged.',
    'copy it again, or make it again with `release bundle`',
  ),
  RELEASE_UNKNOWN: entry(1, 'A repository has no such release.', 'run `release list` or choose a version that exists'),
} as const satisfies ErrorEntries
