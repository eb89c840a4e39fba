import type { RepositoryDescription } from '../../trust/layout.ts'
import type { Document } from '../document.ts'
import type { AptKeyFile } from '../keys/key-file.ts'
import type { AptPackage, AptPackageKey, SuiteState } from './state.ts'

/** Read a stored file whole. Errors: REPOSITORY_DAMAGED when it is missing or longer than `maxBytes`. */
export type ReadFile = (key: string, maxBytes: number) => Promise<Buffer>

/** What changes in a suite. */
export interface SuiteChange {
  readonly suite: string
  readonly description: RepositoryDescription
  readonly before: SuiteState | undefined
  readonly added: readonly AptPackage[]
  /** Taken out before the others are put in. */
  readonly removed: readonly AptPackageKey[]
  /** Whether `added` is all that the suite shall list: the indexes there are only superseded, not read. */
  readonly rebuild?: boolean
  readonly read: ReadFile
  /** All sign. */
  readonly keys: readonly AptKeyFile[]
  readonly nowMs: number
  /** By-hash keys that dated snapshots hold. */
  readonly kept: ReadonlySet<string>
}

/** A suite after a change. */
export interface NextSuite {
  readonly state: SuiteState
  readonly documents: readonly Document[]
  /** Keys that no generation names any more. */
  readonly obsolete: readonly string[]
}

/**
 * Bring a suite to its next state: the indexes that change, and a new signed Release file in any case.
 *
 * Errors: REPOSITORY_DAMAGED (an index is not what the state says).
 */
export async function nextSuite(change: SuiteChange): Promise<NextSuite> {
  return Promise.reject(new Error(`not there yet: ${change.suite}`))
}
