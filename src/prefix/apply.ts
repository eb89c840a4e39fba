import { type ReleaseError, toReleaseError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import type { Clock } from '../sys/clock.ts'
import type { Journal } from './journal.ts'
import type { JournalEntry } from './journal-record.ts'
import type { PlannedOp } from './plan.ts'
import { pointOfNoReturn, undoOrder } from './recovery-plan.ts'
import { type Failure, replay, type Transaction } from './state.ts'

/** The effect of an operation. Each part can be run again after being interrupted anywhere. */
export interface OpEffect {
  /** Look whether there is nothing left to do. */
  readonly isDone: () => boolean | Promise<boolean>
  /** Do it; what is returned is a summary for people. */
  readonly apply: () => string | undefined | Promise<string | undefined>
  /** Take it back, also when it was done in part only. Called for operations with `undo: exact`. */
  readonly revert: () => void | Promise<void>
}

/** An operation with its effect. */
export interface InstallOp extends PlannedOp {
  readonly effect: OpEffect
}

/** What running operations needs. */
export interface ApplyTools {
  readonly journal: Journal
  /** Operations that were done although the journal had no room to say so; {@link applyOps} adds, {@link undoTransaction} makes up for it. */
  readonly unjournaled: Set<string>
  readonly emit: Emit
  readonly clock: Clock
  /** What may still make the change fail when all of it is done. */
  readonly beforeCommit?: () => Promise<void>
}

/** Begin a transaction. Pre: none is unfinished. Post: its number; durable. */
export function beginTransaction(journal: Journal, entry: Omit<JournalEntry & { kind: 'begin' }, 'kind'>): number {
  const txn = (journal.records.at(-1)?.txn ?? 0) + 1
  journal.append(txn, { kind: 'begin', ...entry })
  return txn
}

/**
 * Run operations in order, each between its intent and its outcome in the journal, and commit.
 *
 * Pre: the transaction was begun. Errors: that of the first operation which fails; nothing is taken back here.
 * Crash: the journal names the operation that was at work; {@link planRecovery} goes on from there.
 */
export async function applyOps(
  ops: readonly InstallOp[],
  transaction: Pick<Transaction, 'txn' | 'version'>,
  tools: ApplyTools,
): Promise<void> {
  for (const op of ops) await applyOp(op, transaction.txn, tools)
  await tools.beforeCommit?.()
  tools.journal.append(transaction.txn, { kind: 'commit', version: transaction.version })
}

async function applyOp(op: InstallOp, txn: number, tools: ApplyTools): Promise<void> {
  const { journal, emit, clock } = tools
  const startedMs = clock.elapsedMs()
  emit({ kind: 'step-started', step: op.name })
  try {
    journal.append(txn, { kind: 'intent', op: op.name })
    const summary = (await op.effect.isDone()) ? 'already done' : await op.effect.apply()
    tools.unjournaled.add(op.name)
    journal.append(txn, { kind: 'done', op: op.name, note: summary })
    tools.unjournaled.delete(op.name)
    emit({ kind: 'step-done', step: op.name, durationMs: clock.elapsedMs() - startedMs, summary })
  } catch (caught) {
    const error = toReleaseError(caught)
    emit({ kind: 'step-failed', step: op.name, durationMs: clock.elapsedMs() - startedMs, error })
    throw error
  }
}

/** How a failed transaction ended. */
export interface UndoReport {
  /** The operation that cannot be taken back, so that the new version stays active; undefined when everything was. */
  readonly stuckBehind: string | undefined
  /** What could not be done or journaled. With any, the transaction stays unfinished and the next command tries again. */
  readonly errors: readonly ReleaseError[]
}

/**
 * End a transaction that failed: take back what it did, last first, and journal that it was aborted, and why.
 *
 * Past the point of no return nothing is taken back. Instead the new version, which alone can run on the data, is made active and
 * reachable as far as possible.
 * Post: goes on past every error; a full disk does not stop it, for what is taken back may make room for the journal.
 */
export async function undoTransaction(
  ops: readonly InstallOp[],
  failure: Failure,
  tools: ApplyTools,
): Promise<UndoReport> {
  const ending = new Ending(tools.journal, unfinished(tools.journal).txn)
  const transaction = withUnjournaled(unfinished(tools.journal), tools.unjournaled)
  for (const op of tools.unjournaled) ending.record({ kind: 'done', op })
  const stuckBehind = pointOfNoReturn(ops, transaction.ops)
  if (transaction.failure === undefined) ending.record({ kind: 'undo', ...failure })
  if (stuckBehind === undefined) await goBack(ops, transaction, ending, tools)
  else await goForward(ops, ending)
  return { stuckBehind: stuckBehind?.name, errors: ending.finish(transaction.version, transaction.failure ?? failure) }
}

async function goBack(ops: readonly InstallOp[], transaction: Transaction, ending: Ending, tools: ApplyTools) {
  for (const op of undoOrder(ops, transaction.ops)) {
    // Nothing is put back while a version may still write, and nothing is started on data that was put back in part.
    if (op.kind === 'backup' && ending.hasFailed) return
    const startedMs = tools.clock.elapsedMs()
    const step = `undo ${op.name}`
    tools.emit({ kind: 'step-started', step })
    const error = await ending.attempt(() => op.effect.revert())
    const durationMs = tools.clock.elapsedMs() - startedMs
    // Behind one that failed everything is tried, but has to be done again after it: order matters.
    if (!ending.hasFailed) ending.record({ kind: 'undone', op: op.name })
    tools.emit(
      error === undefined ? { kind: 'step-done', step, durationMs } : { kind: 'step-failed', step, durationMs, error },
    )
    if (op.kind === 'backup' && ending.hasFailed) return
  }
}

// All of them, also what the journal has as done: a recovery may have held again after it. Each looks for itself what is left to do.
async function goForward(ops: readonly InstallOp[], ending: Ending) {
  for (const op of ops.filter(each => makesReachable.has(each.kind))) {
    ending.record({ kind: 'intent', op: op.name })
    const error = await ending.attempt(async () => void ((await op.effect.isDone()) || (await op.effect.apply())))
    if (error === undefined) ending.record({ kind: 'done', op: op.name })
  }
}

const makesReachable: ReadonlySet<string> = new Set(['switch', 'start', 'pass'])

function unfinished(journal: Journal): Transaction {
  const transaction = replay(journal.records).unfinished
  if (transaction === undefined) throw new Error('no transaction is unfinished')
  return transaction
}

function withUnjournaled(transaction: Transaction, unjournaled: ReadonlySet<string>): Transaction {
  const ops = transaction.ops.map(op => (unjournaled.has(op.name) ? { name: op.name, state: 'done' as const } : op))
  return { ...transaction, ops }
}

/** The end of a transaction: records that wait for room in the journal, and errors that do not stop it. */
class Ending {
  readonly #journal: Journal
  readonly #txn: number
  readonly #errors: ReleaseError[] = []
  readonly #waiting: JournalEntry[] = []

  constructor(journal: Journal, txn: number) {
    this.#journal = journal
    this.#txn = txn
  }

  get hasFailed(): boolean {
    return this.#errors.length > 0
  }

  async attempt(run: () => void | Promise<void>): Promise<ReleaseError | undefined> {
    try {
      await run()
      return undefined
    } catch (caught) {
      const error = toReleaseError(caught)
      this.#errors.push(error)
      return error
    }
  }

  /**
   * Journal an entry now, or with a later one once there is room.
   *
   * A journal that cannot be written any more does not stop what is taken back: clients wait. Then the transaction stays unfinished.
   */
  record(entry: JournalEntry): void {
    this.#waiting.push(entry)
    const error = this.#flush()
    if (error !== undefined && error.code !== 'JOURNAL_FULL' && !this.hasFailed) this.#errors.push(error)
  }

  /** Journal the end, unless something went wrong. */
  finish(version: string, failure: Failure): readonly ReleaseError[] {
    if (this.hasFailed) return this.#errors
    this.#waiting.push({ kind: 'abort', version, ...failure })
    const error = this.#flush()
    return error === undefined ? [] : [error]
  }

  #flush(): ReleaseError | undefined {
    try {
      for (let entry = this.#waiting[0]; entry !== undefined; entry = this.#waiting[0]) {
        this.#journal.append(this.#txn, entry)
        this.#waiting.shift()
      }
      return undefined
    } catch (caught) {
      return toReleaseError(caught)
    }
  }
}
