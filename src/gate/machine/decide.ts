import type { GateMode } from './machine.ts'

/** Whether there is anything to forward to: no service at all, one that does not accept at the moment, one that does. */
export type UpstreamState = 'absent' | 'down' | 'up'

/** What happens to a request: `healthy` is a 200 of the gate's own for outer health checks. */
export type Decision = 'forward' | 'hold' | 'backoff' | 'healthy'

/** What is known of a request that a decision depends on. */
export interface DecidedRequest {
  readonly isHealthPath: boolean
  /** It comes from somebody who may look at the new version while others wait. */
  readonly isBypassing: boolean
}

/**
 * Decide what happens to a request that arrives, or that comes up for release, now.
 *
 * A service that is down outside an upgrade is being restarted: its requests wait like those of an upgrade, within the same bounds. Who
 * bypasses a hold or a backoff reaches the service as soon as it accepts. Nobody bypasses a drain: then nobody is to come, and health
 * checks fail, so that balancers take the node out.
 */
export function decide(mode: GateMode, upstream: UpstreamState, request: DecidedRequest): Decision {
  switch (mode) {
    case 'pass':
      return upstream === 'up' ? 'forward' : upstream === 'down' ? 'hold' : 'backoff'
    case 'hold':
      if (request.isBypassing) return upstream === 'up' ? 'forward' : 'hold'
      return request.isHealthPath ? 'healthy' : 'hold'
    case 'backoff':
      if (request.isBypassing && upstream !== 'absent') return upstream === 'up' ? 'forward' : 'hold'
      return request.isHealthPath ? 'healthy' : 'backoff'
    case 'drain':
      return 'backoff'
  }
}
