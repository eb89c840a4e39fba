import type net from 'node:net'
import { type Answer, healthyAnswer } from '../answers/answer.ts'
import { backoffAnswer } from '../answers/backoff.ts'
import type { GateCounters } from '../control/protocol.ts'
import { Clients, type Door } from '../edge/clients.ts'
import { createGateServer, type Listening, listen, stopAccepting } from '../http1/server.ts'
import { decide } from '../machine/decide.ts'
import type { GateMode } from '../machine/machine.ts'
import type { RunningShaping } from '../machine/shaping.ts'
import type { Timers } from '../machine/timers.ts'
import type { Observer } from '../observe/observer.ts'
import { newTally, type Tally } from '../observe/tally.ts'
import type { Address } from './address.ts'
import { type Bypass, compileBypass } from './bypass.ts'
import type { Exchange } from './exchange.ts'
import type { Drained, DrainLimits } from './flights.ts'
import { Lobby } from './lobby.ts'
import { Passing } from './passing.ts'
import type { FrontSettings } from './settings.ts'
import { type Chosen, Sides } from './sides.ts'
import { beginVisit, recordOf, recordOfRefusal, type Visit, type VisitEnd } from './visit.ts'

export interface FrontOptions {
  readonly settings: FrontSettings
  readonly timers: Timers
  readonly random: () => number
  /** Every answer ends its connection: for a gate that stands in for a moment only (handover). */
  readonly closesConnections: boolean
  /** Told of each request once it has ended; without one nothing is recorded. */
  readonly observer?: Observer | undefined
  /** Told of what went wrong and is not in the way of any request: a new certificate that cannot be used. */
  readonly warn?: ((error: unknown) => void) | undefined
}

/** HTTP from the first byte on. */
const plainDoor: Door = { proxyProtocol: false, tls: false }

const nobody: Bypass = () => false

/** How a visit ends whose client did not wait for the answer. */
const hungUp: VisitEnd = { status: 499, receivedBytes: 0, sentBytes: 0, outcome: 'abandoned' }

/** How often a gate that goes away looks whether requests are still in the middle of coming. */
const receivingCheckMs = 20

/**
 * The data path of a gate: accepts, and forwards, holds or turns away, by the mode and by whether the application is there.
 *
 * The route is decided when a request is released, not when it arrives, so that held requests reach the new version.
 */
export class Front {
  readonly #options: FrontOptions
  readonly #servers: net.Server[] = []
  readonly #clients: Clients
  readonly #tally: Tally = newTally()
  readonly #lobby: Lobby
  /** The releases behind it. */
  readonly sides: Sides
  #settings: FrontSettings
  #bypass: Bypass
  #mode: GateMode = 'pass'
  #passing: Passing | undefined
  #leftMs: number | undefined

  constructor(options: FrontOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#bypass = bypassOf(options.settings)
    this.#clients = new Clients(options.settings, {
      take: exchange => this.#arrive(exchange),
      refused: (origin, status) => options.observer?.finished(recordOfRefusal(origin, status, Date.now())),
      warn: error => options.warn?.(error),
    })
    this.sides = new Sides({
      tally: this.#tally,
      timers: options.timers,
      random: options.random,
      changed: () => this.#settle(),
      upstream: () => this.#settings.upstream,
    })
    const hooks = {
      leaves: (visit: Visit) => this.#route(visit),
      turnedAway: (visit: Visit) => this.#backOff(visit),
      hungUp: (visit: Visit) => this.#end(visit, hungUp),
    }
    this.#lobby = new Lobby({ ...options, tally: this.#tally, hooks })
  }

  /** Begin to accept at one more place. Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID, GATE_TLS_INVALID, GATE_TLS_KEY_EXPOSED. */
  async listen(listening: Listening, door = plainDoor): Promise<Address> {
    const server = createGateServer(this.#clients.enterBy(door))
    this.#servers.push(server)
    return listen(server, listening)
  }

  /** Read certificates again. */
  reload(): void {
    this.#clients.reload()
  }

  /** Stop accepting everywhere; connections that were accepted go on. Post: resolves when all of them have ended. */
  async stopAccepting(): Promise<void> {
    await Promise.all(this.#servers.map(stopAccepting))
  }

  /** Another process goes on in our place: from now on every answer ends its connection, and that process records what it answers. */
  leave(): void {
    this.#leftMs = this.#options.timers.nowMs()
    this.enter('pass')
    this.#clients.goAway()
  }

  /** End every connection, whatever it does. */
  closeAllConnections(): void {
    this.#clients.closeAll()
    for (const side of this.#everySide()) side.flights.endStreams()
  }

  /** Behave as another release's recipe says, from the next decision on. */
  configure(settings: FrontSettings): void {
    this.#settings = settings
    this.#bypass = bypassOf(settings)
    this.#clients.configure(settings)
    this.#lobby.configure(settings)
  }

  /** Act on a mode, with what shapes it. Pre: the state that it belongs to is persisted. */
  enter(mode: GateMode, shaping?: RunningShaping): void {
    this.#mode = mode
    this.#passing = shaping === undefined ? undefined : new Passing(shaping, this.#options.timers)
    if (mode === 'drain') this.#clients.goAway()
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

  /**
   * Wait until nothing is in flight; see gate/front/flights.ts. In mode drain, in which the gate is about to go away, also until requests
   * have come whole that have begun to: their clients get an answer.
   */
  async drain(limits: DrainLimits): Promise<Drained> {
    const drains = this.#everySide().map(side => side.flights.drain(limits))
    const received = this.#mode === 'drain' ? this.#received(limits.timeoutMs) : undefined
    const drained = await Promise.all(drains)
    await received
    return { ok: drained.every(({ ok }) => ok), evidence: drained.map(({ evidence }) => evidence).join('; ') }
  }

  /** Wait until no request is in the middle of coming. */
  #received(timeoutMs: number): Promise<void> {
    const { nowMs, after } = this.#options.timers
    const untilMs = nowMs() + timeoutMs
    return new Promise(resolve => {
      const look = () => {
        if (this.#clients.receiving === 0 || nowMs() >= untilMs) resolve()
        else after(receivingCheckMs, look)
      }
      look()
    })
  }

  counters(): GateCounters {
    return { ...this.#tally, heldNow: this.#lobby.length, heldBytes: this.#lobby.sizeBytes }
  }

  #arrive(exchange: Exchange): void {
    this.#tally.requests += 1
    const visit = beginVisit(exchange, this.#options.timers.nowMs(), this.#bypass(exchange))
    if (this.#isAdmitted(visit)) this.#route(visit)
    else this.#backOff(visit)
  }

  /** In a recovery not everybody gets in at once; who waited before it was promised to. */
  #isAdmitted(visit: Visit): boolean {
    if (this.#passing === undefined || visit.isBypassing || this.#isHealthPath(visit)) return true
    return this.#passing.admits()
  }

  #route(visit: Visit): void {
    const chosen = this.sides.choose(visit.exchange, visit.isBypassing)
    const request = { isHealthPath: this.#isHealthPath(visit), isBypassing: visit.isBypassing }
    switch (decide(this.#mode, chosen.side.service.state, request)) {
      case 'forward':
        this.#forward(visit, chosen)
        break
      case 'hold':
        if (!this.#lobby.wait(visit)) this.#backOff(visit)
        break
      case 'backoff':
        this.#backOff(visit)
        break
      case 'healthy':
        this.#answer(visit, 'healthy', closes => healthyAnswer(closes))
        break
    }
  }

  #isHealthPath({ exchange }: Visit): boolean {
    return this.#settings.healthPaths.includes(exchange.path)
  }

  #forward(visit: Visit, { side, isBeside, fields }: Chosen): void {
    const upstream = side.service.upstream!
    if (visit.held !== undefined) {
      this.#tally.released += 1
      this.#lobby.end(visit)
    }
    const answer = this.#lobby.watchAnswer(visit)
    visit.isBeside = isBeside
    side.flights.forward(visit.exchange, upstream, {
      closes: () => this.#closes(),
      addedFields: status => {
        answer?.begins()
        return this.#addedFields(status, fields)
      },
      ended: (outcome, figures) => {
        answer?.ends()
        this.#end(visit, { ...figures, outcome })
      },
      unsent: () => {
        answer?.ends()
        if (visit.held !== undefined) this.#tally.released -= 1
        side.service.refused(upstream)
        this.#route(visit)
      },
    })
  }

  #addedFields(status: number, fields: readonly string[]): readonly string[] {
    if (this.#passing === undefined) return fields
    return [...fields, ...this.#passing.addedFields(status, this.#settings.backoff, this.#options.random)]
  }

  #backOff(visit: Visit): void {
    const { exchange } = visit
    this.#tally.backedOff += 1
    this.#answer(visit, 'backed-off', closes => {
      const { method, path } = exchange
      const accepted = { accept: exchange.field('accept'), contentType: exchange.field('content-type') }
      return backoffAnswer(this.#settings.backoff, { method, path, ...accepted, closes }, this.#options.random)
    })
  }

  #answer(visit: Visit, outcome: 'healthy' | 'backed-off', make: (closes: boolean) => Answer): void {
    const { exchange } = visit
    if (visit.held !== undefined) this.#lobby.end(visit)
    const write = () => {
      const answered = make(this.#closes() || exchange.hasUnreadBody())
      exchange.answer(answered)
      const sentBytes = exchange.method === 'HEAD' ? 0 : answered.body.length
      this.#end(visit, { status: answered.status, receivedBytes: 0, sentBytes, outcome })
    }
    // A small body arrives with its head but is parsed after it: a turn later the connection need not be closed for it.
    if (exchange.hasUnreadBody()) setImmediate(write)
    else write()
  }

  #end(visit: Visit, end: VisitEnd): void {
    const { observer, timers } = this.#options
    if (this.#leftMs !== undefined && visit.arrivedMs >= this.#leftMs) return
    observer?.finished(recordOf(visit, end, { nowMs: timers.nowMs(), epochMs: Date.now() }))
  }

  #everySide() {
    const { live, beside } = this.sides
    return beside === undefined ? [live] : [live, beside]
  }

  #closes(): boolean {
    return this.#options.closesConnections || this.#leftMs !== undefined || this.#mode === 'drain'
  }

  /** Bring those who wait in line with the mode and the application's state. */
  #settle(): void {
    this.#lobby.settle(isBypassing =>
      decide(this.#mode, this.sides.live.service.state, { isHealthPath: false, isBypassing }),
    )
  }
}

function bypassOf({ bypass }: FrontSettings): Bypass {
  return bypass === undefined ? nobody : compileBypass(bypass)
}
