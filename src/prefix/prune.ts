import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { isErrno, toReleaseError } from '../core/error.ts'
import { listFiles, removeFile, removeTree, syncFolder } from '../sys/files.ts'
import type { PrefixIdentity } from './identity.ts'
import type { Journal } from './journal.ts'
import { besideReleases, type PrefixPaths, releasePaths } from './layout.ts'
import { type InstalledRelease, type PrefixState, previousVersion, replay } from './state.ts'

/** A release that went. */
export interface PrunedRelease {
  readonly version: string
  /** Where its files wait for {@link sweepRemoved}; undefined when there were none. */
  readonly place: string | undefined
}

/** How many releases a prefix keeps: what its operator says, else five. */
export function keptReleases({ settings }: Pick<PrefixIdentity, 'settings'>): number {
  return settings?.keepReleases ?? 5
}

/** What decides which releases stay. */
export interface PrunePolicy {
  readonly keep: number
  /** Versions that are needed whatever the journal says, such as one that a process still runs. */
  readonly inUse?: ReadonlySet<string>
}

/**
 * Choose the releases that nothing needs any more: the oldest ones beyond `keep`, and those that failed.
 *
 * Pure. Never the active one, nor the one that a rollback would go to, nor the rollback floor, nor one in use.
 */
export function planPrune(state: PrefixState, { keep, inUse = new Set() }: PrunePolicy): readonly string[] {
  if (state.unfinished !== undefined) return []
  const needed = new Set([state.active, previousVersion(state), state.rollbackFloor, ...inUse])
  // The newest first, as the journal has them: the clock may have been set back between two.
  const releases = [...state.releases.values()].toReversed()
  const isKept = (release: InstalledRelease) => needed.has(release.version)
  const spare = releases.filter(release => !isKept(release) && release.status !== 'failed')
  const room = Math.max(0, keep - releases.filter(isKept).length)
  const failed = releases.filter(release => !isKept(release) && release.status === 'failed')
  return [...spare.slice(room), ...failed].map(release => release.version)
}

/**
 * Take the releases that {@link planPrune} chooses out of the prefix. Their files are deleted by {@link sweepRemoved}, for which no lock is
 * needed: that takes long.
 *
 * Pre: the lock is held, no transaction is unfinished. Post: the releases that went. Crash: the journal names them; what is left goes with
 * the next call.
 */
export function prune(paths: PrefixPaths, journal: Journal, policy: PrunePolicy): readonly PrunedRelease[] {
  const state = replay(journal.records)
  const versions = planPrune(state, policy)
  if (versions.length > 0) journal.append(journal.records.at(-1)!.txn, { kind: 'prune', versions })
  const gone = [...new Set([...state.pruned, ...versions])].map(version => {
    const release = releasePaths(paths, version)
    const place = putAway(paths, release.root)
    removeFile(release.incomplete)
    return { version, place }
  })
  return gone.filter(({ version }) => versions.includes(version))
}

/** Tell whether there is nothing for {@link prune} to do, nor left to do by one that was killed. */
export function isPruned(paths: PrefixPaths, state: PrefixState, policy: PrunePolicy): boolean {
  const isGone = (name: string) => !state.pruned.has(name.replace(/\.incomplete$/, ''))
  return planPrune(state, policy).length === 0 && listFiles(paths.releases).every(isGone)
}

/** Rename something beside the releases out of everybody's way; undefined when it is not there any more. Post: where it is now; durable. */
export function putAway(paths: PrefixPaths, place: string): string | undefined {
  const name = `${besideReleases.removed}${path.basename(place).replace(/^\./, '')}-${randomBytes(4).toString('hex')}`
  const away = path.join(paths.releases, name)
  try {
    fs.renameSync(place, away)
    syncFolder(paths.releases)
    return away
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT', 'EXDEV')) throw toReleaseError(caught)
    // A cache on a file system of its own.
    if (isErrno(caught, 'EXDEV')) removeTree(place)
    return undefined
  }
}

/** List what was put away and is not deleted yet. */
export function removedFolders(paths: PrefixPaths): readonly string[] {
  const names = listFiles(paths.releases).filter(name => name.startsWith(besideReleases.removed))
  return names.map(name => path.join(paths.releases, name))
}

/** Delete what {@link prune} put away, by whoever. Crash: the rest goes with the next call. Errors: FILE_IO. */
export function sweepRemoved(paths: PrefixPaths): void {
  for (const folder of removedFolders(paths)) removeTogether(folder)
}

/** Another process may be deleting the same: what it takes away under our hands is gone as well. */
function removeTogether(folder: string): void {
  for (let attempts = 0; fs.lstatSync(folder, { throwIfNoEntry: false }) !== undefined; attempts += 1) {
    try {
      removeTree(folder)
    } catch (caught) {
      if (attempts === 10) throw toReleaseError(caught)
    }
  }
}
