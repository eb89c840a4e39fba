import type { Emit } from '../core/event.ts'
import type { Clock } from '../sys/clock.ts'

/** What every flow gets besides its options: where to tell, what time it is, when to stop. */
export interface FlowTools {
  readonly emit: Emit
  readonly clock: Clock
  /** Aborted on SIGINT and SIGTERM: a flow ends at its next safe point, with its temporary files removed. */
  readonly signal: AbortSignal
}
