import { compareVersions } from '../core/version.ts'
import type { Journal } from './journal.ts'
import type { PrefixPaths } from './layout.ts'
import { discardRelease } from './stage.ts'
import { type InstalledRelease, type PrefixState, previousVersion, replay } from './state.ts'

/** How many releases a prefix keeps. */
export const keepReleases = 5

/**
 * Choose the releases that nothing needs any more: the oldest ones beyond `keep`, and those that failed.
 *
 * Pure. Never the active one, nor the one that a rollback would go to, nor the rollback floor.
 */
export function planPrune(state: PrefixState, keep: number): readonly string[] {
  if (state.unfinished !== undefined) return []
  const needed = new Set([state.active, previousVersion(state), state.rollbackFloor])
  const releases = [...state.releases.values()].toSorted(
    (a, b) => b.installedAtMs - a.installedAtMs || compareVersions(b.version, a.version),
  )
  const isKept = (release: InstalledRelease) => needed.has(release.version)
  const spare = releases.filter(release => !isKept(release) && release.status !== 'failed')
  const room = Math.max(0, keep - releases.filter(isKept).length)
  const failed = releases.filter(release => !isKept(release) && release.status === 'failed')
  return [...spare.slice(room), ...failed].map(release => release.version)
}

/**
 * Remove the releases that {@link planPrune} chooses.
 *
 * Pre: the lock is held, no transaction is unfinished. Crash: the journal names them; what is left goes with the next call.
 */
export function prune(paths: PrefixPaths, journal: Journal, keep = keepReleases): readonly string[] {
  const state = replay(journal.records)
  const versions = planPrune(state, keep)
  if (versions.length > 0) journal.append(journal.records.at(-1)!.txn, { kind: 'prune', versions })
  for (const version of [...state.pruned, ...versions]) discardRelease(paths, version)
  return versions
}
