import type { RecipeGate } from '../../recipe/schema.ts'
import type { BackoffSettings } from '../answers/backoff.ts'
import type { HoldLimits } from '../machine/queue.ts'

/**
 * How the data path of a gate behaves; can change with every release.
 *
 * Plain data: it travels to other processes as JSON. Holds a secret: it is written nowhere and shown to nobody.
 */
export interface FrontSettings {
  readonly hold: HoldLimits
  readonly rampPerSecond: number
  /** The release of held requests stops growing faster while answers take longer; absent: whatever they take. */
  readonly rampLatencyMs?: number | undefined
  readonly backoff: BackoffSettings
  readonly healthPaths: readonly string[]
  readonly bypass?: BypassSettings | undefined
}

/** Who reaches the application while others wait. */
export interface BypassSettings {
  /** What a request shows to pass; absent: no token does. */
  readonly token?: string | undefined
  /** Peers that pass, as addresses and networks. */
  readonly networks: readonly string[]
}

/** What a release has besides its recipe that the data path needs. */
export interface ReleaseParts {
  /** The text of `backoff.page`. */
  readonly page?: string | undefined
  /** The value of the secret that `bypass.secret` names. */
  readonly bypassToken?: string | undefined
}

/** Take from a recipe, and what a release has besides, what the data path needs. */
export function frontSettings(gate: RecipeGate, { page, bypassToken }: ReleaseParts = {}): FrontSettings {
  const { hold, ramp, backoff, healthPaths, bypass } = gate
  return {
    hold: { requests: hold.requests, bytes: hold.bytes, ageMs: hold.age },
    rampPerSecond: ramp.perSecond,
    rampLatencyMs: ramp.latency,
    backoff: {
      retryAfter: backoff.retryAfter,
      jitter: backoff.jitter,
      clients: backoff.clients,
      perSecond: backoff.perSecond,
      routes: backoff.routes,
      page,
    },
    healthPaths,
    bypass: { token: bypassToken, networks: bypass.networks },
  }
}
