import type { Address } from '../gate/front/address.ts'
import type { SitePaths } from '../prefix/site.ts'
import type { SiteDocument } from './document.ts'
import { haproxyRouter } from './haproxy-router.ts'
import { nginxRouter } from './nginx-router.ts'
import type { Routes } from './plan.ts'

/** The server in front of a site, as far as leading clients goes. Errors of all: GATE_SERVER_*, ROUTE_NOT_TAKEN, LOCKED, FILE_IO. */
export interface RoleRouter {
  /** Write what its configuration needs, so that it can be started: nobody is led anywhere that was not before. */
  readonly prepare: () => Promise<void>
  /** Ask the running server which slot the clients of each role are led to. */
  readonly routes: () => Promise<Routes>
  /** Lead the clients of a role to a slot, or turn them away. Post: durable before it is told, and seen to be in effect. */
  readonly lead: (role: string, slot: string | undefined) => Promise<void>
  /** How many requests it has under way to a slot; undefined where it cannot tell. */
  readonly underWay: (slot: string) => Promise<number | undefined>
}

/** What a router has to know of a site. */
export interface RoleRouterOptions {
  readonly paths: SitePaths
  readonly site: SiteDocument
  /** The public address of each slot's gate; undefined for one that is not served. */
  readonly addresses: Readonly<Record<string, Address | undefined>>
}

/** Open the way to the server in front of a site. */
export function openRoleRouter(options: RoleRouterOptions): RoleRouter {
  const { router } = options.site
  return router.kind === 'haproxy' ? haproxyRouter(router, options) : nginxRouter(router, options)
}
