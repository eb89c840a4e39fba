import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { formatDuration } from '../core/quantity.ts'
import { parseVersion } from '../core/version.ts'
import { assertReadsState } from '../prefix/admission.ts'
import { isComplete, readInstalledRecipe } from '../prefix/installed.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { assertConfigurable } from '../prefix/preconditions.ts'
import { isUsable, type PrefixState, previousVersion } from '../prefix/state.ts'
import { runChange } from './change.ts'
import { assertAboveFloor, assertSound, planTarget } from './install-target.ts'
import { type LockedPrefix, lockPrefix } from './locked-prefix.ts'
import { recoverPrefix } from './recover.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover rollback` is asked for. */
export interface RollbackOptions {
  readonly prefix: string
  /** The version that was active before the present one, when absent. */
  readonly to?: string | undefined
  readonly waitLockMs?: number | undefined
}

/** What a rollback came to; the `result` of its last event. */
export interface RollbackResult {
  readonly application: string
  readonly version: string
  readonly from: string | undefined
  readonly heldRequests: number | undefined
  readonly holdMs: number | undefined
}

/**
 * Switch back to a version that was active before, with the same gate and journal as an installation.
 *
 * Post: the version that was left is not chosen by itself again. Errors: ROLLBACK_NONE, ROLLBACK_FLOOR, STATE_EPOCH, INSTALL_UNHEALTHY, those of
 * taking the lock, of recovering and of {@link assertConfigurable}. Crash: as in {@link install}.
 */
export async function rollback(options: RollbackOptions, tools: FlowTools): Promise<RollbackResult> {
  const startedMs = tools.clock.elapsedMs()
  const { prefix: folder, waitLockMs = 0 } = options
  await using prefix = await lockPrefix({ prefix: path.resolve(folder), command: 'rollback', waitLockMs }, tools)
  tools.emit({ kind: 'run-started', command: 'rollback', subject: prefix.identity.application, steps: ['switch'] })
  await recoverPrefix(prefix, tools)
  const state = prefix.state()
  assertSound(prefix.paths, state)
  const version = chooseVersion(prefix.paths, state, options.to)
  assertAboveFloor(state, version)
  const target = targetOf(prefix, version)
  assertReadsState(state, version, target.recipe().node.state)
  const { paths, identity } = prefix
  await assertConfigurable({ paths, identity, recipe: target.recipe(), version })
  const plan = await planTarget(prefix, target, { command: 'rollback' })
  await runChange(prefix, plan, { command: 'rollback', ...target }, tools)
  return tellDone(prefix, target, { tools, startedMs })
}

/** Choose where to go back to. Errors: ROLLBACK_NONE. */
function chooseVersion(paths: PrefixPaths, state: PrefixState, asked: string | undefined): string {
  const version = asked === undefined ? previousVersion(state) : parseVersion(asked)
  const usable = [...state.releases.keys()].filter(
    each => each !== state.active && isUsable(state, each) && isComplete(paths, each),
  )
  if (version !== undefined && usable.includes(version)) return version
  const which = asked === undefined ? 'no version was active before' : `${asked} is not there as a whole, or is active`
  throw new ReleaseError('ROLLBACK_NONE', `${paths.root} cannot be rolled back: ${which}`, {
    hint:
      usable.length === 0
        ? 'install the version that you want with --version'
        : `choose one of ${usable.join(', ')} with --to, or install another with --version`,
    details: { version: asked, usable },
  })
}

function targetOf(prefix: LockedPrefix, version: string) {
  const { paths } = prefix
  const state = prefix.state()
  const recipe = readInstalledRecipe(paths, version)
  const recordDigest = state.releases.get(version)!.recordDigest
  return { version, from: state.active, recordDigest, recipe: () => recipe, origin: undefined, releaseBytes: 0 }
}

function tellDone(
  prefix: LockedPrefix,
  target: { readonly version: string; readonly from: string | undefined },
  run: { readonly tools: FlowTools; readonly startedMs: number },
): RollbackResult {
  const { emit, clock } = run.tools
  const { application } = prefix.identity
  const { serving } = prefix
  const held = serving?.figures
  const result: RollbackResult = {
    application,
    version: target.version,
    from: target.from,
    heldRequests: held?.heldRequests ?? (serving === undefined ? undefined : 0),
    holdMs: held?.holdMs ?? (serving === undefined ? undefined : 0),
  }
  const gate =
    held === undefined ? '' : `, ${held.heldRequests} requests held for ${formatDuration(held.holdMs)} at most`
  emit({
    kind: 'run-done',
    command: 'rollback',
    changed: true,
    durationMs: clock.elapsedMs() - run.startedMs,
    message: `${application} ${target.from ?? 'nothing'} → ${target.version}${gate}`,
    result,
  })
  return result
}
