import type { UndoKind } from './journal-record.ts'
import { migrationKey, migrationOf, migrationOp, type OpProgress, type Transaction } from './state.ts'

/** What an operation does; flow/change.ts has an effect for each. */
export type OpKind = keyof typeof undoKinds | 'migrate'

/** An operation of an installation or rollback, before it has an effect. `name` is how the journal calls it. */
export interface PlannedOp {
  readonly name: string
  readonly kind: OpKind
  readonly undo: UndoKind
}

/** An operation that is left out, and why. */
export interface SkippedOp {
  readonly name: string
  readonly code: string
  readonly reason: string
}

/** What it takes to get to a version. */
export interface ChangePlan {
  readonly ops: readonly PlannedOp[]
  readonly skipped: readonly SkippedOp[]
}

/** What a plan depends on. */
export interface PlanInput {
  readonly command: 'install' | 'rollback'
  readonly version: string
  readonly from: string | undefined
  /** The files of the version are there and whole. */
  readonly isComplete: boolean
  /** A process serves the prefix. */
  readonly isServing: boolean
  readonly migrations: readonly PlannedMigration[]
  readonly migrationsDone: ReadonlySet<string>
}

/** A migration of the recipe, as far as a plan needs it. */
export interface PlannedMigration {
  readonly name: string
  readonly phase: 'expand' | 'short'
  readonly rollback: 'compatible' | 'forward-only'
}

const undoKinds = {
  stage: 'exact',
  fetch: 'none',
  setup: 'none',
  verify: 'none',
  share: 'none',
  hold: 'exact',
  drain: 'none',
  stop: 'exact',
  switch: 'exact',
  start: 'exact',
  probe: 'none',
  pass: 'exact',
  watch: 'none',
} as const satisfies Record<string, UndoKind>

type Skip = Omit<SkippedOp, 'name'> | undefined

/**
 * Put the operations of an installation or rollback in their order. Everything that takes long comes before the hold.
 *
 * Pure. Post: `ops` are to be run, `skipped` are left out for a reason; a rollback runs no migrations.
 */
export function planChange(input: PlanInput): ChangePlan {
  const staged = input.isComplete ? { code: 'RELEASE_COMPLETE', reason: 'its files are there' } : undefined
  const served = input.isServing ? undefined : { code: 'NOT_SERVING', reason: 'nothing serves this prefix' }
  const running = input.from === undefined ? { code: 'NOTHING_RUNS', reason: 'no version was active' } : undefined
  const ops: readonly (readonly [PlannedOp, Skip])[] = [
    [op('stage'), staged],
    [op('fetch'), staged],
    [op('setup'), staged],
    [op('verify'), staged],
    // Also for files that are there: configuration and secrets do not belong to a release.
    [op('share'), undefined],
    ...migrations(input, 'expand'),
    [op('hold'), served],
    [op('drain'), served ?? running],
    [op('stop'), served ?? running],
    ...migrations(input, 'short'),
    [op('switch'), undefined],
    [op('start'), served],
    [op('probe'), served],
    [op('pass'), served],
    [op('watch'), served],
  ]
  return {
    ops: ops.flatMap(([planned, skip]) => (skip === undefined ? [planned] : [])),
    skipped: ops.flatMap(([planned, skip]) => (skip === undefined ? [] : [{ name: planned.name, ...skip }])),
  }
}

function op(kind: keyof typeof undoKinds): PlannedOp {
  return { name: kind, kind, undo: undoKinds[kind] }
}

function migrations(input: PlanInput, phase: 'expand' | 'short'): readonly (readonly [PlannedOp, Skip])[] {
  if (input.command === 'rollback') return []
  return input.migrations
    .filter(migration => migration.phase === phase)
    .map(({ name, rollback }) => [
      { name: migrationOp(name), kind: 'migrate', undo: rollback === 'forward-only' ? rollback : 'none' },
      input.migrationsDone.has(migrationKey(name, input.version))
        ? { code: 'MIGRATION_DONE', reason: 'it ran in this prefix before' }
        : undefined,
    ])
}

/** Read the operations of a transaction back from the journal. Those that this version does not know are left out. */
export function journaledOps(transaction: Transaction): readonly PlannedOp[] {
  return transaction.planned.flatMap(({ name, undo }): readonly PlannedOp[] => {
    if (migrationOf(name) !== undefined) return [{ name, kind: 'migrate', undo }]
    return Object.hasOwn(undoKinds, name) ? [op(name as keyof typeof undoKinds)] : []
  })
}

/** What there is to know for a recovery besides the journal. */
export interface RecoveryInput {
  /** The version that the serving process runs; `idle` when nothing serves. */
  readonly serves: { readonly version: string | undefined } | 'idle'
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
  if (!isPastReturn(ops, transaction.ops) && !isMidMigration(ops, transaction)) {
    if (transaction.failure !== undefined || !isDone('switch')) return { kind: 'undo' }
    if (input.serves === 'idle' && isPlanned('probe') && !isDone('probe')) return { kind: 'undo' }
  }
  // To pass is never taken as done: an earlier recovery may have held again after it, and to pass twice costs nothing.
  const pending = ops.filter(planned => planned.kind === 'pass' || !isDone(planned.name))
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

const beforeProbe: ReadonlySet<OpKind> = new Set(['hold', 'drain', 'stop', 'start'])
const gateOps: ReadonlySet<OpKind> = new Set([...beforeProbe, 'probe', 'pass', 'watch'])

/** Tell whether an operation was done that cannot be taken back. */
export function isPastReturn(ops: readonly PlannedOp[], progress: readonly OpProgress[]): boolean {
  return forwardOnlyOps(ops).some(name => progress.some(each => each.name === name && each.state === 'done'))
}

/** A forward-only migration was begun, and nobody saw how it ended: it may have changed the data. */
function isMidMigration(ops: readonly PlannedOp[], transaction: Transaction): boolean {
  if (transaction.failure !== undefined) return false
  return forwardOnlyOps(ops).some(name => transaction.ops.some(each => each.name === name && each.state === 'intent'))
}

function forwardOnlyOps(ops: readonly PlannedOp[]): readonly string[] {
  return ops.filter(planned => planned.undo === 'forward-only').map(planned => planned.name)
}

/** The operations to take back, last first: those that were begun, also when they did not get to their end. */
export function undoOrder<Op extends PlannedOp>(ops: readonly Op[], progress: readonly OpProgress[]): readonly Op[] {
  const begun = new Set(progress.filter(each => each.state !== 'undone').map(each => each.name))
  return ops.filter(planned => planned.undo === 'exact' && begun.has(planned.name)).toReversed()
}
