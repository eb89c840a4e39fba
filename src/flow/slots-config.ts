import path from 'node:path'
import { parseAddress } from '../gate/front/address.ts'
import { readIdentity } from '../prefix/identity.ts'
import { prefixPaths } from '../prefix/layout.ts'
import { sitePaths } from '../prefix/site.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import { renderHaproxy, renderNginx } from '../slots/render-front.ts'
import { readServedRelease } from './serve-release.ts'
import { lookAtSlots, readSite, rolesOfSite, type SeenSlot } from './site.ts'
import { notReady } from './switch-effects.ts'

/**
 * Write what the server in front of a site needs in its configuration.
 *
 * Pre: the slots are served, for their addresses are asked for. Errors: SITE_*, SLOT_NOT_READY, GATE_SERVER_SETTINGS.
 */
export async function slotsConfig(options: { readonly site: string }): Promise<string> {
  const paths = sitePaths(path.resolve(options.site))
  const site = readSite(paths)
  const bySlot = Object.entries(rolesOfSite(paths, site))
  const seen = await lookAtSlots(site)
  const slots = seen.map(({ name, serving }) => {
    if (serving === undefined || serving.address === '') throw notReady(name, 'nothing serves it yet')
    return { name, address: parseAddress(serving.address) }
  })
  const roles = bySlot.map(([role, name]) => ({ name: role, host: hostOf(seen.find(slot => slot.name === name)!) }))
  const front = { site: paths.root, name: site.name, roles, slots }
  return site.router.kind === 'haproxy' ? renderHaproxy(front, site.router) : renderNginx(front, paths)
}

/** The name that clients of the slot's role ask for. */
function hostOf({ name, prefix, version }: SeenSlot): string {
  if (version === undefined) throw notReady(name, 'nothing is installed')
  const paths = prefixPaths(prefix)
  const { role, values } = readServedRelease(paths, readIdentity(paths), version)
  return fillPlaceholders(role?.recipe?.host ?? 'localhost', values, 'node.roles')
}
