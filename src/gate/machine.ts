/** What the gate does with a request that arrives now. */
export type GateMode = 'pass' | 'hold' | 'backoff' | 'drain'

/**
 * The gate's state; persisted before it is acted on, so that a restarted gate goes on where it was.
 *
 * Units: milliseconds since 1970. `deadlineAtMs` is when the mode ends by itself (hold → backoff → pass), so that a dead
 * installer cannot hold for ever; undefined in mode pass.
 */
export interface GateState {
  readonly schema: 1
  readonly mode: GateMode
  readonly sinceMs: number
  readonly deadlineAtMs: number | undefined
  readonly reason: string
}
