import { ReleaseError } from '../core/error.ts'
import { compareVersions } from '../core/version.ts'
import { currentVersion, readInstalledRecipe } from '../prefix/installed.ts'
import type { RoleSlots } from '../prefix/site.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import type { Routes } from '../slots/plan.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import type { LockedSite } from './site.ts'
import { notReady } from './switch-effects.ts'

/** What a switch would come from and go to. */
export interface SwitchPlan {
  readonly before: RoleSlots
  readonly goal: RoleSlots
  readonly routes: Routes
}

/**
 * Look whether a switch may begin: both slots run, are healthy and let requests through, nothing is unfinished, the server in front leads clients as
 * the roles say, and there is a way back.
 *
 * Errors: SLOT_NOT_READY, SWITCH_NO_WAY_BACK, ROLE_UNKNOWN.
 */
export async function assertReady(site: LockedSite, { before, goal, routes }: SwitchPlan): Promise<void> {
  for (const [role, slot] of Object.entries(before)) {
    if (routes[role] !== slot) {
      throw notReady(
        slot,
        `the server in front leads ${role} to ${routes[role] ?? 'nowhere'}; cutover slots recover mends that`,
      )
    }
    await assertSlotReady(slot, site.slots.get(slot)!)
  }
  const applications = new Set([...site.slots.values()].map(({ identity }) => identity.application))
  if (applications.size > 1) throw notReady([...site.slots.keys()].join(', '), 'they are different applications')
  for (const [role, slot] of Object.entries(goal)) {
    if (before[role] !== slot) assertWayBack(role, versionAt(site, before[role]!), versionAt(site, slot))
  }
}

async function assertSlotReady(name: string, { serving, paths, state }: LockedPrefix): Promise<void> {
  const version = currentVersion(paths)
  if (version === undefined) throw notReady(name, 'no version is installed')
  if (serving === undefined) throw notReady(name, `nothing serves it: run cutover serve ${paths.root}`)
  const { unfinished } = state()
  if (unfinished !== undefined) {
    throw notReady(
      name,
      `its ${unfinished.command} of ${unfinished.version} is unfinished: run cutover recover --prefix ${paths.root}`,
    )
  }
  const status = await serving.status()
  if (status.gate.mode !== 'pass')
    throw notReady(name, `its gate is in mode ${status.gate.mode}: ${status.gate.reason}`)
  if (status.version !== version) throw notReady(name, `${status.version ?? 'nothing'} runs, and ${version} is active`)
  const verdict = await serving.awaitHealth(readInstalledRecipe(paths, version).node.health)
  if (!verdict.ok) throw notReady(name, `it is not healthy: ${verdict.evidence}`)
}

interface Installed {
  readonly slot: string
  readonly version: string
  readonly node: NodeRecipe
  readonly rollbackFloor: string | undefined
}

function versionAt(site: LockedSite, slot: string): Installed {
  const { paths, state } = site.slots.get(slot)!
  const version = currentVersion(paths)!
  const { node } = readInstalledRecipe(paths, version)
  return { slot, version, node, rollbackFloor: state().rollbackFloor }
}

/** What the version that leaves could not run on afterwards would make a switch one way only; and so would data that is too new for the one that comes. */
function assertWayBack(role: string, leaves: Installed, comes: Installed): void {
  const refuse = (why: string) => {
    throw new ReleaseError('SWITCH_NO_WAY_BACK', `${role} cannot go from ${leaves.slot} to ${comes.slot}: ${why}`, {
      details: { role, from: leaves.version, to: comes.version },
    })
  }
  for (const [reader, writer] of [
    [comes, leaves],
    [leaves, comes],
  ] as const) {
    const written = writer.node.state?.writes
    if (written !== undefined && reader.node.state !== undefined && !reader.node.state.reads.includes(written))
      refuse(`${reader.version} cannot read what ${writer.version} writes`)
    const { rollbackFloor } = writer
    if (rollbackFloor !== undefined && compareVersions(reader.version, rollbackFloor) < 0)
      refuse(`only ${rollbackFloor} and later can run on the data of ${writer.slot}`)
  }
  if (compareVersions(comes.version, leaves.version) <= 0) return
  const oneWay = comes.node.migrations.filter(
    ({ phase, rollback }) => phase !== 'contract' && rollback === 'forward-only',
  )
  if (oneWay.length > 0) refuse(`its migrations ${oneWay.map(({ name }) => name).join(', ')} have no way back`)
}
