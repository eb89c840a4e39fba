import { systemClock } from '../sys/clock.ts'
import { makeFolder, syncFolder } from '../sys/files.ts'
import { type PrefixIdentity, writeIdentity } from './identity.ts'
import { openJournal } from './journal.ts'
import type { PrefixPaths } from './layout.ts'

/** Make the folders of a prefix. Post: those that others may have no look into are closed to them. */
export function makeFolders(paths: PrefixPaths): void {
  for (const folder of [paths.root, paths.releases, paths.bin]) makeFolder(folder, { mode: 0o755 })
  for (const folder of [paths.trust, paths.shared, paths.cache, paths.run, paths.log])
    makeFolder(folder, { mode: 0o750 })
}

/**
 * Make a prefix, without the trust of a repository: what `cutover init` does, and what a rehearsal needs.
 *
 * Post: `prefix.json` comes last; with it the folder is a prefix. Run again, it changes nothing but the identity.
 */
export function makePrefix(paths: PrefixPaths, identity: PrefixIdentity): void {
  makeFolders(paths)
  openJournal(paths.journal, systemClock).close()
  writeIdentity(paths, identity)
  syncFolder(paths.root)
}
