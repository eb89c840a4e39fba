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
import { type FileEffects, fileEffects } from '../prefix/effects.ts'
import type { ReleaseOrigin } from '../prefix/file-change.ts'
import type { ChangePlan, PlannedOp } from '../prefix/plan.ts'
import type { Failure } from '../prefix/state.ts'
import { migrationOf } from '../prefix/state.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import { servingEffects } from './serving-effects.ts'
import type { FlowTools } from './tools.ts'

/** An installation or a rollback: what it goes to and from. */
export interface ChangeOptions {
  readonly command: 'install' | 'rollback'
  readonly version: string
  readonly from: string | undefined
  readonly recordDigest: string
  /** The recipe of the version. */
  readonly recipe: () => InstalledRecipe
  /** What its files come from; undefined where they are there. */
  readonly origin: ReleaseOrigin | undefined
}

/** A change whose operations have effects. */
export interface BoundChange {
  readonly files: FileEffects
  readonly bind: (ops: readonly PlannedOp[]) => readonly InstallOp[]
}

/** Give the operations of a change their effects. */
export function bindChange(
  prefix: LockedPrefix,
  options: Omit<ChangeOptions, 'command' | 'recordDigest'>,
  tools: FlowTools,
): BoundChange {
  const { paths, identity } = prefix
  const { version, from, recipe, origin } = options
  const { emit, signal } = tools
  const files = fileEffects({ paths, identity, version, from, recipe, origin, emit, signal })
  const gate = servingEffects(prefix.serving, { paths, version, from, recipe, emit, signal })
  const effectOf = (op: PlannedOp): OpEffect => {
    if (op.kind === 'migrate') return files.migrate(migrationOf(op.name)!)
    return { ...files, ...gate }[op.kind]
  }
  return { files, bind: ops => ops.map(op => ({ ...op, effect: effectOf(op) })) }
}

/**
 * Run a planned change as one transaction; when any operation fails, take everything back.
 *
 * Errors: that of the operation, once everything was taken back; RECOVERY_INCOMPLETE when that failed as well.
 */
export async function runChange(
  prefix: LockedPrefix,
  plan: ChangePlan,
  options: ChangeOptions,
  tools: FlowTools,
): Promise<BoundChange> {
  const change = bindChange(prefix, options, tools)
  const ops = change.bind(plan.ops)
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
    ops: plan.ops.map(({ name, undo }) => ({ name, undo })),
  })
  const apply: ApplyTools = { journal: prefix.journal, unjournaled: new Set(), emit: tools.emit, clock: tools.clock }
  try {
    await applyOps(ops, { txn, version }, apply)
  } catch (caught) {
    const error = toReleaseError(caught)
    await takeBack(ops, failureOf(error), apply, error)
    throw error
  }
  return change
}

/**
 * End a failed transaction. Post: everything was taken back, or what could not be is active and reachable.
 * Errors: RECOVERY_INCOMPLETE, with `cause` what failed first.
 */
export async function takeBack(
  ops: readonly InstallOp[],
  failure: Failure,
  tools: ApplyTools,
  cause: ReleaseError | undefined,
): Promise<'undone' | 'stuck'> {
  const report = await undoTransaction(ops, failure, tools)
  if (report.kind === 'stuck') {
    const message = 'a forward-only migration has run, so the new version stays active although it failed'
    tools.emit({ kind: 'warning', code: failure.code, message })
  }
  if (report.errors.length === 0) return report.kind
  const reasons = report.errors.map(error => `${error.code}: ${error.message}`)
  throw new ReleaseError(
    'RECOVERY_INCOMPLETE',
    [`after ${failure.code} (${failure.reason}) not everything could be taken back:`, ...reasons].join('\n'),
    { cause: cause ?? report.errors[0], details: { code: failure.code, errors: reasons } },
  )
}

function operator(): string {
  // Whoever used sudo, not root.
  return `${process.env['SUDO_USER'] ?? os.userInfo().username}@${os.hostname()}`
}

/** What the journal keeps of an error: its first line, for the rest is output of the application. */
export function failureOf(error: ReleaseError): Failure {
  return { code: error.code, reason: error.message.split('\n', 1)[0]! }
}
