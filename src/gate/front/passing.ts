import { type RetrySettings, softFields } from '../answers/retry-after.ts'
import { Admission, type RunningShaping, softShare } from '../machine/shaping.ts'
import type { Timers } from '../machine/timers.ts'

/** Shape what passes while a shaping is under way, on a clock that nobody sets. */
export class Passing {
  readonly #shaping: RunningShaping
  readonly #timers: Timers
  readonly #beganMs: number
  readonly #admission: Admission | undefined

  constructor(shaping: RunningShaping, timers: Timers) {
    this.#shaping = shaping
    this.#timers = timers
    this.#beganMs = timers.nowMs() - shaping.elapsedMs
    this.#admission = shaping.kind === 'recovery' ? new Admission(shaping, shaping.elapsedMs) : undefined
  }

  /** Let a request in that arrives now, or not. */
  admits(): boolean {
    return this.#admission === undefined || this.#admission.admits(this.#elapsedMs)
  }

  /** The fields that an answer of the application gets: a rising share of good ones tells to stay away. */
  addedFields(status: number, settings: RetrySettings, random: () => number): readonly string[] {
    const shaping = this.#shaping
    if (shaping.kind !== 'soft' || status < 200 || status > 299) return []
    if (random() >= softShare(this.#elapsedMs, shaping)) return []
    return softFields(settings, shaping.lastsMs, random)
  }

  get #elapsedMs(): number {
    return this.#timers.nowMs() - this.#beganMs
  }
}
