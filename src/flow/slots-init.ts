import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { parseAddress } from '../gate/front/address.ts'
import { readIdentity, writeIdentity } from '../prefix/identity.ts'
import { prefixPaths } from '../prefix/layout.ts'
import { type RoleSlots, rolesProblem, rolesText, type SitePaths, sitePaths } from '../prefix/site.ts'
import { type SiteDocument, type SiteRouter, siteProblem, siteText } from '../slots/document.ts'
import { makeFolder, readTextIfExists, writeFileAtomic } from '../sys/files.ts'
import { takeLock } from '../sys/lock.ts'
import { lookAtSlots, rolesOfSite, routerOf } from './site.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover slots init` is asked for. */
export interface SlotsInitOptions {
  readonly site: string
  readonly name: string | undefined
  /** Names and folders. */
  readonly slots: Readonly<Record<string, string>>
  /** In the order that counts: the first is the one whose clients wait. */
  readonly roles: RoleSlots
  readonly router: SiteRouter | undefined
  readonly front: string | undefined
  readonly waitLockMs: number
}

/**
 * Make a site of prefixes, or bring one in line with what is said.
 *
 * Post: each prefix knows which slot it is. Which slot has which role is taken from here the first time only; afterwards switches say so. Nothing that
 * runs is touched: `cutover slots recover` starts slots in their roles and leads clients there. Errors: SITE_ROUTER_MISSING, SITE_INVALID,
 * PREFIX_UNKNOWN, GATE_ADDRESS_INVALID, LOCKED, FILE_IO. Crash: run again.
 */
export async function initSlots(options: SlotsInitOptions, tools: FlowTools): Promise<SiteDocument> {
  const startedMs = tools.clock.elapsedMs()
  const paths = sitePaths(path.resolve(options.site))
  const site = siteOf(options, paths)
  const prefixes = Object.values(site.slots).map(prefixPaths)
  const applications = new Set(prefixes.map(prefix => readIdentity(prefix).application))
  if (applications.size > 1) throw invalid(`the slots are of ${[...applications].join(' and ')}`, paths)
  makeFolder(paths.root, { mode: 0o755 })
  using _lock = await takeLock(paths.lock, { command: 'slots', waitMs: options.waitLockMs })
  for (const [name, prefix] of Object.entries(site.slots)) await join(paths, { name, prefix }, options.waitLockMs)
  if (!fs.existsSync(paths.roles)) writeFileAtomic(paths.roles, rolesText(options.roles))
  const isSame = readTextIfExists(paths.slots) === siteText(site)
  if (!isSame) writeFileAtomic(paths.slots, siteText(site))
  const roles = rolesOfSite(paths, site)
  await routerOf(paths, site, await lookAtSlots(site)).prepare()
  const message = `${Object.entries(roles)
    .map(each => each.join(' is '))
    .join(', ')}; next: cutover slots config ${paths.root}`
  const durationMs = tools.clock.elapsedMs() - startedMs
  tools.emit({
    kind: 'run-done',
    command: 'slots',
    changed: !isSame,
    durationMs,
    message,
    result: { ...site, slotOf: roles },
  })
  return site
}

function siteOf({ slots, roles, router, front, name }: SlotsInitOptions, paths: SitePaths): SiteDocument {
  if (router === undefined) {
    throw new ReleaseError('SITE_ROUTER_MISSING', `nothing is said of the server in front of ${paths.root}`, {
      details: { path: paths.root },
    })
  }
  const site: SiteDocument = {
    schema: 1,
    name: name ?? path.basename(paths.root).toLowerCase(),
    slots: Object.fromEntries(Object.entries(slots).map(([slot, folder]) => [slot, path.resolve(folder)])),
    roles: Object.keys(roles),
    router,
    ...(front === undefined ? {} : { front }),
  }
  const unknown = Object.entries(roles).find(([, slot]) => !Object.hasOwn(slots, slot))
  const problem =
    siteProblem({ ...site }) ??
    rolesProblem(roles) ??
    (unknown === undefined ? undefined : `there is no slot ${unknown[1]} for role ${unknown[0]}`)
  if (problem !== undefined) throw invalid(problem, paths)
  if (front !== undefined) parseAddress(front)
  return site
}

/** Tell a prefix which slot it is. */
async function join(
  { root }: SitePaths,
  { name, prefix }: { readonly name: string; readonly prefix: string },
  waitLockMs: number,
): Promise<void> {
  const paths = prefixPaths(prefix)
  using _lock = await takeLock(paths.lock, { command: 'slots', waitMs: waitLockMs })
  const identity = readIdentity(paths)
  const { slot } = identity
  if (slot?.site === root && slot.name === name) return
  if (slot !== undefined && slot.site !== root && fs.existsSync(sitePaths(slot.site).slots))
    throw invalid(`${prefix} is slot ${slot.name} of ${slot.site} already`, sitePaths(root))
  writeIdentity(paths, { ...identity, slot: { site: root, name } })
}

function invalid(why: string, { root }: SitePaths): ReleaseError {
  return new ReleaseError('SITE_INVALID', `${root} cannot be such a site: ${why}`, { details: { path: root } })
}
