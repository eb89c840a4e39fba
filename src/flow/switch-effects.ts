import { ReleaseError, unreachable } from '../core/error.ts'
import { parseAddress } from '../gate/front/address.ts'
import { probeHttp } from '../gate/front/health.ts'
import { share } from '../prefix/configure.ts'
import type { FileChange } from '../prefix/file-change.ts'
import { currentVersion, readInstalledRecipe } from '../prefix/installed.ts'
import { migrate } from '../prefix/migrate.ts'
import { type RoleSlots, rolesText } from '../prefix/site.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { SwitchStep } from '../slots/plan.ts'
import type { RoleRouter } from '../slots/role-router.ts'
import { delay } from '../sys/clock.ts'
import { writeFileAtomic } from '../sys/files.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import { expectedTexts, readServedRelease } from './serve-release.ts'
import type { ServingProcess, Verdict } from './serving.ts'
import { startTimeoutMs, stopTimeouts } from './serving-effects.ts'
import { type LockedSite, rolesOfSite } from './site.ts'
import type { FlowTools } from './tools.ts'

/** What the steps of a switch work on. */
export interface SwitchRun {
  readonly site: LockedSite
  readonly router: RoleRouter
  readonly goal: RoleSlots
  /** On the way back nothing keeps the door shut: what is not healthy is told, for it was so before. */
  readonly isBack: boolean
  readonly tools: FlowTools
}

/** A slot that takes part in a switch. */
interface Slot {
  readonly name: string
  readonly prefix: LockedPrefix
  readonly serving: ServingProcess
  readonly version: string
}

/** How often it is asked how many requests are on their way. */
const settleCheckMs = 5
/** How long a request may be on its way from the server in front to a gate of the same machine. */
const settleTimeoutMs = 5000

/** Do a step of a switch. Post: a summary for people. Errors: those of what it does. Crash: each can be run again. */
export async function applyStep(step: SwitchStep, run: SwitchRun): Promise<string | undefined> {
  switch (step.kind) {
    case 'close':
      await run.router.lead(step.role, undefined)
      return undefined
    case 'route':
      await run.router.lead(step.role, step.slot)
      return `to ${step.slot}`
    case 'assign':
      return assign(run)
    case 'ask':
      return await ask(step, run)
    case 'relay':
      return await relay(step, run)
    default:
      return await applyToSlot(step, run)
  }
}

async function applyToSlot(
  step: Exclude<SwitchStep, { readonly kind: 'close' | 'route' | 'assign' | 'ask' | 'relay' }>,
  run: SwitchRun,
): Promise<string | undefined> {
  const slot = slotOf(step.slot, run)
  const node = () => readInstalledRecipe(slot.prefix.paths, slot.version).node
  switch (step.kind) {
    case 'turn-away':
      await slot.serving.turnAway(reason(run), node().gate.hold.deadline)
      return undefined
    case 'hold':
      return await hold(slot, run)
    case 'stop':
      await slot.serving.stop(stopTimeouts(slot.prefix.paths, slot.version))
      return undefined
    case 'share':
      return await share(fileChange(slot, run))
    case 'migrate':
      return await migrateAll(slot, run)
    case 'start':
      return await start(slot)
    case 'probe':
      return judge(await slot.serving.awaitHealth(node().health), slot, run)
    case 'pass':
      await slot.serving.leaveHold(reason(run))
      return undefined
    case 'watch':
      return judge(await slot.serving.watch(node().health), slot, run)
    default:
      return unreachable(step)
  }
}

/**
 * Wait until every request that was led to a slot before has arrived at its gate, which counts it: also one that the server in front tries
 * to send again.
 */
async function settle({ name, serving }: Slot, { router, tools }: SwitchRun): Promise<string> {
  const endMs = tools.clock.elapsedMs() + settleTimeoutMs
  for (;;) {
    const underWay = await router.underWay(name)
    if (underWay === undefined) return 'settled as far as is known'
    const { inFlight, streams, heldNow } = (await serving.status()).counters
    if (underWay <= inFlight + streams + heldNow) return `${underWay} had arrived`
    if (tools.clock.elapsedMs() >= endMs) return `${underWay} on their way, of which ${inFlight} had arrived`
    await delay(settleCheckMs)
  }
}

async function hold(slot: Slot, run: SwitchRun): Promise<string> {
  const { serving, prefix, version } = slot
  const { gate } = readInstalledRecipe(prefix.paths, version).node
  const settled = await settle(slot, run)
  await serving.enterHold(reason(run), gate.hold.deadline)
  return `${settled}, ${(await serving.drain(gate.drain)).evidence}`
}

/** The one step that decides: whoever reads a role from now on reads the new one. */
function assign({ site: { paths, site }, goal }: SwitchRun): string {
  writeFileAtomic(paths.roles, rolesText(goal))
  const found = rolesOfSite(paths, site)
  if (Object.entries(goal).some(([role, slot]) => found[role] !== slot))
    throw new Error(`${paths.roles} is not what was written`)
  return Object.entries(goal)
    .map(([role, slot]) => `${role} is ${slot}`)
    .join(', ')
}

async function migrateAll(slot: Slot, run: SwitchRun): Promise<string> {
  const change = fileChange(slot, run)
  const due = change.recipe().node.migrations.filter(({ phase }) => phase !== 'contract')
  for (const { name } of due) await migrate(change, name)
  return due.map(({ name }) => name).join(', ')
}

async function start({ serving, prefix, version }: Slot): Promise<string> {
  const { services } = readInstalledRecipe(prefix.paths, version).node
  await serving.start(version, startTimeoutMs(services))
  const { role } = await serving.status()
  return role === undefined ? version : `${version} as ${role}`
}

/**
 * Have the new slot of the waiting role answer what waits at this one, which would answer it in another role. Where that cannot be done it is turned
 * away, for a wrong answer is worse than none.
 */
async function relay({ slot: name, to }: SwitchStep & { kind: 'relay' }, run: SwitchRun): Promise<string | undefined> {
  const { serving, prefix, version } = slotOf(name, run)
  const { gate } = readInstalledRecipe(prefix.paths, version).node
  const { address } = await slotOf(to, run).serving.status()
  const waiting = (await serving.status()).counters.heldNow
  await serving.enterHold(reason(run), gate.hold.deadline)
  try {
    await serving.relay(address)
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || caught.code !== 'RELAY_UNSUPPORTED') throw caught
    await serving.turnAway(reason(run), gate.hold.deadline)
    return waiting === 0 ? undefined : `${waiting} turned away`
  }
  const endMs = run.tools.clock.elapsedMs() + gate.hold.age
  while ((await serving.status()).counters.heldNow > 0 && run.tools.clock.elapsedMs() < endMs)
    await delay(settleCheckMs)
  await serving.drain(gate.drain)
  await serving.relay(undefined)
  return waiting === 0 ? undefined : `${waiting} answered by ${to}`
}

/** Look at the server in front as its clients do. Errors: ROUTE_NOT_TAKEN. */
async function ask({ role, slot: name }: SwitchStep & { kind: 'ask' }, run: SwitchRun): Promise<string | undefined> {
  const found = (await run.router.routes())[role]
  if (found !== name) throw notTaken(`leads ${role} to ${found ?? 'nowhere'}, expected ${name}`, { role, slot: name })
  const verdict = await askFront(slotOf(name, run), run)
  if (verdict === undefined) return 'as it says itself'
  if (verdict.ok) return verdict.evidence
  const error = notTaken(`does not answer ${role} as ${name} would: ${verdict.evidence}`, { role, slot: name })
  if (!run.isBack) throw error
  run.tools.emit({ kind: 'warning', code: error.code, message: error.message })
  return undefined
}

async function askFront({ prefix, version }: Slot, { site }: SwitchRun): Promise<Verdict | undefined> {
  const { front } = site.site
  const release = readServedRelease(prefix.paths, prefix.identity, version)
  const { http, timeout } = release.node.health
  if (front === undefined || http === undefined) return undefined
  const fill = (text: string) => fillPlaceholders(text, release.values, 'node.health')
  const headers = http.headers.map(header => ({ ...header, contains: fill(header.contains) }))
  const host = fill(release.role?.recipe?.host ?? 'localhost')
  const contains = expectedTexts(release).map(fill)
  return await probeHttp(
    parseAddress(front),
    { host, path: http.path, status: http.status, contains, headers },
    timeout,
  )
}

function judge(verdict: Verdict, slot: Slot, { isBack, tools }: SwitchRun): string | undefined {
  if (verdict.ok) return verdict.evidence
  const message = `slot ${slot.name} (${slot.version}): ${verdict.evidence}`
  if (!isBack)
    throw new ReleaseError('SLOT_UNHEALTHY', message, { details: { slot: slot.name, version: slot.version } })
  tools.emit({ kind: 'warning', code: 'SLOT_UNHEALTHY', message })
  return undefined
}

function slotOf(name: string, { site }: Pick<SwitchRun, 'site'>): Slot {
  const prefix = site.slots.get(name)!
  const version = currentVersion(prefix.paths)
  if (prefix.serving === undefined || version === undefined)
    throw notReady(name, 'nothing serves it, or nothing is installed')
  return { name, prefix, serving: prefix.serving, version }
}

/** The error of a slot that cannot take part. Pure. */
export function notReady(slot: string, why: string): ReleaseError {
  return new ReleaseError('SLOT_NOT_READY', `slot ${slot} cannot take part: ${why}`, { details: { slot } })
}

function fileChange({ prefix, version }: Slot, { tools }: SwitchRun): FileChange {
  const { paths, identity } = prefix
  const recipe = readInstalledRecipe(paths, version)
  const { emit, signal } = tools
  return { paths, identity, version, from: undefined, recipe: () => recipe, origin: undefined, emit, signal }
}

function reason({ goal, isBack }: SwitchRun): string {
  const roles = Object.entries(goal).map(([role, slot]) => `${role} to ${slot}`)
  return `${isBack ? 'switch back' : 'switch'}: ${roles.join(', ')}`
}

function notTaken(what: string, details: Readonly<Record<string, string>>): ReleaseError {
  return new ReleaseError('ROUTE_NOT_TAKEN', `the server in front ${what}`, { details })
}
