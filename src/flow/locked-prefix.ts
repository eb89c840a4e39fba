import path from 'node:path'
import { connectControl } from '../gate/control/client.ts'
import { controlSocket } from '../gate/control/protocol.ts'
import { type PrefixIdentity, readIdentity } from '../prefix/identity.ts'
import { type Journal, openJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { type PrefixState, replay } from '../prefix/state.ts'
import { readProgress, switchUnfinished } from '../slots/progress.ts'
import { takeLock } from '../sys/lock.ts'
import { ServingProcess } from './serving.ts'
import type { FlowTools } from './tools.ts'

/** A prefix that nobody else changes meanwhile. */
export interface LockedPrefix extends AsyncDisposable {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly journal: Journal
  /** The process that serves it; undefined when nothing does. */
  readonly serving: ServingProcess | undefined
  /** What the journal comes to now. */
  readonly state: () => PrefixState
}

export interface LockOptions {
  readonly prefix: string
  readonly command: string
  readonly waitLockMs: number
  /** By the one command that deals with a switch of the prefix's site that was interrupted. */
  readonly isSwitch?: boolean
}

/**
 * Take a prefix for changing it.
 *
 * Errors: PREFIX_UNKNOWN, LOCKED after `waitLockMs`, SWITCH_UNFINISHED, JOURNAL_DAMAGED, JOURNAL_SEQUENCE. Crash: the lock goes with the process.
 */
export async function lockPrefix(options: LockOptions, tools: FlowTools): Promise<LockedPrefix> {
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  using stack = new DisposableStack()
  stack.use(await takeLock(paths.lock, { command: options.command, waitMs: options.waitLockMs }))
  const { slot } = identity
  if (slot !== undefined && options.isSwitch !== true && readProgress(slot.site) !== undefined)
    throw switchUnfinished(slot.site)
  const journal = stack.use(openJournal(paths.journal, tools.clock))
  replay(journal.records)
  const client = await connectControl(path.join(paths.root, controlSocket))
  const serving = client === undefined ? undefined : new ServingProcess(client, tools.clock)
  const held = stack.move()
  const dispose = async () => {
    await serving?.close()
    held.dispose()
  }
  return { paths, identity, journal, serving, state: () => replay(journal.records), [Symbol.asyncDispose]: dispose }
}
