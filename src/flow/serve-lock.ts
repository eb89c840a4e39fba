import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { type Lock, takeLock } from '../sys/lock.ts'

/** Another that begins looks at both locks and is gone within milliseconds. */
const beginningMs = 2000

/** How long a serving process takes at most to give its lock back once another has taken its place. */
const leavingMs = 30_000

/** The lock of whoever serves a prefix, and the one of whoever begins to. */
const servingLock = ({ run }: PrefixPaths) => path.join(run, 'serve.lock')
const beginningLock = ({ run }: PrefixPaths) => path.join(run, 'serve-next.lock')

/**
 * Take the lock of whoever serves a prefix.
 *
 * A lock of the kernel's cannot be handed to another process. So nobody takes it without that of whoever begins, which a successor has
 * from before its predecessor gives up the other until it has got that: at each moment one of the two is held. Errors: SERVE_BUSY.
 */
export async function lockServing(paths: PrefixPaths): Promise<Lock> {
  using _beginning = await lockBeginning(paths)
  return await takeOrBusy(servingLock(paths), paths, 0)
}

/** Take the lock of whoever begins to serve. Errors: SERVE_BUSY. */
export function lockBeginning(paths: PrefixPaths): Promise<Lock> {
  return takeOrBusy(beginningLock(paths), paths, beginningMs)
}

/** Take the lock of a predecessor that gives it up. Pre: {@link lockBeginning}. Errors: SERVE_BUSY. */
export function lockAfterPredecessor(paths: PrefixPaths): Promise<Lock> {
  return takeOrBusy(servingLock(paths), paths, leavingMs)
}

async function takeOrBusy(file: string, { root }: PrefixPaths, waitMs: number): Promise<Lock> {
  try {
    return await takeLock(file, { command: 'serve', waitMs })
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || caught.code !== 'LOCKED') throw caught
    throw new ReleaseError('SERVE_BUSY', `${root} is served already: ${caught.message}`, {
      hint: 'ask it with `cutover gate status`, or end it first',
      cause: caught,
      details: caught.details,
    })
  }
}
