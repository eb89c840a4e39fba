import { type ErrorEntries, entry } from './entry.ts'

/** Errors of evidence. */
export const evidenceCodes = {
  EVIDENCE_INVALID: entry(
    3,
    'An SBOM or a provenance cannot be read.',
    'fetch it from another mirror; if it stays, ask the vendor',
  ),
  EVIDENCE_SIGNATURE: entry(
    3,
    'A provenance is not signed by a key that may sign for its application.',
    'do not install from this address; ask the vendor',
  ),
  EVIDENCE_MISMATCH: entry(
    3,
    'An SBOM or a provenance is not about the release that it stands beside.',
    'do not install from this address; ask the vendor',
  ),
} as const satisfies ErrorEntries
