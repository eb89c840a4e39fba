import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { connectControl } from '../gate/control/client.ts'
import { controlSocket, type ServeStatus } from '../gate/control/protocol.ts'
import { parseAddress } from '../gate/front/address.ts'
import { readIdentity } from '../prefix/identity.ts'
import { currentVersion } from '../prefix/installed.ts'
import { prefixPaths } from '../prefix/layout.ts'
import { readRoles } from '../prefix/role.ts'
import { type RoleSlots, type SitePaths, sitePaths } from '../prefix/site.ts'
import { parseSite, type SiteDocument } from '../slots/document.ts'
import { openRoleRouter, type RoleRouter } from '../slots/role-router.ts'
import { readTextIfExists } from '../sys/files.ts'
import { takeLock } from '../sys/lock.ts'
import { type LockedPrefix, lockPrefix } from './locked-prefix.ts'
import type { FlowTools } from './tools.ts'

/** A site that nobody else changes meanwhile, nor any of its slots. */
export interface LockedSite extends AsyncDisposable {
  readonly paths: SitePaths
  readonly site: SiteDocument
  readonly slots: ReadonlyMap<string, LockedPrefix>
}

/** Read what a site is. Errors: SITE_UNKNOWN, DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function readSite(paths: SitePaths): SiteDocument {
  const text = readTextIfExists(paths.slots)
  if (text !== undefined) return parseSite(text, paths.slots)
  throw new ReleaseError('SITE_UNKNOWN', `${paths.root} is not a site: ${paths.slots} does not exist`, {
    details: { path: paths.root },
  })
}

/**
 * Take a site and all its slots for changing them, the slots in the order of their names.
 *
 * Errors: SITE_UNKNOWN, SITE_INVALID (a prefix is not the slot that it should be), PREFIX_UNKNOWN, LOCKED, JOURNAL_*. Crash: all locks go with
 * the process.
 */
export async function lockSite(
  options: { readonly site: string; readonly command: string; readonly waitLockMs: number },
  tools: FlowTools,
): Promise<LockedSite> {
  const paths = sitePaths(path.resolve(options.site))
  const { command, waitLockMs } = options
  await using stack = new AsyncDisposableStack()
  readSite(paths)
  stack.use(await takeLock(paths.lock, { command, waitMs: waitLockMs }))
  const site = readSite(paths)
  const slots = new Map<string, LockedPrefix>()
  for (const [name, prefix] of Object.entries(site.slots).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    assertSlot(paths, name, prefix)
    slots.set(name, stack.use(await lockPrefix({ prefix, command, waitLockMs, isSwitch: true }, tools)))
  }
  const held = stack.move()
  return { paths, site, slots, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

function assertSlot(paths: SitePaths, name: string, prefix: string): void {
  const { slot } = readIdentity(prefixPaths(prefix))
  if (slot?.site === paths.root && slot.name === name) return
  const found = slot === undefined ? 'is no slot' : `is slot ${slot.name} of ${slot.site}`
  throw new ReleaseError('SITE_INVALID', `${prefix} ${found}, expected slot ${name} of ${paths.root}`, {
    hint: 'run the same `cutover slots init` again, which mends that',
    details: { path: prefix, slot: name },
  })
}

/** A slot as it is seen from outside, without changing anything. */
export interface SeenSlot {
  readonly name: string
  readonly prefix: string
  /** The active version. */
  readonly version: string | undefined
  /** Undefined when nothing serves it. */
  readonly serving: ServeStatus | undefined
}

/** Look at the slots of a site. Errors: PREFIX_DAMAGED, GATE_UNREACHABLE. */
export async function lookAtSlots(site: SiteDocument): Promise<readonly SeenSlot[]> {
  return Promise.all(
    Object.entries(site.slots).map(async ([name, prefix]) => {
      const paths = prefixPaths(prefix)
      const client = await connectControl(path.join(prefix, controlSocket))
      const serving = client === undefined ? undefined : (await client.request({ kind: 'status' })).status
      return { name, prefix, version: currentVersion(paths), serving }
    }),
  )
}

/** Which slot has which role now. Errors: DOCUMENT_INVALID, SITE_INVALID (roles or slots that the site does not have). */
export function rolesOfSite(paths: SitePaths, site: SiteDocument): RoleSlots {
  const roles = readRoles(paths.root)
  const isWhole = site.roles.every(role => Object.hasOwn(site.slots, roles[role] ?? ''))
  if (isWhole && Object.keys(roles).length === site.roles.length) return roles
  throw new ReleaseError('SITE_INVALID', `${paths.roles} does not give each role of ${paths.root} a slot of it`, {
    details: { path: paths.roles, found: Object.entries(roles).map(each => each.join('=')) },
  })
}

/** Open the way to the server in front of a site. */
export function routerOf(paths: SitePaths, site: SiteDocument, slots: readonly SeenSlot[]): RoleRouter {
  const addresses = slots.map(({ name, serving }) => {
    return [name, serving === undefined || serving.address === '' ? undefined : parseAddress(serving.address)] as const
  })
  return openRoleRouter({ paths, site, addresses: Object.fromEntries(addresses) })
}
