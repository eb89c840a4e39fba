import { type OpKind, type PlannedOp, undoKinds } from './plan.ts'
import { backupOp, type OpProgress, type Transaction } from './state.ts'

/** Read the operations of a transaction back from the journal. Those that this version does not know are left out. */
export function journaledOps(transaction: Transaction): readonly PlannedOp[] {
  return transaction.planned.flatMap((planned): readonly PlannedOp[] => {
    const kind = planned.name.split(':', 1)[0]!
    return Object.hasOwn(undoKinds, kind) ? [{ ...planned, kind: kind as OpKind }] : []
  })
}

/** What there is to know for a recovery besides the journal. */
export interface RecoveryInput {
  /** The version that the serving process runs; `idle` when nothing serves. */
  readonly serves: { readonly version: string | undefined } | 'idle'
  /** The files of the transaction's version are there and whole: a journal that broke may say so of what is gone. */
  readonly isComplete: boolean
}

/** How to end a transaction that another process left: the operations still to run, or to take everything back. */
export type RecoveryPlan = { readonly kind: 'finish'; readonly ops: readonly PlannedOp[] } | { readonly kind: 'undo' }

/**
 * Decide how a transaction ends whose process is gone.
 *
 * Pure. It is finished when the switch was made and the new version can be asked for its health, or was asked before; and at any rate
 * once something that cannot be taken back was done or may have been. Otherwise it is undone, and so is one whose undoing had begun.
 */
export function planRecovery(transaction: Transaction, input: RecoveryInput): RecoveryPlan {
  const ops = journaledOps(transaction)
  const isDone = (name: string) => transaction.ops.some(each => each.name === name && each.state === 'done')
  const isPlanned = (name: string) => ops.some(planned => planned.name === name)
  if (pointOfNoReturn(ops, transaction.ops) === undefined && !isMidMigration(ops, transaction)) {
    if (transaction.failure !== undefined || !isDone('switch') || !input.isComplete) return { kind: 'undo' }
    if (input.serves === 'idle' && isPlanned('probe') && !isDone('probe')) return { kind: 'undo' }
  }
  // Clients were told beforehand, or it is too late for that.
  const pending = ops.filter(({ kind, name }) => kind !== 'soften' && (asksItself.has(kind) || !isDone(name)))
  if (input.serves === 'idle') return { kind: 'finish', ops: pending.filter(planned => !gateOps.has(planned.kind)) }
  if (input.serves.version === transaction.version && isDone('switch')) {
    return { kind: 'finish', ops: pending.filter(planned => !beforeProbe.has(planned.kind)) }
  }
  // The hold may have ended by its deadline, and the old version been started again: all that belongs to a hold is done again.
  const isInsideHold = pending.some(planned => planned.kind === 'switch' || planned.kind === 'start')
  return {
    kind: 'finish',
    ops: ops.filter(planned => pending.includes(planned) || (isInsideHold && gateOps.has(planned.kind))),
  }
}

/**
 * What is never taken as done, for it costs nothing to do it twice: an earlier recovery may have held again after the pass, and a
 * process whose journal broke may have switched back without a word.
 */
const asksItself: ReadonlySet<OpKind> = new Set(['pass', 'switch'])
const beforeProbe: ReadonlySet<OpKind> = new Set(['hold', 'drain', 'stop', 'start', 'start-beside'])
const gateOps: ReadonlySet<OpKind> = new Set([...beforeProbe, 'probe', 'pass', 'promote', 'watch', 'retire'])

/** Name the operation that was done and cannot be taken back; undefined when there is none. */
export function pointOfNoReturn(ops: readonly PlannedOp[], progress: readonly OpProgress[]): PlannedOp | undefined {
  return ops.find(({ name, kind, undo }) => {
    const state = progress.find(each => each.name === name)?.state
    // A migration that fails has changed nothing; of a gate that failed to answer nobody knows whom it let through.
    return undo === 'forward-only' && (state === 'done' || (kind === 'pass' && state !== undefined))
  })
}

/** A forward-only migration was begun, and nobody saw how it ended: it may have changed the data. */
function isMidMigration(ops: readonly PlannedOp[], transaction: Transaction): boolean {
  if (transaction.failure !== undefined) return false
  const begun = new Set(transaction.ops.filter(each => each.state === 'intent').map(each => each.name))
  return ops.some(({ name, undo }) => undo === 'forward-only' && begun.has(name))
}

/**
 * The operations to take back, last first: those that were begun, also when they did not get to their end.
 *
 * Pure. A backup is put back only where something behind it may have changed the data: what was written since would be lost.
 */
export function undoOrder<Op extends PlannedOp>(ops: readonly Op[], progress: readonly OpProgress[]): readonly Op[] {
  const begun = begunOps(progress)
  return ops
    .filter(({ name, undo }) => undo === 'exact' && begun.has(name))
    .filter(({ kind }) => kind !== 'backup' || isDataChanged(ops, progress))
    .toReversed()
}

/**
 * Tell whether an interrupted change has left the data between two versions, so that nothing may be started on it before a recovery.
 *
 * Pure. Where letting requests through is the point of no return, that is so until they are: what anybody writes meanwhile would be lost
 * with the backup that is put back, or could not be read by the version before. Elsewhere it is so until the new version is active.
 */
export function isDataUnsettled(transaction: Transaction): boolean {
  const ops = journaledOps(transaction)
  const begun = begunOps(transaction.ops)
  const isRestorable = ops.some(({ kind, undo }) => kind === 'backup' && undo === 'exact')
  if (isRestorable || ops.some(({ kind, undo }) => kind === 'pass' && undo === 'forward-only')) {
    const isChanged = begun.has(backupOp) && isDataChanged(ops, transaction.ops)
    return (isChanged || begun.has('switch')) && !begun.has('pass')
  }
  const insideHold = ops.slice(ops.findIndex(({ kind }) => kind === 'hold') + 1)
  const isMigrated = insideHold.some(({ name, undo }) => undo === 'forward-only' && begun.has(name))
  return (
    begun.has('hold') && isMigrated && !transaction.ops.some(({ name, state }) => name === 'switch' && state === 'done')
  )
}

/** Something behind the backup was begun that may change the data: a migration, or a version that may write; also if it was taken back. */
function isDataChanged(ops: readonly PlannedOp[], progress: readonly OpProgress[]): boolean {
  const behind = ops.slice(ops.findIndex(({ name }) => name === backupOp) + 1)
  return behind.some(
    ({ name, kind }) => (kind === 'migrate' || kind === 'start') && progress.some(each => each.name === name),
  )
}

function begunOps(progress: readonly OpProgress[]): ReadonlySet<string> {
  return new Set(progress.filter(each => each.state !== 'undone').map(each => each.name))
}
