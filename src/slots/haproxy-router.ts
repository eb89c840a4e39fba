import { ReleaseError } from '../core/error.ts'
import { persistRoute, routeOf, setRoute } from '../gate/drivers/haproxy-map.ts'
import { askHaproxy, runtimeWord } from '../gate/drivers/haproxy-runtime.ts'
import { readTextIfExists } from '../sys/files.ts'
import { nowhere, type SiteRouter } from './document.ts'
import { parseUnderWay } from './parse-under-way.ts'
import { backendName } from './render-front.ts'
import type { RoleRouter, RoleRouterOptions } from './role-router.ts'

/**
 * Lead clients by a map of an HAProxy: its keys are the roles, its values the backends of the slots.
 *
 * Source: HAProxy Management Guide §9.1 (`show stat`: scur of a backend counts the requests that were given to it and are not done).
 */
export function haproxyRouter(
  place: SiteRouter & { readonly kind: 'haproxy' },
  options: RoleRouterOptions,
): RoleRouter {
  const { socket, map } = place
  const { name, roles, slots } = options.site
  const backendOf = (slot: string | undefined) => backendName(name, slot ?? nowhere)
  return {
    prepare: async () => {
      const known = new Set((readTextIfExists(map) ?? '').split('\n').map(line => line.split(' ', 1)[0]))
      for (const role of roles) if (!known.has(role)) await persistRoute(map, role, backendOf(undefined))
    },
    routes: async () => {
      const found = await Promise.all(roles.map(async role => [role, await routeOf(place, role)] as const))
      const slotOf = (backend: string | undefined) => Object.keys(slots).find(slot => backendOf(slot) === backend)
      return Object.fromEntries(found.map(([role, backend]) => [role, slotOf(backend)]))
    },
    lead: async (role, slot) => {
      await assertBackend(socket, backendOf(slot))
      await setRoute(place, role, backendOf(slot))
    },
    underWay: async slot => {
      const backend = backendOf(slot)
      return parseUnderWay(await askHaproxy(socket, `show stat ${runtimeWord(backend)} 2 -1`), backend)
    },
  }
}

/** A map may name what is not there; HAProxy would then use its default backend without a word. */
async function assertBackend(socket: string, backend: string): Promise<void> {
  const known = (await askHaproxy(socket, 'show backend')).split('\n').map(line => line.trim())
  if (known.includes(backend)) return
  throw new ReleaseError('ROUTE_NOT_TAKEN', `HAProxy at ${socket} has no backend ${backend}`, {
    hint: 'put what `cutover slots config SITE` prints into its configuration, and reload it',
    details: { path: socket, backend },
  })
}
