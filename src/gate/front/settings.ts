import type { RecipeGate } from '../../recipe/schema.ts'
import type { BackoffSettings } from '../answers/backoff.ts'
import type { HoldLimits } from '../machine/queue.ts'

/** How the data path of a gate behaves; can change with every release. Plain data: it travels to other processes as JSON. */
export interface FrontSettings {
  readonly hold: HoldLimits
  readonly rampPerSecond: number
  readonly backoff: BackoffSettings
  readonly healthPaths: readonly string[]
}

/** Take from a recipe what the data path needs. */
export function frontSettings(gate: RecipeGate): FrontSettings {
  return {
    hold: { requests: gate.hold.requests, bytes: gate.hold.bytes, ageMs: gate.hold.age },
    rampPerSecond: gate.ramp.perSecond,
    backoff: {
      retryAfter: gate.backoff.retryAfter,
      jitter: gate.backoff.jitter,
      routes: gate.backoff.routes,
    },
    healthPaths: gate.healthPaths,
  }
}
