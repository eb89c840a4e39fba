import type { Document } from '../document.ts'
import type { DatedSnapshot } from '../ledger.ts'
import type { SuiteState } from './state.ts'
import type { ReadFile } from './suite.ts'

/**
 * Keep the suites as they are now under a date: their Release files in `snapshot/ID/dists/SUITE/`.
 *
 * Everything else that apt asks for there is where it always was: indexes by their hash, packages in the pool. Whoever serves
 * the folder rewrites those addresses. Pre: the by-hash files that are returned are kept as long as the snapshot.
 * Errors: REPOSITORY_DAMAGED. Source: `Snapshots` in apt's debmetaindex.cc.
 */
export async function renderDatedSnapshot(
  id: string,
  suites: Readonly<Record<string, SuiteState>>,
  read: ReadFile,
): Promise<{ readonly documents: readonly Document[]; readonly snapshot: DatedSnapshot }> {
  return Promise.reject(new Error(`not there yet: ${id} ${Object.keys(suites)} ${read.name}`))
}
