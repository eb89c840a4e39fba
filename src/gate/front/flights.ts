import type { Upstream } from '../http1/upstream.ts'
import type { Timers } from '../machine/timers.ts'
import type { Tally } from '../observe/tally.ts'
import type { Exchange, ForwardEnd, ForwardFigures } from './exchange.ts'

/** What a flight asks for and tells besides what is counted. */
export interface FlightHooks {
  readonly closes: () => boolean
  /** Nothing was sent: the exchange is the caller's again. */
  readonly unsent: () => void
  /** It ended in another way. */
  readonly ended: (end: Exclude<ForwardEnd, 'unsent'>, figures: ForwardFigures) => void
  /** See {@link ForwardHooks.addedFields}. */
  readonly addedFields: (status: number) => readonly string[]
}

/** How long what is in flight may take to end. Times in milliseconds. */
export interface DrainLimits {
  readonly timeoutMs: number
  /** How long streams may go on. */
  readonly streamsMs: number
  /** Over how long their ends are spread after that, so that not all clients come back at once; at once when absent. */
  readonly spreadMs?: number
}

/** How a drain ended. */
export interface Drained {
  readonly ok: boolean
  readonly evidence: string
}

/** How the requests ended that a release had: those that were answered or should have been, and those among them that failed or were 5xx. */
export interface AnswerFigures {
  readonly answers: number
  readonly failures: number
}

/** Follow the requests that one release has: count them, and end them when it is to be emptied. */
export class Flights {
  readonly #tally: Tally
  readonly #timers: Timers
  readonly #streams = new Set<() => void>()
  readonly #waiters = new Set<() => void>()
  #inFlight = 0
  #answers = 0
  #failures = 0

  constructor(tally: Tally, timers: Timers) {
    this.#tally = tally
    this.#timers = timers
  }

  get figures(): AnswerFigures {
    return { answers: this.#answers, failures: this.#failures }
  }

  /** Hand an exchange to the application. */
  forward(exchange: Exchange, upstream: Upstream, hooks: FlightHooks): void {
    let endStream: (() => void) | undefined
    this.#count(1)
    exchange.forward(upstream, {
      closes: hooks.closes,
      addedFields: hooks.addedFields,
      becameStream: end => {
        endStream = end
        this.#streams.add(end)
        this.#count(-1)
        this.#tally.streams += 1
        this.#changed()
      },
      ended: (how, figures) => {
        if (endStream === undefined) this.#count(-1)
        else if (this.#streams.delete(endStream)) this.#tally.streams -= 1
        if (how === 'abandoned' && endStream === undefined) this.#tally.abandoned += 1
        if (how === 'answered' || how === 'failed') this.#answers += 1
        if (how === 'failed' || (how === 'answered' && figures.status >= 500)) this.#failures += 1
        if (how === 'unsent') hooks.unsent()
        else hooks.ended(how, figures)
        this.#changed()
      },
    })
  }

  /**
   * Wait until nothing is in flight, at most `timeoutMs`; streams are ended in good order after `streamsMs`, if that is sooner, the oldest
   * first and evenly over `spreadMs`, as far as there is time.
   *
   * Post: nothing is cut that is not a stream: what still runs is left to the application's own way of stopping. `ok` tells whether
   * all ended in time.
   */
  async drain(limits: DrainLimits): Promise<Drained> {
    const streamsMs = Math.min(limits.streamsMs, limits.timeoutMs)
    let endedStreams = 0
    let cancel = this.#timers.after(streamsMs, () => {
      const ends = [...this.#streams]
      const everyMs = Math.min(limits.spreadMs ?? 0, limits.timeoutMs - streamsMs) / Math.max(1, ends.length)
      const endNext = () => {
        // Without a spread all of them at once.
        do {
          if (this.#endStream(ends.shift())) endedStreams += 1
        } while (everyMs === 0 && ends.length > 0)
        if (ends.length > 0) cancel = this.#timers.after(everyMs, endNext)
      }
      endNext()
    })
    await this.#until(() => this.#inFlight === 0 && this.#streams.size === 0, limits.timeoutMs)
    cancel()
    const left = this.#inFlight
    const streams = endedStreams === 0 ? '' : `, ${endedStreams} streams ended`
    return { ok: left === 0, evidence: `${left} in flight${streams}` }
  }

  /** End every stream in good order. */
  endStreams(): void {
    for (const end of [...this.#streams]) this.#endStream(end)
  }

  /** Post: whether it still went on. */
  #endStream(end: (() => void) | undefined): boolean {
    if (end === undefined || !this.#streams.has(end)) return false
    end()
    return true
  }

  #count(more: 1 | -1): void {
    this.#inFlight += more
    this.#tally.inFlight += more
  }

  #until(isReached: () => boolean, timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const finish = () => {
        cancel()
        this.#waiters.delete(check)
        resolve()
      }
      const check = () => {
        if (isReached()) finish()
      }
      const cancel = this.#timers.after(timeoutMs, finish)
      this.#waiters.add(check)
      check()
    })
  }

  #changed(): void {
    for (const check of [...this.#waiters]) check()
  }
}
