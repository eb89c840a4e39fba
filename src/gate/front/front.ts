import type http from 'node:http'
import { type Answer, healthyAnswer } from '../answers/answer.ts'
import { backoffAnswer } from '../answers/backoff.ts'
import type { GateCounters } from '../control/protocol.ts'
import { createGateServer, type Listening, listen, stopAccepting } from '../http1/server.ts'
import { decide } from '../machine/decide.ts'
import type { GateMode } from '../machine/machine.ts'
import type { Held } from '../machine/queue.ts'
import type { Timers } from '../machine/timers.ts'
import { WaitingRoom } from '../machine/waiting.ts'
import { newTally, type Tally } from '../observe/tally.ts'
import type { Address } from './address.ts'
import type { Exchange } from './exchange.ts'
import type { FrontSettings } from './settings.ts'
import { type Chosen, Sides } from './sides.ts'

/** A request that waits, with what stops listening for its client to hang up. */
interface Waiter {
  readonly exchange: Exchange
  readonly stopListening: () => void
}

export interface FrontOptions {
  readonly settings: FrontSettings
  readonly timers: Timers
  readonly random: () => number
  /** Every answer ends its connection: for a gate that stands in for a moment only (handover). */
  readonly closesConnections: boolean
}

/**
 * The data path of a gate: accepts, and forwards, holds or turns away, by the mode and by whether the application is there.
 *
 * The route is decided when a request is released, not when it arrives, so that held requests reach the new version.
 */
export class Front {
  readonly #options: FrontOptions
  readonly #servers: http.Server[] = []
  readonly #tally: Tally = newTally()
  readonly #waiting: WaitingRoom<Waiter>
  /** The releases behind it. */
  readonly sides: Sides
  #settings: FrontSettings
  #mode: GateMode = 'pass'

  constructor(options: FrontOptions) {
    this.#options = options
    this.#settings = options.settings
    this.sides = new Sides({
      tally: this.#tally,
      timers: options.timers,
      random: options.random,
      changed: () => this.#settle(),
    })
    this.#waiting = new WaitingRoom(options.settings.hold, options.timers, {
      release: held => this.#leave(held),
      expire: held => this.#backOff(held.item.exchange, held),
    })
  }

  /** Begin to accept at one more place. Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID. */
  listen(listening: Listening): Promise<Address> {
    const server = createGateServer(exchange => this.#arrive(exchange))
    this.#servers.push(server)
    return listen(server, listening)
  }

  /** Stop accepting everywhere; connections that were accepted go on. Post: resolves when all of them have ended. */
  async stopAccepting(): Promise<void> {
    await Promise.all(this.#servers.map(server => new Promise<void>(resolve => stopAccepting(server, resolve))))
  }

  /** End every connection, whatever it does. */
  closeAllConnections(): void {
    for (const server of this.#servers) server.closeAllConnections()
    for (const side of this.#everySide()) side.flights.endStreams()
  }

  /** Behave as another release's recipe says, from the next decision on. */
  configure(settings: FrontSettings): void {
    this.#settings = settings
    this.#waiting.setLimits(settings.hold)
  }

  /** Act on a mode. Pre: the state that it belongs to is persisted. */
  enter(mode: GateMode): void {
    this.#mode = mode
    this.#settle()
  }

  /** There is no application: requests are turned away. */
  serviceAbsent(): void {
    this.sides.live.service.absent()
  }

  /** The application is being started or restarted: requests wait. */
  serviceExpected(): void {
    this.sides.live.service.expected()
  }

  /** The application will accept here as soon as it is up. */
  serviceAt(address: Address): void {
    this.sides.live.service.at(address)
  }

  /** Wait until nothing is in flight; see gate/front/flights.ts. */
  async drain(limits: {
    readonly timeoutMs: number
    readonly streamsMs: number
  }): Promise<{ ok: boolean; evidence: string }> {
    const drained = await Promise.all(this.#everySide().map(side => side.flights.drain(limits)))
    return { ok: drained.every(({ ok }) => ok), evidence: drained.map(({ evidence }) => evidence).join('; ') }
  }

  counters(): GateCounters {
    return { ...this.#tally, heldNow: this.#waiting.length, heldBytes: this.#waiting.sizeBytes }
  }

  #arrive(exchange: Exchange): void {
    this.#tally.requests += 1
    this.#route(exchange, undefined)
  }

  /** A held request's turn has come. */
  #leave(held: Held<Waiter>): void {
    this.#route(held.item.exchange, held)
  }

  #route(exchange: Exchange, held: Held<Waiter> | undefined): void {
    const chosen = this.sides.choose(exchange, false)
    switch (this.#decide(exchange, chosen)) {
      case 'forward':
        this.#forward(exchange, held, chosen)
        break
      case 'hold':
        this.#hold(exchange, held)
        break
      case 'backoff':
        this.#backOff(exchange, held)
        break
      case 'healthy':
        this.#answer(exchange, held, closes => healthyAnswer(closes))
        break
    }
  }

  #decide(exchange: Exchange, { side }: Chosen) {
    return decide(this.#mode, side.service.state, {
      isHealthPath: this.#settings.healthPaths.includes(exchange.path),
      isBypassing: false,
    })
  }

  #forward(exchange: Exchange, held: Held<Waiter> | undefined, { side, fields }: Chosen): void {
    const upstream = side.service.upstream!
    side.flights.forward(exchange, upstream, {
      closes: () => this.#closes(),
      addedFields: () => fields,
      unsent: () => {
        if (held !== undefined) this.#tally.released -= 1
        side.service.refused(upstream)
        this.#route(exchange, held)
      },
    })
    if (held !== undefined) {
      this.#tally.released += 1
      this.#endWait(held)
    }
  }

  /** Let a request wait; one that waited before goes on from its own arrival, whatever the bounds. */
  #hold(exchange: Exchange, before: Held<Waiter> | undefined): void {
    let held: Held<Waiter> | undefined
    const stopListening = exchange.onGone(() => {
      if (held !== undefined && this.#waiting.abandon(held)) this.#tally.abandoned += 1
    })
    const waiter = { exchange, stopListening }
    if (before !== undefined) {
      held = { ...before, item: waiter }
      this.#waiting.putBack(held)
      return
    }
    held = this.#waiting.offer(waiter, exchange.sizeBytes)
    if (held !== undefined) {
      this.#tally.held += 1
      return
    }
    stopListening()
    this.#backOff(exchange, undefined)
  }

  #backOff(exchange: Exchange, held: Held<Waiter> | undefined): void {
    this.#tally.backedOff += 1
    this.#answer(exchange, held, closes =>
      backoffAnswer(
        this.#settings.backoff,
        { path: exchange.path, accept: exchange.field('accept'), closes },
        this.#options.random,
      ),
    )
  }

  #answer(exchange: Exchange, held: Held<Waiter> | undefined, make: (closes: boolean) => Answer): void {
    if (held !== undefined) this.#endWait(held)
    const write = () => exchange.answer(make(this.#closes() || exchange.hasUnreadBody()))
    // A small body arrives with its head but is parsed after it: a turn later the connection need not be closed for it.
    if (exchange.hasUnreadBody()) setImmediate(write)
    else write()
  }

  #endWait(held: Held<Waiter>): void {
    held.item.stopListening()
    const waitedMs = this.#options.timers.nowMs() - held.arrivedMs
    this.#tally.longestHoldMs = Math.max(this.#tally.longestHoldMs, Math.round(waitedMs))
  }

  #everySide() {
    const { live, beside } = this.sides
    return beside === undefined ? [live] : [live, beside]
  }

  #closes(): boolean {
    return this.#options.closesConnections || this.#mode === 'drain'
  }

  /** Bring those who wait in line with the mode and the application's state. */
  #settle(): void {
    const wanted = decide(this.#mode, this.sides.live.service.state, { isHealthPath: false, isBypassing: false })
    if (wanted === 'forward') this.#waiting.startRelease({ perSecond: this.#settings.rampPerSecond })
    else if (wanted === 'hold') this.#waiting.stopRelease()
    else for (const held of this.#waiting.takeAll()) this.#backOff(held.item.exchange, held)
  }
}
