/** How slow a sender may be. */
export interface PaceLimits {
  /** 0: as slow as it likes. */
  readonly leastBytesPerSecond: number
  /** How long it is waited for, in all, before its pace is judged, and judged again. */
  readonly judgedAfterMs: number
}

/** What a line of a modem brings; a sender that is slower keeps a connection open rather than sending anything. */
export const usualPace: PaceLimits = { leastBytesPerSecond: 1024, judgedAfterMs: 30_000 }

/** Judges a sender by what came while it was waited for: a reader that takes its time makes no sender slow. */
export class Pace {
  readonly limits: PaceLimits
  #waitedMs = 0
  #arrivedBytes = 0

  constructor(limits: PaceLimits = usualPace) {
    this.limits = limits
  }

  /** Note that bytes came after a wait; tells the bytes per second when they are too few. */
  tooSlow(waitedMs: number, arrivedBytes: number): number | undefined {
    this.#waitedMs += waitedMs
    this.#arrivedBytes += arrivedBytes
    if (this.#waitedMs < this.limits.judgedAfterMs) return undefined
    const bytesPerSecond = (this.#arrivedBytes * 1000) / this.#waitedMs
    this.#waitedMs = 0
    this.#arrivedBytes = 0
    return bytesPerSecond < this.limits.leastBytesPerSecond ? bytesPerSecond : undefined
  }
}
