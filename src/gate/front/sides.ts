import type { UpstreamSettings } from '../http1/limits.ts'
import type { Timers } from '../machine/timers.ts'
import type { Tally } from '../observe/tally.ts'
import type { Exchange } from './exchange.ts'
import { Flights } from './flights.ts'
import { chooseRoute, type Routing } from './routes.ts'
import { ServiceWatch } from './service-watch.ts'

/** One release behind a front: whether it accepts, and what it has in flight. */
export interface Side {
  readonly service: ServiceWatch
  readonly flights: Flights
}

/** The side that a request goes to. */
export interface Chosen {
  readonly side: Side
  readonly isBeside: boolean
  /** Fields to add to its answer. */
  readonly fields: readonly string[]
}

/** What the sides of a front share. */
export interface SidesOptions {
  readonly tally: Tally
  readonly timers: Timers
  readonly random: () => number
  /** Called when a side begins or ceases to accept, or another becomes the live one. */
  readonly changed: () => void
  /** How the services behind the sides are reached. */
  readonly upstream: () => UpstreamSettings
}

/** The releases behind a front: the live one, and while two run side by side another. */
export class Sides {
  readonly #options: SidesOptions
  #live: Side
  #beside: Side | undefined
  #routing: Routing | undefined
  readonly #waiters = new Set<() => void>()

  constructor(options: SidesOptions) {
    this.#options = options
    this.#live = this.#newSide()
  }

  get live(): Side {
    return this.#live
  }

  get beside(): Side | undefined {
    return this.#beside
  }

  /** Begin a side beside the live one; nothing is routed there yet. Pre: there is none. */
  open(): Side {
    this.#beside = this.#newSide()
    return this.#beside
  }

  /** Share requests out between both from now on; undefined: all go to the live side. */
  route(routing: Routing | undefined): void {
    this.#routing = routing
  }

  /** Wait until the side beside accepts, at most so long: who is told of its health may be sooner than we. */
  untilBesideAccepts(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const check = () => {
        if (this.#beside?.service.state === 'down') return
        cancel()
        this.#waiters.delete(check)
        resolve()
      }
      const cancel = this.#options.timers.after(timeoutMs, () => {
        this.#waiters.delete(check)
        resolve()
      })
      this.#waiters.add(check)
      check()
    })
  }

  /** Have all requests go to the side beside, which is the live one then, and the other beside. What is in flight stays where it is. */
  promote(): void {
    if (this.#beside === undefined) return
    this.#routing = undefined
    const before = this.#live
    this.#live = this.#beside
    this.#beside = before
    this.#changed()
  }

  /** Give up the side beside. Pre: its service has ended. */
  close(): void {
    this.#routing = undefined
    this.#beside?.service.absent()
    this.#beside = undefined
  }

  /** Choose the side of a request. A side beside that does not accept gets none. */
  choose(exchange: Exchange, wantsBeside: boolean): Chosen {
    const beside = this.#beside
    if (beside === undefined || this.#routing === undefined || beside.service.state !== 'up') return this.#toLive()
    if (wantsBeside) return { side: beside, isBeside: true, fields: [] }
    const request = { cookies: exchange.field('cookie'), address: exchange.origin.remoteAddress }
    const { isBeside, setCookie } = chooseRoute(request, this.#routing, this.#options.random)
    const fields = setCookie === undefined ? [] : ['Set-Cookie', setCookie]
    return { side: isBeside ? beside : this.#live, isBeside, fields }
  }

  #changed(): void {
    for (const check of [...this.#waiters]) check()
    this.#options.changed()
  }

  #toLive(): Chosen {
    return { side: this.#live, isBeside: false, fields: [] }
  }

  #newSide(): Side {
    const { tally, timers, upstream } = this.#options
    return { service: new ServiceWatch(timers, () => this.#changed(), upstream), flights: new Flights(tally, timers) }
  }
}
