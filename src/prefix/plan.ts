import { compareVersions } from '../core/version.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import type { ChangeCommand, JournaledOp, UndoKind } from './journal-record.ts'
import { backupOp, migrationKey, migrationOp } from './state.ts'

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

/** How each kind of operation is taken back, unless a plan says otherwise. */
export const undoKinds = {
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
