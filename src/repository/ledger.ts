import { stableJson } from '../core/canonical-json.ts'
import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { SuiteState } from './apt/state.ts'

/**
 * What a repository's publishers know of it beyond one application: enough to publish for one application without reading the others.
 *
 * Shape: stable JSON, stored as `metadata/N.ledger.json` and listed in the snapshot of the same number, so that it is signed, in
 * one state with everything else and never older than what was seen before. Parsed by {@link parseLedger}.
 */
export interface Ledger {
  readonly schema: 1
  /** By name. */
  readonly applications: Readonly<Record<string, ApplicationSummary>>
  /** What apt's suites list, by channel. */
  readonly suites: Readonly<Record<string, SuiteState>>
  /** Dated states that are kept for apt, oldest first. */
  readonly snapshots: readonly DatedSnapshot[]
  /** Signed documents that later ones took the place of, by publication, oldest first: a reader may be in the middle of following them. */
  readonly retired: readonly (readonly string[])[]
  /** Keys that no reader follows any more: removed after the pointers moved, and once more by the next publication. */
  readonly obsolete: readonly string[]
}

/** One line of the entrance, and what an application has taken for itself. */
export interface ApplicationSummary {
  /** Of the newest release; empty when there is none. */
  readonly summary: string
  readonly releases: number
  /** The newest release that each channel offers. */
  readonly heads: Readonly<Record<string, ChannelHead>>
  /** Debian packages, sorted. */
  readonly packages: readonly string[]
  /** Python projects under their one spelling, sorted. */
  readonly projects: readonly string[]
}

/** What a channel offers. */
export interface ChannelHead {
  readonly version: string
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number
}

/** The suites as they were at one time. */
export interface DatedSnapshot {
  /** `YYYYMMDDTHHMMSSZ`, as apt's `--snapshot` takes it. */
  readonly id: string
  /** The by-hash files that its suites name: they are kept as long as it is. */
  readonly files: readonly { readonly key: string; readonly digest: Digest }[]
}

/** The ledger of a repository that holds nothing. */
export const emptyLedger: Ledger = { schema: 1, applications: {}, suites: {}, snapshots: [], retired: [], obsolete: [] }

/** Write a ledger as it is stored and signed. */
export function ledgerBytes(ledger: Ledger): Buffer {
  return Buffer.from(stableJson(ledger))
}

/** Read a ledger. Pre: the bytes were verified by the snapshot. Errors: REPOSITORY_DAMAGED, DOCUMENT_NEWER. */
export function parseLedger(bytes: Uint8Array, place: string): Ledger {
  let value: Partial<Record<keyof Ledger, unknown>> | null
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    value = null
  }
  const { schema, applications, suites, snapshots, retired, obsolete } = value ?? {}
  if (typeof schema === 'number' && schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `the ledger of ${place} has schema ${schema}, this version reads 1`)
  }
  const lists = [snapshots, retired, obsolete]
  if (schema === 1 && isObject(applications) && isObject(suites) && lists.every(Array.isArray)) return value as Ledger
  throw new ReleaseError('REPOSITORY_DAMAGED', `the ledger of ${place} cannot be read`, { details: { path: place } })
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
