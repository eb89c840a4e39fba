import type { GateMode } from './machine.ts'

/** Whether there is anything to forward to: no service at all, one that does not accept at the moment, one that does. */
export type UpstreamState = 'absent' | 'down' | 'up'

/** What happens to a request: `healthy` is a 200 of the gate's own for outer health checks. */
export type Decision = 'forward' | 'hold' | 'backoff' | 'healthy'

/**
 * Decide what happens to a request that arrives, or that comes up for release, now.
 *
 * A service that is down outside an upgrade is being restarted: its requests wait like those of an upgrade, within the same bounds.
 * While draining, health checks fail, so that balancers take the node out.
 */
export function decide(mode: GateMode, upstream: UpstreamState, isHealthPath: boolean): Decision {
  switch (mode) {
    case 'pass':
      return upstream === 'up' ? 'forward' : upstream === 'down' ? 'hold' : 'backoff'
    case 'hold':
      return isHealthPath ? 'healthy' : 'hold'
    case 'backoff':
      return isHealthPath ? 'healthy' : 'backoff'
    case 'drain':
      return 'backoff'
  }
}
