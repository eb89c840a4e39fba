import type { Address } from '../front/address.ts'

/** Where the server in front sends requests: to our waiting room, or to the application. */
export type Route =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'application'; readonly place: Extract<Address, { kind: 'tcp' }> }

/**
 * A server that stands in front of applications and is told where their requests go: HAProxy, nginx.
 *
 * Errors of all: GATE_SERVER_UNREACHABLE (it does not run, or not for us), GATE_SERVER_REFUSED (it runs and does not do it).
 */
export interface Router {
  readonly kind: 'haproxy' | 'nginx'
  /** The ports at which it knows the application, so that a start there leaves its configuration as it is. */
  readonly knownPorts: () => readonly number[]
  /** Write the files that its configuration needs, so that it can be started; `ports`: where the application is going to be. */
  readonly prepare: (ports: readonly [number, number]) => Promise<void>
  /** See that it can reach our waiting room, before anybody depends on that. */
  readonly assertReaching: () => Promise<void>
  /** Send requests that come from now on somewhere. Post: durable, so that a restart of it keeps it, and seen to be in effect; else as before. */
  readonly follow: (route: Route) => Promise<void>
  /** Tell whether it sends them there now. Cheap. */
  readonly isFollowed: (route: Route) => Promise<boolean>
  /** Count what it has at an application. */
  readonly inFlight: (place: Address) => Promise<number>
  /** Keep no idle connection to the application. Pre: requests go to the waiting room. */
  readonly rest: () => Promise<void>
}
