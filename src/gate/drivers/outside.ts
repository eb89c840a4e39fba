import { type ReleaseError, toReleaseError } from '../../core/error.ts'
import type { Address } from '../front/address.ts'
import type { DrainLimits } from '../front/flights.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { Drained, Gate, GateOverlap, ServiceDoor, ServicePlace } from '../gate.ts'
import type { GateMode } from '../machine/machine.ts'
import type { RunningShaping } from '../machine/shaping.ts'
import { systemTimers, type Timers } from '../machine/timers.ts'
import type { Observer } from '../observe/observer.ts'
import { freeLoopbackPort } from './loopback-port.ts'
import { OutsideDoor } from './outside-door.ts'
import { openProxyGate } from './proxy.ts'
import type { Route, Router } from './router.ts'
import { makeWaitingFolder, shareWaitingSocket, type WaitingPlace, waitingAddress } from './waiting-socket.ts'

/** How often it is looked whether the server in front still does what it was told: it may have been restarted. */
const repairMs = 1000
/** How soon it is told again after it could not be. */
const troubledMs = 250
/** How soon it is looked again whether those who waited are on their way. */
const releasedCheckMs = 10
/** How often the server is asked what it has in flight. */
const drainCheckMs = 10

/** What stands in front, and how requests wait. */
export interface OutsideGateOptions {
  readonly router: Router
  readonly place: WaitingPlace
  /** Where clients reach the server in front. */
  readonly address: Address
  readonly settings: FrontSettings
  readonly runFolder: string
  readonly mode: GateMode
  /** A service is about to be started: requests wait for it. */
  readonly expectsService: boolean
  readonly tell: OutsideOptions['tell']
  readonly observer?: Observer | undefined
}

/**
 * Open the gate of an application before which a server of the machine stands.
 *
 * Post: requests go to the waiting room until the application is there; a server that does not run, or has not our part in its
 * configuration yet, is told to `tell` and tried again. Errors: GATE_SERVER_SETTINGS, GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID.
 */
export async function openOutsideGate(options: OutsideGateOptions): Promise<Gate> {
  const { router, place, settings, runFolder, mode, expectsService, address, tell, observer } = options
  makeWaitingFolder(place)
  const waiting = await openProxyGate({
    listening: [{ kind: 'address', address: waitingAddress(place) }],
    settings,
    runFolder,
    // nginx has to be reloaded for another port.
    favouredPort: router.knownPort() ?? (await freeLoopbackPort(undefined)),
    mode,
    expectsService,
    observer,
  })
  shareWaitingSocket(place)
  const gate = new OutsideGate({ router, waiting, address, timers: systemTimers, mode, tell })
  await gate.open()
  return gate
}

/** What a gate of another server is made of. */
export interface OutsideOptions {
  readonly router: Router
  /** A gate in the path that listens where requests wait: it holds, answers and releases, and knows the application. */
  readonly waiting: Gate
  /** Where clients reach the server in front. */
  readonly address: Address
  readonly timers: Timers
  readonly mode: GateMode
  /** Told when the server in front does not do what it should, and when it does again. */
  readonly tell: (trouble: ReleaseError | undefined) => void
}

/**
 * Be the gate of an application before which a server of the machine stands, HAProxy or nginx.
 *
 * In mode pass their requests go to the application and no byte of them through us. Otherwise, and while the application is not there or
 * two releases run, they go to the waiting room: a gate of ours in the path on a private socket. To hold, the server is told first, then
 * what the application still has is waited for; to pass, the waiting room lets go what it holds, and then the server is told. Between
 * both a request may come either way and finds the application. A server that cannot be told to pass loses nothing: all goes on through us.
 */
export class OutsideGate implements Gate {
  readonly kind: Router['kind']
  readonly address: Address
  readonly overlap: GateOverlap | undefined
  readonly #options: OutsideOptions
  #mode: GateMode
  #live: OutsideDoor
  /** While two releases run, all requests come through us. */
  #beside: OutsideDoor | undefined
  #isRelayed = false
  /** Until then answers are changed or requests counted out on their way through us. */
  #shapedUntilMs = 0
  #followed: Route | undefined
  #trouble: ReleaseError | undefined
  /** The server is told one thing after the other. */
  #queue: Promise<unknown> = Promise.resolve()
  #isClosed = false
  #cancelCheck = () => {}

  constructor(options: OutsideOptions) {
    this.#options = options
    this.kind = options.router.kind
    this.address = options.address
    this.#mode = options.mode
    this.#live = this.#door(options.waiting)
    this.overlap = options.waiting.overlap && this.#overlapOf(options.waiting.overlap)
  }

  /** Bring the server in line with the mode, and see to it from now on. Post: never rejects; what fails is told, and tried again. */
  async open(): Promise<void> {
    try {
      await this.#options.router.prepare()
    } catch (caught) {
      this.#tell(toReleaseError(caught))
    }
    await this.#settleInOrder()
  }

  probeAddress(): Address {
    return this.#live.probeAddress()
  }

  configure(settings: FrontSettings): void {
    this.#options.waiting.configure(settings)
  }

  /**
   * Act on a mode.
   *
   * Post: hold and backoff are in effect. Pass is in effect for clients; the way through us is left as soon as nobody waits there.
   * Errors: GATE_SERVER_UNREACHABLE, GATE_SERVER_REFUSED, then everything is as before. A server that is away has no clients: it may be
   * drained, it may be left in the waiting room, and it is told to pass when it is back.
   */
  async enter(mode: GateMode, shaping?: RunningShaping): Promise<void> {
    const before = this.#mode
    const isTurnedAway = this.#followed?.kind === 'waiting'
    this.#shapedUntilMs = shaping === undefined ? 0 : this.#options.timers.nowMs() + shaping.lastsMs - shaping.elapsedMs
    await this.#become(mode, shaping)
    if (mode === 'pass') return this.#settleSoon()
    try {
      await this.#inOrder(async () => {
        if (mode !== 'drain') await this.#options.router.assertReaching()
        await this.#follow({ kind: 'waiting' })
      })
    } catch (caught) {
      const error = toReleaseError(caught)
      this.#tell(error)
      if (error.code === 'GATE_SERVER_UNREACHABLE' && (isTurnedAway || mode === 'drain')) return
      await this.#become(before)
      this.#settleSoon()
      throw error
    }
  }

  /** Wait until the application has no request of ours and none of the server's. The server does not tell streams from requests: both have `timeoutMs`. */
  async drain(limits: DrainLimits): Promise<Drained> {
    const [ours, theirs] = await Promise.all([
      this.#options.waiting.drain(limits),
      this.#untilEmpty(this.#live.probeAddress(), limits.timeoutMs),
    ])
    if (theirs.ok && this.#mode !== 'pass') await this.#inOrder(() => this.#rest())
    return {
      ok: ours.ok && theirs.ok,
      evidence: `${ours.evidence} here, ${theirs.evidence} at ${this.kind}`,
    }
  }

  prepareService(kind: 'port' | 'socket'): Promise<ServicePlace> {
    return this.#live.prepareService(kind)
  }

  serviceStarted(): void {
    this.#live.serviceStarted()
  }

  serviceStopping(): void {
    this.#live.serviceStopping()
  }

  serviceEnded(returns: boolean): void {
    this.#live.serviceEnded(returns)
  }

  /** All requests come through us while another gate answers them. */
  relay(to: Address | undefined): void {
    this.#options.waiting.relay?.(to)
    this.#isRelayed = to !== undefined
    this.#settleSoon()
  }

  /** What came through us; the server counts the rest. */
  counters() {
    return this.#options.waiting.counters()
  }

  /** Close the waiting room. The server is left as it is: whoever drained before has it send requests here, where nobody answers any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelCheck()
    await this.#queue
    await this.#options.waiting.close()
  }

  #door(inner: ServiceDoor): OutsideDoor {
    return new OutsideDoor(inner, this.#options.timers, () => this.#settleSoon())
  }

  #overlapOf(inner: GateOverlap): GateOverlap {
    return {
      canRoute: inner.canRoute,
      live: () => this.#live,
      open: () => {
        this.#beside = this.#door(inner.open())
        this.#settleSoon()
        return this.#beside
      },
      route: inner.route,
      promote: async () => {
        await inner.promote()
        if (this.#beside === undefined) return
        const before = this.#live
        this.#live = this.#beside
        this.#beside = before
        this.#settleSoon()
      },
      drain: async limits => {
        const place = this.#beside?.probeAddress()
        if (place === undefined) return inner.drain(limits)
        await this.#settleInOrder()
        const [ours, theirs] = await Promise.all([inner.drain(limits), this.#untilEmpty(place, limits.timeoutMs)])
        return { ok: ours.ok && theirs.ok, evidence: `${ours.evidence} here, ${theirs.evidence} at ${this.kind}` }
      },
      close: () => {
        inner.close()
        this.#beside = undefined
        this.#settleSoon()
      },
      figures: inner.figures,
    }
  }

  async #become(mode: GateMode, shaping?: RunningShaping): Promise<void> {
    this.#mode = mode
    await this.#options.waiting.enter(mode, shaping)
  }

  /** Whether the server may send requests to the application itself, once nobody waits any more. */
  get #isReady(): boolean {
    const isShaped = this.#options.timers.nowMs() < this.#shapedUntilMs
    return this.#mode === 'pass' && this.#live.accepts && this.#beside === undefined && !this.#isRelayed && !isShaped
  }

  #wanted(): Route {
    const place = this.#live.probeAddress()
    const isReleased = this.#options.waiting.counters().heldNow === 0
    return this.#isReady && isReleased && place.kind === 'tcp' ? { kind: 'application', place } : { kind: 'waiting' }
  }

  async #follow(route: Route): Promise<void> {
    this.#followed = undefined
    await this.#options.router.follow(route)
    this.#followed = route
    this.#tell(undefined)
  }

  async #settle(): Promise<void> {
    const wanted = this.#wanted()
    try {
      const { router } = this.#options
      const isFollowed = isSameRoute(wanted, this.#followed) && (await router.isFollowed(wanted))
      if (!isFollowed) await this.#follow(wanted)
      // What was sent there just before, and cannot arrive any more, comes to us as well.
      if (wanted.kind === 'waiting' && !this.#live.accepts) await router.rest()
    } catch (caught) {
      this.#tell(toReleaseError(caught))
    } finally {
      this.#checkLater()
    }
  }

  #settleInOrder(): Promise<void> {
    return this.#inOrder(() => this.#settle())
  }

  #settleSoon(): void {
    if (!this.#isClosed) void this.#settleInOrder()
  }

  #checkLater(): void {
    this.#cancelCheck()
    if (this.#isClosed) return
    const isReleasing = this.#isReady && this.#options.waiting.counters().heldNow > 0
    const waitMs = isReleasing ? releasedCheckMs : this.#trouble === undefined ? repairMs : troubledMs
    this.#cancelCheck = this.#options.timers.after(waitMs, () => this.#settleSoon())
  }

  async #rest(): Promise<void> {
    try {
      await this.#options.router.rest()
    } catch (caught) {
      this.#tell(toReleaseError(caught))
    }
  }

  /** Twice, for a request that was routed a moment ago may not be there yet. */
  async #untilEmpty(place: Address, timeoutMs: number): Promise<Drained> {
    const { timers, router } = this.#options
    const endMs = timers.nowMs() + timeoutMs
    try {
      for (let empty = 0; ; ) {
        const count = await router.inFlight(place)
        empty = count === 0 ? empty + 1 : 0
        if (empty === 2 || timers.nowMs() >= endMs) return { ok: count === 0, evidence: `${count} in flight` }
        await new Promise<void>(resolve => timers.after(drainCheckMs, resolve))
      }
    } catch (caught) {
      const error = toReleaseError(caught)
      return { ok: false, evidence: `what is in flight is not known (${error.message})` }
    }
  }

  #tell(trouble: ReleaseError | undefined): void {
    if (trouble?.message === this.#trouble?.message) return
    this.#trouble = trouble
    this.#options.tell(trouble)
  }

  #inOrder<Result>(operation: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(operation)
    this.#queue = result.catch(() => {})
    return result
  }
}

function isSameRoute(a: Route, b: Route | undefined): boolean {
  if (a.kind === 'waiting' || b === undefined || b.kind === 'waiting') return a.kind === b?.kind
  return a.place.host === b.place.host && a.place.port === b.place.port
}
