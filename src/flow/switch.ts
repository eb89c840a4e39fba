import os from 'node:os'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { compareVersions } from '../core/version.ts'
import { currentVersion } from '../prefix/installed.ts'
import type { RoleSlots } from '../prefix/site.ts'
import { planSwitch, type Situation, type SwitchStep, stepName, swapped } from '../slots/plan.ts'
import { endProgress, readProgress, type SwitchProgress, switchUnfinished, writeProgress } from '../slots/progress.ts'
import { type LockedSite, lockSite, lookAtSlots, rolesOfSite, routerOf } from './site.ts'
import { assertReady } from './switch-check.ts'
import { applyStep, type SwitchRun } from './switch-effects.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover switch` is asked for. */
export interface SwitchOptions {
  readonly site: string
  /** The two roles that are swapped; where the site has two, these. */
  readonly roles: readonly string[]
  readonly waitLockMs: number
  /** Tell the steps and do none. */
  readonly isDryRun: boolean
  /** Asked before anything is done; undefined: nobody is. */
  readonly confirm?: ((goal: RoleSlots) => Promise<boolean>) | undefined
}

/** What a switch came to; the `result` of its last event. */
export interface SwitchResult {
  readonly site: string
  readonly roles: RoleSlots
  readonly outcome: 'switched' | 'undone' | 'unchanged'
  /** Requests of the waiting role that were held, and for how long at most. */
  readonly heldRequests: number
  readonly holdMs: number
}

/**
 * Swap the slots of two roles: environment, folders and routes, each verified.
 *
 * Post: requests of the first role waited and were answered; those of the other were turned away for that time. Errors: SITE_*, SLOT_NOT_READY,
 * SWITCH_NO_WAY_BACK, then nothing was done; SLOT_UNHEALTHY, ROUTE_NOT_TAKEN, MIGRATION_FAILED and others, then everything is as it was before;
 * SWITCH_UNFINISHED when that could not be done. Crash: `resume` goes on or back.
 */
export async function switchSlots(options: SwitchOptions, tools: FlowTools): Promise<SwitchResult | undefined> {
  const startedMs = tools.clock.elapsedMs()
  await using site = await lockSite({ ...options, command: 'switch' }, tools)
  if (readProgress(site.paths.root) !== undefined) throw switchUnfinished(site.paths.root)
  const before = rolesOfSite(site.paths, site.site)
  const goal = swapped(before, chosenRoles(site, options.roles))
  const situation = await observe(site, { before, goal, isCrossing: false })
  await assertReady(site, { before, goal, routes: situation.routes })
  const steps = planSwitch({ roles: goal, waiting: site.site.roles[0]! }, situation)
  tools.emit({ kind: 'run-started', command: 'switch', subject: site.paths.root, steps: steps.map(stepName) })
  if (options.isDryRun || !(await (options.confirm?.(goal) ?? true))) {
    tellPlan(steps, tools, startedMs)
    return undefined
  }
  const progress = beginProgress(before, goal, tools)
  await forwardOrBack(site, progress, tools)
  return tellDone(site, { outcome: 'switched', tools, startedMs })
}

/**
 * End a switch that was interrupted: forward when the roles are swapped already and that works, else back. Where none was, bring slots, gates and
 * routes to the roles that the site has.
 *
 * Errors: as {@link switchSlots}.
 */
export async function resumeSwitch(
  options: Pick<SwitchOptions, 'site' | 'waitLockMs'>,
  tools: FlowTools,
): Promise<SwitchResult> {
  const startedMs = tools.clock.elapsedMs()
  await using site = await lockSite({ ...options, command: 'switch' }, tools)
  const roles = rolesOfSite(site.paths, site.site)
  tools.emit({ kind: 'run-started', command: 'switch', subject: site.paths.root, steps: [] })
  const interrupted = readProgress(site.paths.root)
  const isSwapped = interrupted !== undefined && isSame(roles, interrupted.goal)
  if (interrupted === undefined) {
    const steps = await stepsTo(site, roles, { before: roles, isCrossing: true })
    await drive(site, { ...beginProgress(roles, roles, tools), step: steps.length === 0 ? 'none' : 'begin' }, tools)
    return tellDone(site, { outcome: steps.length === 0 ? 'unchanged' : 'switched', tools, startedMs })
  }
  if (isSwapped && interrupted.direction === 'forward') {
    await forwardOrBack(site, interrupted, tools)
    return tellDone(site, { outcome: 'switched', tools, startedMs })
  }
  await drive(site, { ...interrupted, direction: 'back' }, tools)
  return tellDone(site, { outcome: 'undone', tools, startedMs })
}

async function forwardOrBack(site: LockedSite, progress: SwitchProgress, tools: FlowTools): Promise<void> {
  try {
    await drive(site, progress, tools)
  } catch (caught) {
    const error = toReleaseError(caught)
    tools.emit({ kind: 'note', message: `${error.code}: the roles go back to what they were` })
    await goBack(site, readProgress(site.paths.root) ?? progress, { error, tools })
    const message = `${error.message}\nThe switch was undone: ${describeRoles(progress.before)}, as before`
    throw new ReleaseError(error.code, message, { hint: error.hint, details: error.details, cause: error })
  }
}

async function goBack(
  site: LockedSite,
  progress: SwitchProgress,
  { error, tools }: { readonly error: ReleaseError; readonly tools: FlowTools },
): Promise<void> {
  try {
    // Whoever interrupted the switch wants to be where it began.
    await drive(site, { ...progress, direction: 'back' }, { ...tools, signal: new AbortController().signal })
  } catch (caught) {
    const second = toReleaseError(caught)
    const { hint } = switchUnfinished(site.paths.root)
    const message = `after ${error.code} (${error.message}) the switch could not be undone: ${second.code}: ${second.message}`
    throw new ReleaseError('SWITCH_UNFINISHED', message, { hint, cause: second, details: { code: error.code } })
  }
}

/** Do what is left to do in a direction. Post: no switch is under way any more. */
async function drive(site: LockedSite, begun: SwitchProgress, tools: FlowTools): Promise<void> {
  const { root } = site.paths
  const isBack = begun.direction === 'back'
  const goal = isBack ? begun.before : begun.goal
  const waiting = site.site.roles[0]!
  writeProgress(root, begun)
  const router = routerOf(site.paths, site.site, await lookAtSlots(site.site))
  const run: SwitchRun = { site, router, goal, isBack, tools }
  let progress = begun
  for (const step of await stepsTo(site, goal, begun)) {
    // The watch may have to be undone; on the way back nobody wants to wait for it.
    if (isBack && step.kind === 'watch') continue
    const isCrossing = progress.isCrossing || (step.kind === 'route' && step.role === waiting)
    const name = isBack ? `back:${stepName(step)}` : stepName(step)
    progress = { ...progress, isCrossing, step: name }
    writeProgress(root, progress)
    tools.signal.throwIfAborted()
    await runStep(name, step, run)
  }
  endProgress(root)
}

async function runStep(name: string, step: SwitchStep, run: SwitchRun): Promise<void> {
  const { emit, clock } = run.tools
  const startedMs = clock.elapsedMs()
  emit({ kind: 'step-started', step: name })
  try {
    const summary = await applyStep(step, run)
    emit({ kind: 'step-done', step: name, durationMs: clock.elapsedMs() - startedMs, summary })
  } catch (caught) {
    const error = toReleaseError(caught)
    emit({ kind: 'step-failed', step: name, durationMs: clock.elapsedMs() - startedMs, error })
    throw error
  }
}

function stepsTo(
  site: LockedSite,
  goal: RoleSlots,
  { before, isCrossing }: Pick<SwitchProgress, 'before' | 'isCrossing'>,
): Promise<readonly SwitchStep[]> {
  const waiting = site.site.roles[0]!
  return observe(site, { before, goal, isCrossing }).then(situation => planSwitch({ roles: goal, waiting }, situation))
}

/** See how things are. `before` says which slot had the data of a role so far. */
async function observe(
  site: LockedSite,
  { before, goal, isCrossing }: Pick<SwitchProgress, 'before' | 'goal' | 'isCrossing'>,
): Promise<Situation> {
  const seen = await lookAtSlots(site.site)
  const slots = seen.map(({ name, serving }) => {
    const runsAs = serving?.version === undefined ? undefined : (serving.role ?? 'unknown')
    const passes = serving?.gate.mode === 'pass' && serving.relaysTo === undefined
    return [name, { runsAs, passes, migrates: migrates(site, name, { before, goal }) }] as const
  })
  const routes = await routerOf(site.paths, site.site, seen).routes()
  return { roles: rolesOfSite(site.paths, site.site), routes, slots: Object.fromEntries(slots), isCrossing }
}

/** A slot that gets the data of an older version than its own brings them to its own, which does nothing where that was done. */
function migrates(site: LockedSite, name: string, { before, goal }: Pick<SwitchProgress, 'before' | 'goal'>): boolean {
  const role = Object.keys(goal).find(each => goal[each] === name)
  const [now, then] = [name, before[role ?? '']].map(slot => versionOf(site, slot))
  return now !== undefined && then !== undefined && compareVersions(now, then) > 0
}

function versionOf(site: LockedSite, slot: string | undefined): string | undefined {
  const prefix = site.slots.get(slot ?? '')
  return prefix === undefined ? undefined : currentVersion(prefix.paths)
}

/** Errors: USAGE. */
function chosenRoles({ site }: LockedSite, asked: readonly string[]): readonly [string, string] {
  const [a, b, ...more] = asked.length === 0 ? site.roles : asked
  const isKnown = (role: string | undefined): role is string => role !== undefined && site.roles.includes(role)
  if (isKnown(a) && isKnown(b) && a !== b && more.length === 0) return [a, b]
  throw new ReleaseError('USAGE', `two roles are swapped, found ${asked.join(', ') || site.roles.join(', ')}`, {
    hint: `name two of ${site.roles.join(', ')}`,
  })
}

function beginProgress(before: RoleSlots, goal: RoleSlots, { clock }: FlowTools): SwitchProgress {
  const by = `${process.env['SUDO_USER'] ?? os.userInfo().username}@${os.hostname()}`
  return {
    schema: 1,
    before,
    goal,
    direction: 'forward',
    isCrossing: false,
    step: 'begin',
    beganAtMs: clock.nowMs(),
    by,
  }
}

function isSame(a: RoleSlots, b: RoleSlots): boolean {
  return Object.entries(a).every(([role, slot]) => b[role] === slot)
}

function describeRoles(roles: RoleSlots): string {
  return Object.entries(roles)
    .map(([role, slot]) => `${role} is ${slot}`)
    .join(', ')
}

function tellPlan(steps: readonly SwitchStep[], { emit, clock }: FlowTools, startedMs: number): void {
  const rows = steps.map(step => [stepName(step), 'slot' in step ? step.slot : ''])
  emit({ kind: 'table', title: 'What a switch does, in this order', columns: ['step', 'slot'], rows })
  const durationMs = clock.elapsedMs() - startedMs
  emit({ kind: 'run-done', command: 'switch', changed: false, durationMs, message: 'nothing was done' })
}

function tellDone(
  site: LockedSite,
  run: { readonly outcome: SwitchResult['outcome']; readonly tools: FlowTools; readonly startedMs: number },
): SwitchResult {
  const { outcome, tools, startedMs } = run
  const roles = rolesOfSite(site.paths, site.site)
  const figures = site.slots.get(roles[site.site.roles[0]!]!)?.serving?.figures
  const result = {
    site: site.paths.root,
    roles,
    outcome,
    heldRequests: figures?.heldRequests ?? 0,
    holdMs: figures?.holdMs ?? 0,
  }
  const held = figures === undefined ? '' : `, ${figures.heldRequests} requests held`
  tools.emit({
    kind: 'run-done',
    command: 'switch',
    changed: outcome !== 'unchanged',
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${describeRoles(roles)}${held}`,
    result,
  })
  return result
}
