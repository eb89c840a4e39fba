import { isComplete, readInstalledRecipe } from '../prefix/installed.ts'
import { releasePaths } from '../prefix/layout.ts'
import { endCommands } from '../prefix/reaped.ts'
import { planRecovery } from '../prefix/recovery-plan.ts'
import type { Failure, Transaction } from '../prefix/state.ts'
import { applyChange, bindChange, takeBack } from './change.ts'
import { type LockedPrefix, lockPrefix } from './locked-prefix.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover recover` is asked for. */
export interface RecoverOptions {
  readonly prefix: string
  readonly waitLockMs: number
}

/** How an interrupted transaction was ended. */
export interface Recovery {
  readonly version: string
  readonly outcome: 'finished' | 'undone'
}

/** Finish or undo what an interrupted command left in a prefix. Errors: those of {@link recoverPrefix} and of taking the lock. */
export async function recover(options: RecoverOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  await using prefix = await lockPrefix({ ...options, command: 'recover' }, tools)
  tools.emit({ kind: 'run-started', command: 'recover', subject: prefix.paths.root, steps: [] })
  const recovery = await recoverPrefix(prefix, tools)
  tools.emit({
    kind: 'run-done',
    command: 'recover',
    changed: recovery !== undefined,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: recovery === undefined ? 'nothing to recover' : `${recovery.version} was ${recovery.outcome}`,
    result: recovery,
  })
}

/**
 * End the transaction that a killed process left; every command that changes a prefix begins with this.
 *
 * Post: undefined when there was none; afterwards none is unfinished. Errors: RECOVERY_INCOMPLETE.
 */
export async function recoverPrefix(prefix: LockedPrefix, tools: FlowTools): Promise<Recovery | undefined> {
  const transaction = prefix.state().unfinished
  if (transaction === undefined) return undefined
  const { version, command } = transaction
  tools.emit({ kind: 'note', message: `an interrupted ${command} of ${version} is ended first` })
  for (const folder of [releasePaths(prefix.paths, version).root, prefix.paths.root]) await endCommands(folder)
  const outcome = await endTransaction(prefix, transaction, tools)
  tools.emit({ kind: 'note', message: `${command} of ${version} was ${outcome}` })
  return { version, outcome }
}

const interrupted: Failure = { code: 'INTERRUPTED', reason: 'the process ended before it was done' }

async function endTransaction(
  prefix: LockedPrefix,
  transaction: Transaction,
  tools: FlowTools,
): Promise<Recovery['outcome']> {
  const { txn, version, from, command } = transaction
  const recipe = () => readInstalledRecipe(prefix.paths, version)
  const change = bindChange(prefix, { command, txn, version, from, recipe, origin: undefined }, tools)
  const serves = prefix.serving === undefined ? 'idle' : { version: (await prefix.serving.status()).version }
  const plan = planRecovery(transaction, { serves, isComplete: isComplete(prefix.paths, version) })
  if (plan.kind === 'undo') {
    const failure = { ...(transaction.failure ?? interrupted), error: undefined }
    const how = await takeBack(prefix, { change, ops: [], txn, version, recipe }, failure, tools)
    return how === 'undone' ? 'undone' : 'finished'
  }
  const end = await applyChange(prefix, { change, ops: plan.ops, txn, version, recipe }, tools)
  return end.kind === 'undone' ? 'undone' : 'finished'
}
