import { type Clock, delay, systemClock } from './clock.ts'

/** What a limit reads time from and waits by; tests bring their own. */
export interface RateLimitTools {
  readonly clock: Pick<Clock, 'elapsedMs'>
  readonly wait: (durationMs: number, signal?: AbortSignal) => Promise<void>
}

/** No piece takes the line for longer than this, so that transfers share it evenly and none looks stalled. */
const longestPieceMs = 250

/** A bandwidth limit that all transfers share which are given it. */
export class RateLimit {
  readonly bytesPerSecond: number
  readonly #tools: RateLimitTools
  #freeAtMs = Number.NEGATIVE_INFINITY

  constructor(bytesPerSecond: number, tools: RateLimitTools = { clock: systemClock, wait: delay }) {
    this.bytesPerSecond = bytesPerSecond
    this.#tools = tools
  }

  /**
   * Hand on bytes no faster than the limit allows.
   *
   * Shape: the same bytes, in pieces that may be smaller. Errors: those of `pieces`; the signal's reason.
   */
  async *limit(pieces: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const largestBytes = Math.max(1, Math.floor((this.bytesPerSecond * longestPieceMs) / 1000))
    for await (const piece of pieces) {
      for (let start = 0; start < piece.byteLength; start += largestBytes) {
        const part = piece.subarray(start, start + largestBytes)
        await this.#take(part.byteLength, signal)
        yield part
      }
    }
  }

  /** Whoever asks first goes first: each reserves the line from when it is free, and waits until then. */
  async #take(sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
    const nowMs = this.#tools.clock.elapsedMs()
    const startMs = Math.max(nowMs, this.#freeAtMs)
    this.#freeAtMs = startMs + (sizeBytes / this.bytesPerSecond) * 1000
    if (startMs > nowMs) await this.#tools.wait(startMs - nowMs, signal)
  }
}
