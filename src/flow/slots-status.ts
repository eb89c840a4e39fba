import path from 'node:path'
import { toReleaseError } from '../core/error.ts'
import { connectControl } from '../gate/control/client.ts'
import { controlSocket } from '../gate/control/protocol.ts'
import { sitePaths } from '../prefix/site.ts'
import type { Routes } from '../slots/plan.ts'
import { readProgress } from '../slots/progress.ts'
import { lookAtSlots, readSite, rolesOfSite, routerOf, type SeenSlot } from './site.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover slots status` tells of a slot. */
export interface SlotStatus {
  readonly slot: string
  readonly prefix: string
  readonly role: string | undefined
  /** The role that its services run in; another than `role` until it is started again. */
  readonly runsAs: string | undefined
  readonly version: string | undefined
  readonly healthy: boolean
  readonly evidence: string
  /** The roles whose clients are led here. */
  readonly routes: readonly string[]
  readonly gate: string
}

/** What `cutover slots status` tells; the `result` of its last event. */
export interface SiteStatus {
  readonly site: string
  readonly slots: readonly SlotStatus[]
  /** The step at which a switch stands or was interrupted. */
  readonly unfinished: string | undefined
}

/** Tell which slot has which role, how it runs, and who is led there, without changing anything. Errors: SITE_*, DOCUMENT_*, GATE_UNREACHABLE. */
export async function slotsStatus(options: { readonly site: string }, tools: FlowTools): Promise<SiteStatus> {
  const startedMs = tools.clock.elapsedMs()
  const paths = sitePaths(path.resolve(options.site))
  const site = readSite(paths)
  const roles = rolesOfSite(paths, site)
  const seen = await lookAtSlots(site)
  const routes = await readRoutes(() => routerOf(paths, site, seen).routes(), tools)
  const slots = await Promise.all(
    seen.map(async (slot): Promise<SlotStatus> => {
      const { ok, evidence } = await healthOf(slot)
      return {
        slot: slot.name,
        prefix: slot.prefix,
        role: Object.keys(roles).find(role => roles[role] === slot.name),
        runsAs: slot.serving?.role,
        version: slot.version,
        healthy: ok,
        evidence,
        routes: Object.keys(routes).filter(role => routes[role] === slot.name),
        gate: slot.serving?.gate.mode ?? 'not served',
      }
    }),
  )
  const result = { site: paths.root, slots, unfinished: readProgress(paths.root)?.step }
  tell(result, tools, startedMs)
  return result
}

/** A server in front that is away does not keep the slots from being looked at. */
async function readRoutes(read: () => Promise<Routes>, { emit }: FlowTools): Promise<Routes> {
  try {
    return await read()
  } catch (caught) {
    const { code, message } = toReleaseError(caught)
    emit({ kind: 'warning', code, message })
    return {}
  }
}

async function healthOf({ prefix, serving }: SeenSlot) {
  const client = serving === undefined ? undefined : await connectControl(path.join(prefix, controlSocket))
  const { result } = (await client?.request({ kind: 'probe' })) ?? {}
  return result ?? { ok: false, evidence: 'nothing serves it' }
}

function tell(result: SiteStatus, tools: FlowTools, startedMs: number): void {
  tools.emit({
    kind: 'table',
    title: result.site,
    columns: ['slot', 'role', 'version', 'health', 'clients of', 'gate'],
    rows: result.slots.map(({ slot, role = '', runsAs, version = '', healthy, evidence, routes, gate }) => [
      slot,
      runsAs === undefined || runsAs === role ? role : `${role}, runs as ${runsAs}`,
      version,
      healthy ? 'healthy' : evidence,
      routes.join(', '),
      gate,
    ]),
  })
  const { unfinished } = result
  const left =
    unfinished === undefined
      ? ''
      : `; a switch is at ${unfinished}: run cutover switch ${result.site} --resume if nobody does`
  const roles = result.slots.map(({ slot, role }) => `${role} is ${slot}`).join(', ')
  const durationMs = tools.clock.elapsedMs() - startedMs
  tools.emit({ kind: 'run-done', command: 'slots', changed: false, durationMs, message: `${roles}${left}`, result })
}
