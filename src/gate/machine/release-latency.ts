/** How far back answers count. */
const windowMs = 1000

/** A request that was released, until its answer begins. */
export interface Released {
  readonly atMs: number
}

/**
 * Know how long the answers to released requests take to begin.
 *
 * Knows no time: the caller says what time it is.
 */
export class ReleaseLatency {
  readonly #unanswered = new Set<Released>()
  #answers: { readonly atMs: number; readonly latencyMs: number }[] = []

  /** A request was released. Give it to {@link answered} or to {@link forget}. */
  released(nowMs: number): Released {
    const released = { atMs: nowMs }
    this.#unanswered.add(released)
    return released
  }

  /** Its answer begins. */
  answered(released: Released, nowMs: number): void {
    if (this.#unanswered.delete(released)) this.#answers.push({ atMs: nowMs, latencyMs: nowMs - released.atMs })
  }

  /** It ended without an answer. */
  forget(released: Released): void {
    this.#unanswered.delete(released)
  }

  /**
   * The median of how long answers took that began within the last second, and of how long those have waited that have none yet;
   * undefined when there are neither. So a version that answers nothing at all counts as a slow one.
   */
  recentMs(nowMs: number): number | undefined {
    this.#answers = this.#answers.filter(({ atMs }) => nowMs - atMs < windowMs)
    const all = this.#answers.map(({ latencyMs }) => latencyMs)
    for (const { atMs } of this.#unanswered) all.push(nowMs - atMs)
    all.sort((a, b) => a - b)
    return all[Math.floor((all.length - 1) / 2)]
  }
}
