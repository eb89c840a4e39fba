import os from 'node:os'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import {
  type ApplyTools,
  applyOps,
  beginTransaction,
  type InstallOp,
  type OpEffect,
  undoTransaction,
} from '../prefix/apply.ts'
import { backupFolder } from '../prefix/backup.ts'
import { type FileEffects, fileEffects } from '../prefix/effects.ts'
import type { FileChange, ReleaseOrigin } from '../prefix/file-change.ts'
import { type HookPlace, runHooks } from '../prefix/hooks.ts'
import type { ChangeCommand } from '../prefix/journal-record.ts'
import type { ChangePlan, PlannedOp } from '../prefix/plan.ts'
import { journaledOps } from '../prefix/recovery-plan.ts'
import { type Failure, migrationOf } from '../prefix/state.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { Canary } from './canary.ts'
import { keepEvidence, tellBackups } from './failure-evidence.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import { notifyEnd } from './notify.ts'
import { endOrphans } from './orphans.ts'
import { overlapEffects } from './overlap-effects.ts'
import { servingEffects } from './serving-effects.ts'
import type { FlowTools } from './tools.ts'

/** An installation, a rollback or a contract of the data: what it goes to and from. */
export interface ChangeOptions {
  readonly command: ChangeCommand
  readonly version: string
  readonly from: string | undefined
  readonly recordDigest: string
  /** The recipe of the version. */
  readonly recipe: () => InstalledRecipe
  /** What its files come from; undefined where they are there. */
  readonly origin: ReleaseOrigin | undefined
  /** Asked before anything is stopped, or switched where nothing runs; what it throws fails the change. */
  readonly assertMaySwitch?: (() => void) | undefined
  /** How the version is tried out on a part of the clients; as its recipe says when absent. */
  readonly canary?: Canary | undefined
}

/** A change whose operations have effects. */
export interface BoundChange {
  readonly files: FileEffects
  /** The operations as they are run: with the hooks of the recipe around them. */
  readonly bind: (ops: readonly PlannedOp[]) => readonly InstallOp[]
  /** The operations as they are taken back, which no hook can stop. */
  readonly bindBare: (ops: readonly PlannedOp[]) => readonly InstallOp[]
  readonly hooks: (place: HookPlace) => Promise<void>
}

/** Give the operations of a change their effects. */
export function bindChange(
  prefix: LockedPrefix,
  options: Omit<ChangeOptions, 'recordDigest'> & { readonly txn: number },
  tools: FlowTools,
): BoundChange {
  const { paths, identity } = prefix
  const { command, txn, version, from, recipe, origin } = options
  const change: FileChange = { paths, identity, version, from, recipe, origin, emit: tools.emit, signal: tools.signal }
  const files = fileEffects(change)
  const gate = servingEffects(prefix.serving, change)
  const overlap = overlapEffects(prefix.serving, change, options.canary)
  const effectOf = (op: PlannedOp): OpEffect => {
    if (op.kind === 'migrate') return files.migrate(migrationOf(op.name)!)
    if (op.kind === 'backup') return restoredAtRest(files.backup(backupFolder(change, txn, op.name)), prefix, tools)
    return { ...files, ...gate, ...overlap }[op.kind]
  }
  const hooks = (place: HookPlace) => runHooks(change, command, place)
  const bindBare = (ops: readonly PlannedOp[]) => ops.map(op => ({ ...op, effect: effectOf(op) }))
  const bind = (ops: readonly PlannedOp[]) => {
    const closing = ops.find(op => op.kind === 'hold' || op.kind === 'start-beside' || op.kind === 'switch')
    return bindBare(ops).map(op =>
      withHooks(op, hooks, op.name === closing?.name ? options.assertMaySwitch : undefined),
    )
  }
  return { files, bind, bindBare, hooks }
}

function restoredAtRest(backup: OpEffect, prefix: LockedPrefix, { clock }: FlowTools): OpEffect {
  const revert = async () => {
    await endOrphans(prefix, clock)
    await backup.revert()
  }
  return { ...backup, revert }
}

function withHooks(op: InstallOp, hooks: BoundChange['hooks'], assertMay: (() => void) | undefined): InstallOp {
  const apply = async () => {
    assertMay?.()
    await hooks({ when: 'before', phase: op.kind })
    const summary = await op.effect.apply()
    await hooks({ when: 'after', phase: op.kind, outcome: 'done' })
    return summary
  }
  return { ...op, effect: { ...op.effect, apply } }
}

/**
 * Run a planned change as one transaction; when any operation fails, take everything back.
 *
 * Post: why it failed is written down before anything is taken back, and whoever wants to know is told of the end.
 * Errors: that of the operation, once everything was taken back; RECOVERY_INCOMPLETE when that failed as well.
 */
export async function runChange(
  prefix: LockedPrefix,
  plan: ChangePlan,
  options: ChangeOptions,
  tools: FlowTools,
): Promise<BoundChange> {
  for (const skipped of plan.skipped) {
    tools.emit({ kind: 'step-skipped', step: skipped.name, code: skipped.code, reason: skipped.reason })
  }
  const { command, version, from, recordDigest } = options
  const txn = beginTransaction(prefix.journal, {
    command,
    version,
    from,
    recordDigest,
    by: operator(),
    ops: plan.ops.map(({ kind: _, ...op }) => op),
    stateFormat: options.recipe().node.state,
  })
  const change = bindChange(prefix, { ...options, txn }, tools)
  const end = await applyChange(prefix, { change, ops: plan.ops, txn, version, recipe: options.recipe }, tools)
  if (end.kind !== 'done') throw end.error
  return change
}

/** A transaction that is to be brought to its end. */
export interface RunningChange {
  readonly change: BoundChange
  readonly ops: readonly PlannedOp[]
  readonly txn: number
  readonly version: string
  readonly recipe: () => InstalledRecipe
}

/** How a transaction ended; `stuck` when it failed and could not be taken back, so that its version stays active. */
export type ChangeEnd = { readonly kind: 'done' } | { readonly kind: 'undone' | 'stuck'; readonly error: ReleaseError }

/**
 * Run operations of a transaction and commit it; when any fails, take everything back that the transaction has done.
 *
 * Errors: RECOVERY_INCOMPLETE when not everything could be taken back.
 */
export async function applyChange(prefix: LockedPrefix, running: RunningChange, tools: FlowTools): Promise<ChangeEnd> {
  const { change, txn, version } = running
  const unjournaled = new Set<string>()
  const apply = applyTools(prefix, tools, unjournaled)
  const beforeCommit = () => change.hooks({ when: 'before', phase: 'commit' })
  try {
    await applyOps(change.bind(running.ops), { txn, version }, { ...apply, beforeCommit })
  } catch (caught) {
    const error = toReleaseError(caught)
    const kind = await takeBack(prefix, { ...running, unjournaled }, { error, ...failureOf(error) }, tools)
    return { kind, error }
  }
  await change.hooks({ when: 'after', phase: 'commit', outcome: 'done' })
  await notifyEnd(prefix, txn, tools)
  return { kind: 'done' }
}

/**
 * End a failed transaction. Post: everything was taken back, or what could not be is active and reachable.
 * Errors: RECOVERY_INCOMPLETE, with `cause` what failed first.
 */
export async function takeBack(
  prefix: LockedPrefix,
  running: RunningChange & { readonly unjournaled?: Set<string> },
  failure: Failure & { readonly error: ReleaseError | undefined },
  tools: FlowTools,
): Promise<'undone' | 'stuck'> {
  const { change, txn } = running
  const { code, reason, error } = failure
  if (error !== undefined) await keepEvidence(prefix, { txn, recipe: running.recipe, error }, tools)
  await change.hooks({ when: 'before', phase: 'rollback', outcome: code })
  const all = journaledOps(prefix.state().unfinished!)
  const apply = applyTools(prefix, tools, running.unjournaled ?? new Set())
  const report = await undoTransaction(change.bindBare(all), { code, reason }, apply)
  await change.hooks({ when: 'after', phase: 'rollback', outcome: code })
  tellBackups(prefix, txn, tools)
  await notifyEnd(prefix, txn, tools)
  if (report.stuckBehind !== undefined) {
    const message = `there is no way back behind ${report.stuckBehind}: ${running.version} stays active although it failed`
    tools.emit({ kind: 'warning', code, message })
  }
  if (report.errors.length === 0) return report.stuckBehind === undefined ? 'undone' : 'stuck'
  const reasons = report.errors.map(each => `${each.code}: ${each.message}`)
  throw new ReleaseError(
    'RECOVERY_INCOMPLETE',
    [`after ${code} (${reason}) not everything could be taken back:`, ...reasons].join('\n'),
    { cause: error ?? report.errors[0], details: { code, errors: reasons } },
  )
}

function applyTools(prefix: LockedPrefix, tools: FlowTools, unjournaled: Set<string>): ApplyTools {
  return { journal: prefix.journal, unjournaled, emit: tools.emit, clock: tools.clock }
}

function operator(): string {
  // Whoever used sudo, not root.
  return `${process.env['SUDO_USER'] ?? os.userInfo().username}@${os.hostname()}`
}

/** What the journal keeps of an error: its first line, for the rest is output of the application. */
function failureOf(error: ReleaseError): Failure {
  return { code: error.code, reason: error.message.split('\n', 1)[0]! }
}
