import { compareVersions } from '../core/version.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import type { ChangeCommand, JournaledOp, UndoKind } from './journal-record.ts'
import { backupOp, migrationKey, migrationOp, type OpProgress, type Transaction } from './state.ts'

/** What an operation does; flow/change.ts has an effect for each. */
export type OpKind = keyof typeof undoKinds

/** An operation of a change, before it has an effect. `name` is how the journal calls it. */
export interface PlannedOp extends JournaledOp {
  readonly kind: OpKind
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
export interface PlanInput extends PlannedData {
  readonly command: Exclude<ChangeCommand, 'migrate'>
  readonly version: string
  readonly from: string | undefined
  /** The files of the version are there and whole. */
  readonly isComplete: boolean
  /** A process serves the prefix. */
  readonly isServing: boolean
  readonly migrationsDone: ReadonlySet<string>
  /** The recipe wants clients to be told beforehand to stay away. */
  readonly softens?: boolean | undefined
  /** The lowest version that can run on the data as it is. */
  readonly rollbackFloor?: string | undefined
  /** Undefined where the recipe does not want two versions to run side by side. */
  readonly overlap?: WantedOverlap | undefined
}

/** What is known of running the version beside the active one. */
export interface WantedOverlap {
  /** Why it cannot be as things are, besides what the data says. */
  readonly obstacle?: Skip | undefined
  /** Why no clients are sent there first; undefined when some are. */
  readonly withoutCanary?: Skip | undefined
}

/** What a plan depends on of the data; see {@link plannedData}. */
export interface PlannedData {
  readonly migrations: readonly PlannedMigration[]
  /** Undefined where the recipe has no command that copies the data. */
  readonly backup?: { readonly when: 'forward-only' | 'always'; readonly canRestore: boolean } | undefined
  /** The version writes what the active one cannot read. */
  readonly outgrowsActive?: boolean
}

/** A migration of the recipe, as far as a plan needs it. */
export interface PlannedMigration {
  readonly name: string
  readonly phase: 'expand' | 'short' | 'contract'
  readonly rollback: 'compatible' | 'forward-only'
}

const undoKinds = {
  stage: 'exact',
  fetch: 'none',
  setup: 'none',
  verify: 'none',
  share: 'none',
  backup: 'none',
  migrate: 'none',
  soften: 'exact',
  hold: 'exact',
  drain: 'none',
  stop: 'exact',
  switch: 'exact',
  start: 'exact',
  probe: 'none',
  pass: 'exact',
  watch: 'none',
  'start-beside': 'exact',
  canary: 'none',
  promote: 'exact',
  // Whoever takes the promotion back starts again what it needs.
  retire: 'none',
} as const satisfies Record<string, UndoKind>

/** Why something is left out. */
export type Skip = Omit<SkippedOp, 'name'> | undefined
type Entry = readonly [PlannedOp, Skip]

/** Take from the recipes of a version and of the active one what a plan needs to know of the data. Pure. */
export function plannedData(node: DataRecipe, active: DataRecipe | undefined): PlannedData {
  const { migrations, backup, restore, state } = node
  return {
    migrations,
    backup: backup === undefined ? undefined : { when: backup.when, canRestore: restore !== undefined },
    outgrowsActive: state !== undefined && active?.state !== undefined && !active.state.reads.includes(state.writes),
  }
}

type DataRecipe = Pick<NodeRecipe, 'migrations' | 'backup' | 'restore' | 'state'>

/**
 * Put the operations of an installation or rollback in their order. Everything that takes long comes before the hold.
 *
 * Pure. Post: `ops` are to be run, `skipped` are left out for a reason; a rollback runs no migrations, and nothing here contracts.
 */
export function planChange(input: PlanInput): ChangePlan {
  const staged = input.isComplete ? { code: 'RELEASE_COMPLETE', reason: 'its files are there' } : undefined
  const served = input.isServing ? undefined : { code: 'NOT_SERVING', reason: 'nothing serves this prefix' }
  const running = input.from === undefined ? { code: 'NOTHING_RUNS', reason: 'no version was active' } : undefined
  // Whoever goes back wants to be back soon, and would not want the version again that was left.
  const watch: Entry = [op('watch'), served ?? (input.command === 'rollback' ? watched : undefined)]
  const data = dataOps(input)
  const pass = op('pass', data.canPassBeTakenBack ? 'exact' : 'forward-only')
  const obstacle = served ?? running ?? overlapObstacle(input, data)
  const held = obstacle === undefined ? sideBySide : undefined
  const ops: readonly Entry[] = [
    [op('stage'), staged],
    [op('fetch'), staged],
    [op('setup'), staged],
    [op('verify'), staged],
    // Also for files that are there: configuration and secrets do not belong to a release.
    [op('share'), undefined],
    ...data.expand,
    ...(obstacle === undefined ? beside(input.overlap!, watch) : []),
    ...(input.overlap !== undefined && obstacle !== undefined ? [[op('start-beside'), obstacle] as const] : []),
    // Whoever goes back wants to be back soon.
    ...(input.softens === true && input.command === 'install'
      ? [[op('soften'), held ?? served ?? running] as const]
      : []),
    [op('hold'), held ?? served],
    ...(obstacle === undefined ? [] : swap(data.short, { served, running, pass, watch })),
  ]
  return {
    ops: ops.flatMap(([planned, skip]) => (skip === undefined ? [planned] : [])),
    skipped: ops.flatMap(([planned, skip]) => (skip === undefined ? [] : [{ name: planned.name, ...skip }])),
  }
}

const sideBySide = { code: 'SIDE_BY_SIDE', reason: 'both versions run side by side, so nobody waits' }
const watched = { code: 'WATCHED_BEFORE', reason: 'it was watched when it was installed' }

function op(kind: OpKind, undo: UndoKind = undoKinds[kind]): PlannedOp {
  return { name: kind, kind, undo }
}

/** From one version to the other while requests wait. */
function swap(
  short: readonly Entry[],
  { served, running, pass, watch }: { served: Skip; running: Skip; pass: PlannedOp; watch: Entry },
): readonly Entry[] {
  return [
    [op('drain'), served ?? running],
    [op('stop'), served ?? running],
    ...short,
    [op('switch'), undefined],
    [op('start'), served],
    [op('probe'), served],
    [pass, served],
    watch,
  ]
}

/** From one version to the other while both run: the one before stays until the new one has stood the test, so that going back takes no start. */
function beside({ withoutCanary }: WantedOverlap, watch: Entry): readonly Entry[] {
  return [
    [op('start-beside'), undefined],
    [op('probe'), undefined],
    [op('canary'), withoutCanary],
    [op('switch'), undefined],
    [op('promote'), undefined],
    watch,
    [op('retire'), undefined],
  ]
}

/** Why the versions cannot run side by side: something has to be done to the data while nothing runs, or they could not both live with it. */
function overlapObstacle({ overlap }: PlanInput, { short, canPassBeTakenBack }: ReturnType<typeof dataOps>): Skip {
  if (overlap === undefined)
    return { code: 'OVERLAP_UNWANTED', reason: 'the recipe does not say that two versions may' }
  const atRest = short.find(([, skip]) => skip === undefined)
  if (atRest !== undefined)
    return { code: 'DATA_AT_REST', reason: `${atRest[0].name} has to be done while nothing runs` }
  if (!canPassBeTakenBack)
    return { code: 'DATA_INCOMPATIBLE', reason: 'the active version cannot read what the new one writes' }
  return overlap.obstacle
}

/**
 * What changes the data before the hold and inside it, with the backups.
 *
 * A backup of data at rest makes a forward-only migration inside the hold one that can be taken back. An expanding one needs none for
 * that: the version before runs on its result. For both there is no way back once requests reach the new version.
 */
function dataOps(input: PlanInput) {
  const { command, from, backup, outgrowsActive = false } = input
  const copies = command === 'install' && from !== undefined ? backup : undefined
  const isChanged = (phase: 'expand' | 'short') =>
    migrations(input, phase, 'none').some(([{ raisesFloor }, skip]) => raisesFloor === true && skip === undefined)
  const isNeeded = isChanged('short') || outgrowsActive
  const canRestore = copies?.canRestore === true && isNeeded
  const copy = (name: string, undo: UndoKind, needed: boolean): readonly Entry[] => {
    const compatible = { code: 'DATA_COMPATIBLE', reason: 'the version before can run on the result' }
    return copies === undefined ? [] : [[{ name, kind: 'backup', undo }, needed ? undefined : compatible]]
  }
  const isBelowFloor =
    input.rollbackFloor !== undefined && from !== undefined && compareVersions(from, input.rollbackFloor) < 0
  return {
    // Never put back by itself: the version before goes on writing beside the migration.
    expand: [...copy(`${backupOp}:expand`, 'none', isChanged('expand')), ...migrations(input, 'expand', 'none')],
    short: [
      ...copy(backupOp, canRestore ? 'exact' : 'none', isNeeded || copies?.when === 'always'),
      ...migrations(input, 'short', canRestore ? 'none' : 'forward-only'),
    ],
    canPassBeTakenBack: !(isChanged('expand') || isBelowFloor || outgrowsActive || (canRestore && isChanged('short'))),
  }
}

function migrations(input: PlanInput, phase: 'expand' | 'short', forwardOnly: UndoKind): readonly Entry[] {
  if (input.command === 'rollback') return []
  return input.migrations
    .filter(migration => migration.phase === phase)
    .map(({ name, rollback }) => [
      rollback === 'forward-only'
        ? { name: migrationOp(name), kind: 'migrate', undo: forwardOnly, raisesFloor: true }
        : { name: migrationOp(name), kind: 'migrate', undo: 'none' },
      input.migrationsDone.has(migrationKey(name, input.version))
        ? { code: 'MIGRATION_DONE', reason: 'it ran in this prefix before' }
        : undefined,
    ])
}

/** List the migrations of a version that `cutover migrate --contract` has still to run. Pure. */
export function pendingContracts(
  version: string,
  migrationsOfVersion: readonly PlannedMigration[],
  done: ReadonlySet<string>,
): readonly string[] {
  return migrationsOfVersion
    .filter(({ name, phase }) => phase === 'contract' && !done.has(migrationKey(name, version)))
    .map(({ name }) => name)
}

/** Plan to contract the data, beside the version that serves. Pure. */
export function planContract(names: readonly string[], hasBackup: boolean): ChangePlan {
  // Kept for people: the version goes on writing, so it is never put back by itself.
  const backup: PlannedOp = { name: `${backupOp}:contract`, kind: 'backup', undo: 'none' }
  const migrate = names.map(name => ({ name: migrationOp(name), kind: 'migrate', undo: 'forward-only' }) as const)
  return { ops: [...(hasBackup ? [backup] : []), ...migrate], skipped: [] }
}

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
