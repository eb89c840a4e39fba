import { toReleaseError } from '../../core/error.ts'
import type { HandedSocket } from '../../sys/process.ts'
import type { Address } from '../front/address.ts'
import type { DrainLimits } from '../front/flights.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { Drained, Gate, GateOverlap, GateSuccession, ServiceDoor, ServicePlace } from '../gate.ts'
import type { GateMode } from '../machine/machine.ts'
import type { RunningShaping } from '../machine/shaping.ts'
import { systemTimers, type Timers } from '../machine/timers.ts'
import type { Observer } from '../observe/observer.ts'
import { freeLoopbackPort } from './loopback-port.ts'
import { OutsideDoor } from './outside-door.ts'
import { openProxyGate } from './proxy.ts'
import { RouteKeeper, type RouteKeeperOptions, type WantedRoute } from './route-keeper.ts'
import type { Router } from './router.ts'
import { makeWaitingFolder, openWaitingSocket, shareWaitingSocket, type WaitingPlace } from './waiting-socket.ts'

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
  /** Told when the server in front does not do what it should, and when it does again. */
  readonly tell: RouteKeeperOptions['tell']
  /** The waiting room's socket, of a process before us. */
  readonly inherited?: HandedSocket | undefined
  /** Where the application accepts already, for a process before us. */
  readonly servicePlace?: Address | undefined
  readonly observer?: Observer | undefined
}

/**
 * Open the gate of an application before which a server of the machine stands.
 *
 * Post: requests go to the waiting room until the application is there; a server that does not run, or has not our part in its
 * configuration yet, is told to `tell` and tried again. Errors: GATE_SERVER_SETTINGS, GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID.
 */
export async function openOutsideGate(options: OutsideGateOptions): Promise<Gate> {
  const { router, place, settings, runFolder, mode, expectsService, address, tell, observer, servicePlace } = options
  makeWaitingFolder(place)
  const ports = await twoPorts(router.knownPorts())
  const { listening, sockets } = await openWaitingSocket(place, options.inherited)
  const waiting = await openProxyGate({
    listeners: [{ listening }],
    sockets,
    servicePlace,
    settings,
    runFolder,
    favouredPorts: ports,
    mode,
    expectsService,
    observer,
  })
  if (options.inherited === undefined) shareWaitingSocket(place)
  const gate = new OutsideGate({ router, waiting, address, timers: systemTimers, mode, tell })
  await gate.open(ports)
  return gate
}

/** The ports of an application from version to version: nginx has to be reloaded for others. */
async function twoPorts(known: readonly number[]): Promise<readonly [number, number]> {
  const [first = await freeLoopbackPort(undefined), second = await freeLoopbackPort(undefined)] = known
  return [first, second]
}

/** What a gate of another server is made of. */
interface OutsideOptions {
  readonly router: Router
  /** A gate in the path that listens where requests wait: it holds, answers and releases, and knows the application. */
  readonly waiting: Gate
  readonly address: Address
  readonly timers: Timers
  readonly mode: GateMode
  readonly tell: RouteKeeperOptions['tell']
}

/**
 * Be the gate of an application before which a server of the machine stands, HAProxy or nginx.
 *
 * In mode pass their requests go to the application and no byte of them through us. Otherwise, and while the application is not there or
 * two releases run, they go to the waiting room: a gate of ours in the path on a private socket. To hold, the server is told first, then
 * what the application still has is waited for; to pass, the waiting room lets go what it holds, and then the server is told. Between
 * both a request may come either way and finds the application. A server that cannot be told to pass loses nothing: all goes on through us.
 */
class OutsideGate implements Gate {
  readonly kind: Router['kind']
  readonly address: Address
  readonly overlap: GateOverlap | undefined
  readonly #waiting: Gate
  readonly #timers: Timers
  readonly #keeper: RouteKeeper
  #mode: GateMode
  #live: OutsideDoor
  /** While two releases run, all requests come through us. */
  #beside: OutsideDoor | undefined
  #isRelayed = false
  /** Until then answers are changed or requests counted out on their way through us. */
  #shapedUntilMs = 0

  constructor({ router, waiting, address, timers, mode, tell }: OutsideOptions) {
    this.kind = router.kind
    this.address = address
    this.#waiting = waiting
    this.#timers = timers
    this.#mode = mode
    this.#keeper = new RouteKeeper({ router, timers, tell, wanted: () => this.#wanted() })
    this.#live = this.#door(waiting.overlap?.live() ?? waiting)
    this.overlap = waiting.overlap && this.#overlapOf(waiting.overlap)
  }

  /** Bring the server in line with the mode, and see to it from now on. Post: never rejects. */
  open(ports: readonly [number, number]): Promise<void> {
    return this.#keeper.open(ports)
  }

  probeAddress(): Address {
    return this.#live.probeAddress()
  }

  configure(settings: FrontSettings): void {
    this.#waiting.configure(settings)
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
    const { leadsHere } = this.#keeper
    this.#shapedUntilMs = shaping === undefined ? 0 : this.#timers.nowMs() + shaping.lastsMs - shaping.elapsedMs
    await this.#become(mode, shaping)
    if (mode === 'pass') return this.#keeper.settleSoon()
    try {
      await this.#keeper.turnAway(mode !== 'drain')
    } catch (caught) {
      const { code } = toReleaseError(caught)
      if (code === 'GATE_SERVER_UNREACHABLE' && (leadsHere || mode === 'drain')) return
      await this.#become(before)
      this.#keeper.settleSoon()
      throw caught
    }
  }

  /** Wait until the application has no request of ours and none of the server's. The server does not tell streams from requests: both have `timeoutMs`. */
  async drain(limits: DrainLimits): Promise<Drained> {
    const drained = await this.#drainBoth(this.#waiting.drain(limits), this.#live, limits)
    if (drained.ok && this.#mode !== 'pass') await this.#keeper.rest()
    return drained
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
    this.#waiting.relay?.(to)
    this.#isRelayed = to !== undefined
    this.#keeper.settleSoon()
  }

  /** The waiting room's socket is what is handed on; the server in front notices nothing, and is told by whoever goes on. */
  succession(): GateSuccession | undefined {
    const inner = this.#waiting.succession?.()
    if (inner === undefined) return undefined
    return {
      sockets: inner.sockets,
      leave: to => {
        void this.#keeper.stop()
        return inner.leave(to)
      },
      drain: limits => inner.drain(limits),
      end: () => inner.end(),
    }
  }

  async answerFor(socket: Address): Promise<void> {
    await this.#waiting.answerFor?.(socket)
  }

  /** What came through us; the server counts the rest. */
  counters() {
    return this.#waiting.counters()
  }

  isUpstreamUp(): boolean {
    return this.#waiting.isUpstreamUp?.() === true
  }

  /** Close the waiting room. The server is left as it is: whoever drained before has it send requests here, where nobody answers any more. */
  async close(): Promise<void> {
    await this.#keeper.stop()
    await this.#waiting.close()
  }

  #door(inner: ServiceDoor): OutsideDoor {
    return new OutsideDoor(inner, this.#timers, () => this.#keeper.settleSoon())
  }

  #overlapOf(inner: GateOverlap): GateOverlap {
    return {
      canRoute: inner.canRoute,
      live: () => this.#live,
      open: () => {
        this.#beside = this.#door(inner.open())
        this.#keeper.settleSoon()
        return this.#beside
      },
      route: inner.route,
      promote: async () => {
        await inner.promote()
        if (this.#beside === undefined) return
        const before = this.#live
        this.#live = this.#beside
        this.#beside = before
        this.#keeper.settleSoon()
      },
      drain: async limits => {
        if (this.#beside === undefined) return inner.drain(limits)
        await this.#keeper.settle()
        return this.#drainBoth(inner.drain(limits), this.#beside, limits)
      },
      close: () => {
        inner.close()
        this.#beside = undefined
        this.#keeper.settleSoon()
      },
      figures: inner.figures,
    }
  }

  async #become(mode: GateMode, shaping?: RunningShaping): Promise<void> {
    this.#mode = mode
    await this.#waiting.enter(mode, shaping)
  }

  async #drainBoth(draining: Promise<Drained>, door: OutsideDoor, { timeoutMs }: DrainLimits): Promise<Drained> {
    const [ours, theirs] = await Promise.all([draining, this.#keeper.untilEmpty(door.probeAddress(), timeoutMs)])
    return { ok: ours.ok && theirs.ok, evidence: `${ours.evidence} here, ${theirs.evidence} at ${this.kind}` }
  }

  #wanted(): WantedRoute {
    const place = this.#live.probeAddress()
    const isAway = !this.#live.accepts
    const isShaped = this.#timers.nowMs() < this.#shapedUntilMs
    const isReady = this.#mode === 'pass' && !isAway && this.#beside === undefined && !this.#isRelayed && !isShaped
    const waits = this.#waiting.counters().heldNow > 0
    const leadsOn = isReady && !waits && place.kind === 'tcp'
    return {
      route: leadsOn ? { kind: 'application', place } : { kind: 'waiting' },
      isReleasing: isReady && waits,
      isAway,
    }
  }
}
