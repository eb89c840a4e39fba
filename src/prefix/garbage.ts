import fs from 'node:fs'
import path from 'node:path'
import { isVersion } from '../core/version.ts'
import { listFiles } from '../sys/files.ts'
import { besideReleases, type PrefixPaths, releasePaths } from './layout.ts'
import { removedFolders } from './prune.ts'
import { isUsable, type PrefixState } from './state.ts'

/** Something in a prefix that nothing needs, other than a whole release. */
export interface Garbage {
  readonly path: string
  readonly reason: string
}

/** What is found in a prefix. */
export interface FoundGarbage {
  readonly garbage: readonly Garbage[]
  /** What nobody of us has put there, or what is kept for people: it is told, and stays. */
  readonly unknown: readonly Garbage[]
}

/** How long what was downloaded in part waits for the command that goes on with it. */
const downloadAgeMs = 7 * 86_400_000
/** How long a file that is being written may take: whoever was killed is long gone then. */
const temporaryAgeMs = 3_600_000

/**
 * Look for what killed commands left in a prefix.
 *
 * Pre: the lock is held. Post: nothing is changed.
 */
export function findGarbage(paths: PrefixPaths, state: PrefixState, nowMs: number): FoundGarbage {
  const unknown = listFiles(paths.releases).flatMap(name => strangers(paths, state, name))
  // An unfinished change needs what it has begun.
  if (state.unfinished !== undefined) return { garbage: [], unknown }
  const isOld = (file: string, ageMs: number) =>
    (fs.lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? nowMs) < nowMs - ageMs
  return {
    garbage: [
      ...removedFolders(paths).map(folder => ({ path: folder, reason: 'removed before, not deleted to its end' })),
      ...listFiles(paths.releases).flatMap(name => interrupted(paths, state, name)),
      ...downloads(paths).filter(each => isOld(each.path, downloadAgeMs)),
      ...temporaries(paths).filter(each => isOld(each.path, temporaryAgeMs)),
    ],
    unknown,
  }
}

function interrupted(paths: PrefixPaths, state: PrefixState, name: string): readonly Garbage[] {
  const place = path.join(paths.releases, name)
  if (name === besideReleases.leftover)
    return [{ path: place, reason: 'staged by a command that did not get to its end' }]
  if (name.startsWith(besideReleases.mending)) return [{ path: place, reason: 'written by a repair that was killed' }]
  const version = /^(.*)\.incomplete$/.exec(name)?.[1]
  if (version === undefined || !isVersion(version) || isUsable(state, version)) return []
  const folder = releasePaths(paths, version).root
  const reason = 'not whole, and of no command that goes on'
  // The marker last: with it the folder counts for nothing.
  return [...(fs.existsSync(folder) ? [{ path: folder, reason }] : []), { path: place, reason }]
}

/** Clones that `install --rev` builds in are kept: see flow/install-revision.ts. */
function downloads({ cache }: PrefixPaths): readonly Garbage[] {
  const below = (folder: string) => listFiles(folder).map(name => path.join(folder, name))
  const files = [...below(cache), ...below(path.join(cache, 'delta'))]
  return files
    .filter(file => fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true)
    .map(file => ({ path: file, reason: 'downloaded more than a week ago, and not used since' }))
}

/** Only where nobody but us writes: elsewhere the names are not ours to judge. */
function temporaries(paths: PrefixPaths): readonly Garbage[] {
  const folders = [paths.root, paths.bin, paths.trust, paths.releases, path.dirname(paths.journal)]
  return folders.flatMap(folder => {
    const names = listFiles(folder).filter(name => /^\..+\.tmp$/.test(name))
    return names.map(name => ({ path: path.join(folder, name), reason: 'written by a command that was killed' }))
  })
}

function strangers(paths: PrefixPaths, state: PrefixState, name: string): readonly Garbage[] {
  const place = path.join(paths.releases, name)
  if (name === besideReleases.quarantine) {
    return listFiles(place).map(each => ({ path: path.join(place, each), reason: 'in quarantine' }))
  }
  const version = name.replace(/\.incomplete$/, '')
  const isKnown = name.startsWith('.') || state.releases.has(version) || state.pruned.has(version)
  const isMarked = fs.existsSync(`${place}.incomplete`) || name.endsWith('.incomplete')
  return isKnown || isMarked ? [] : [{ path: place, reason: 'not made by cutover: the journal does not know it' }]
}
