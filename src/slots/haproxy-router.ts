import { ReleaseError } from '../core/error.ts'
import { routeOf, setRoute } from '../gate/drivers/haproxy-map.ts'
import { askHaproxy, runtimeWord } from '../gate/drivers/haproxy-runtime.ts'
import { nowhere, type SiteRouter } from './document.ts'
import { parseUnderWay } from './parse-under-way.ts'
import type { Router, RouterOptions } from './router.ts'

/**
 * Lead clients by a map of an HAProxy: its keys are the roles, its values the backends, which are called like the slots.
 *
 * Source: HAProxy Management Guide §9.1 (`show stat`: scur of a backend counts the requests that were given to it and are not done).
 */
export function haproxyRouter(place: SiteRouter & { readonly kind: 'haproxy' }, { roles }: RouterOptions): Router {
  const { socket } = place
  return {
    routes: async () => {
      const found = await Promise.all(roles.map(async role => [role, await routeOf(place, role)] as const))
      return Object.fromEntries(found.map(([role, slot]) => [role, slot === nowhere ? undefined : slot]))
    },
    lead: async (role, slot) => {
      await assertBackend(socket, slot ?? nowhere)
      await setRoute(place, role, slot ?? nowhere)
    },
    underWay: async slot => {
      const text = await askHaproxy(socket, `show stat ${runtimeWord(slot)} 2 -1`)
      return parseUnderWay(text, slot)
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
