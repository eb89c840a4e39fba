import { type Clock, delay, systemClock } from '../../sys/clock.ts'
import type { RateLimit } from '../../sys/rate-limit.ts'

/** The variables of a process that say where credentials are. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What moving bytes to a target over a network needs of its surroundings; tests bring their own. */
export interface TransferTools {
  readonly clock: Clock
  /** Resolve after a while; rejects when the signal is aborted. */
  readonly wait: (durationMs: number, signal?: AbortSignal) => Promise<void>
  /** A number from 0 up to 1, so that many publishers do not come again at once. */
  readonly random: () => number
  /** Shared by all transfers of an upload; unlimited when absent. */
  readonly bandwidth?: RateLimit | undefined
}

/** The machine's own. */
export const systemTransferTools: TransferTools = { clock: systemClock, wait: delay, random: Math.random }
