import { ReleaseError } from '../core/error.ts'
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
