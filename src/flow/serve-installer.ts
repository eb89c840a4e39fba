import { ReleaseError } from '../core/error.ts'
import { readIdentity } from '../prefix/identity.ts'
import { readJournal } from '../prefix/journal.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { isDataUnsettled } from '../prefix/recovery-plan.ts'
import { replay } from '../prefix/state.ts'
import { readProgress, switchUnfinished } from '../slots/progress.ts'
import { lockOwner, takeLock } from '../sys/lock.ts'

/**
 * Find out what became of whoever changes a prefix.
 *
 * The prefix's lock dies with its holder; the record beside it is removed by one that ends in good order, so one that is left over
 * belongs to a process that was killed, and what that had started may still run.
 */
export async function observeInstaller(lockFile: string): Promise<'at work' | 'ended' | 'killed'> {
  const owner = lockOwner(lockFile)
  try {
    const lock = await takeLock(lockFile, { command: 'serve' })
    lock.release()
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'LOCKED') return 'at work'
    throw caught
  }
  return owner === undefined ? 'ended' : 'killed'
}

/**
 * Tell whether a change that nobody has finished left the data between two versions, or the clients of a slot where another's belong. A journal
 * that cannot be read keeps nobody from serving.
 */
export function isBetweenVersions(paths: PrefixPaths): boolean {
  try {
    if (isBetweenRoles(paths)) return true
    const { unfinished } = replay(readJournal(paths.journal))
    return unfinished !== undefined && isDataUnsettled(unfinished)
  } catch (caught) {
    if (caught instanceof ReleaseError) return false
    throw caught
  }
}

/** Refuse to start anything on data that is between two versions. Errors: DATA_UNSETTLED, SWITCH_UNFINISHED. */
export function assertSettledData(paths: PrefixPaths): void {
  if (isBetweenRoles(paths)) throw switchUnfinished(readIdentity(paths).slot!.site)
  if (!isBetweenVersions(paths)) return
  throw new ReleaseError(
    'DATA_UNSETTLED',
    `an interrupted change left the data of ${paths.root} between two versions`,
    {
      hint: `run cutover recover --prefix ${paths.root}`,
      details: { path: paths.root },
    },
  )
}

/** Tell whether a switch of the site is at the point where clients may be at the wrong slot: only it may start anything then. */
function isBetweenRoles(paths: PrefixPaths): boolean {
  const { slot } = readIdentity(paths)
  return slot !== undefined && readProgress(slot.site)?.isCrossing === true
}
