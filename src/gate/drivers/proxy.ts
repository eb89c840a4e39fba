import fs from 'node:fs'
import path from 'node:path'
import type { Door } from '../edge/clients.ts'
import { type Address, unixAddress } from '../front/address.ts'
import type { DrainLimits } from '../front/flights.ts'
import { Front } from '../front/front.ts'
import { Leaving } from '../front/leaving.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { Side } from '../front/sides.ts'
import type { Gate, GateOverlap, GateSuccession, ServiceDoor, ServicePlace } from '../gate.ts'
import type { Listening } from '../http1/server.ts'
import type { GateMode } from '../machine/machine.ts'
import type { RunningShaping } from '../machine/shaping.ts'
import { systemTimers } from '../machine/timers.ts'
import type { Observer } from '../observe/observer.ts'
import { freeLoopbackPort } from './loopback-port.ts'
import type { PublicSocket } from './public-socket.ts'

/** How long connections may go on after the gate has stopped accepting: their requests were drained before, so most are idle. */
const closeTimeoutMs = 300

/** How long a version that was found healthy may take until we see that it accepts; then its requests wait for it. */
const longestAcceptMs = 1000

/** One place where clients reach the application. */
export interface ProxyListener {
  readonly listening: Listening
  /** What is spoken there before HTTP; absent: nothing. */
  readonly door?: Door | undefined
}

/**
 * Open a gate that is a reverse proxy in the path: the application accepts on a private port or socket that only the gate knows.
 *
 * Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID, GATE_TLS_INVALID, GATE_TLS_KEY_EXPOSED.
 */
export async function openProxyGate(options: {
  /** Where clients reach the application; at least one. */
  readonly listeners: readonly ProxyListener[]
  /** The sockets of `listeners`, where another process can be given them. */
  readonly sockets?: readonly PublicSocket[] | undefined
  /** Where the application accepts already, for a process before us. */
  readonly servicePlace?: Address | undefined
  readonly settings: FrontSettings
  /** Where the application's socket goes. */
  readonly runFolder: string
  /** The ports that the application gets in turn when two versions run, else the first, unless somebody has it; any when absent. */
  readonly favouredPorts?: readonly [number, number] | undefined
  readonly mode: GateMode
  /** A service is about to be started: requests wait for it. */
  readonly expectsService: boolean
  /** Told of each request once it has ended. */
  readonly observer?: Observer | undefined
  /** Told of a new certificate that cannot be used. */
  readonly warn?: ((error: unknown) => void) | undefined
}): Promise<Gate> {
  const front = new Front({
    settings: options.settings,
    timers: systemTimers,
    random: Math.random,
    closesConnections: false,
    observer: options.observer,
    warn: options.warn,
  })
  if (options.expectsService) front.serviceExpected()
  front.enter(options.mode)
  const addresses = await Promise.all(options.listeners.map(({ listening, door }) => front.listen(listening, door)))
  return new ProxyGate(front, options.sockets?.[0]?.address ?? addresses[0]!, options)
}

class ProxyGate implements Gate {
  readonly kind = 'proxy'
  readonly address: Address
  readonly overlap: GateOverlap
  readonly #front: Front
  #live: ProxyDoor
  #beside: ProxyDoor | undefined
  #mode: GateMode
  #isRelaying = false
  readonly #sockets: readonly PublicSocket[] | undefined

  constructor(
    front: Front,
    address: Address,
    { runFolder, favouredPorts, mode, sockets, servicePlace }: Parameters<typeof openProxyGate>[0],
  ) {
    this.#front = front
    this.address = address
    this.#mode = mode
    this.#sockets = sockets
    const [first, second] = homesIn(runFolder, favouredPorts)
    const liveHome = servicePlace !== undefined && isHome(second, servicePlace) ? second : first
    this.#live = new ProxyDoor(front.sides.live, liveHome, servicePlace)
    this.overlap = {
      canRoute: true,
      live: () => this.#live,
      open: () => {
        this.#beside = new ProxyDoor(front.sides.open(), this.#live.home === first ? second : first)
        return this.#beside
      },
      route: routing => front.sides.route(routing),
      promote: () => this.#promote(),
      drain: async limits =>
        (await front.sides.beside?.flights.drain(limits)) ?? { ok: true, evidence: 'nothing was beside' },
      close: () => {
        front.sides.close()
        this.#beside = undefined
      },
      figures: () => ({
        live: front.sides.live.flights.figures,
        beside: front.sides.beside?.flights.figures ?? { answers: 0, failures: 0 },
      }),
    }
  }

  probeAddress(): Address {
    return this.#live.probeAddress()
  }

  configure(settings: FrontSettings): void {
    this.#front.configure(settings)
  }

  reload(): void {
    this.#front.reload()
  }

  async enter(mode: GateMode, shaping?: RunningShaping): Promise<void> {
    this.#mode = mode
    if (!this.#isRelaying) this.#front.enter(mode, shaping)
  }

  drain(limits: DrainLimits) {
    return this.#front.drain(limits)
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

  relay(to: Address | undefined): void {
    const { sides } = this.#front
    if (to !== undefined) sides.open().service.at(to)
    sides.promote()
    if (to === undefined) sides.close()
    this.#isRelaying = to !== undefined
    this.#front.enter(this.#isRelaying ? 'pass' : this.#mode)
  }

  succession(): GateSuccession | undefined {
    return this.#sockets === undefined ? undefined : new Leaving(this.#front, this.#sockets)
  }

  async answerFor(socket: Address): Promise<void> {
    const maskBefore = process.umask(0o177)
    try {
      await this.#front.listen({ kind: 'address', address: socket })
    } finally {
      process.umask(maskBefore)
    }
  }

  counters() {
    return this.#front.counters()
  }

  isUpstreamUp(): boolean {
    return this.#front.sides.live.service.state === 'up'
  }

  async close(): Promise<void> {
    const closed = this.#front.stopAccepting()
    const cancel = systemTimers.after(closeTimeoutMs, () => this.#front.closeAllConnections())
    await closed
    cancel()
    for (const socket of this.#sockets ?? []) socket.close()
  }

  async #promote(): Promise<void> {
    if (this.#beside === undefined) return
    await this.#front.sides.untilBesideAccepts(longestAcceptMs)
    const before = this.#live
    this.#live = this.#beside
    this.#beside = before
    this.#front.sides.promote()
  }
}

/** Where one of two services is that run at once. */
interface Home {
  readonly socketPath: string
  readonly favouredPort: number | undefined
}

function homesIn(runFolder: string, ports: readonly [number, number] | undefined): readonly [Home, Home] {
  return [
    { socketPath: path.join(runFolder, 'service.sock'), favouredPort: ports?.[0] },
    { socketPath: path.join(runFolder, 'service-2.sock'), favouredPort: ports?.[1] },
  ]
}

function isHome({ socketPath, favouredPort }: Home, place: Address): boolean {
  return place.kind === 'unix' ? place.path === socketPath : place.port === favouredPort
}

/** The private port or socket of one release's service. */
class ProxyDoor implements ServiceDoor {
  readonly #side: Side
  readonly home: Home
  #place: Address

  constructor(side: Side, home: Home, place?: Address) {
    this.#side = side
    this.home = home
    this.#place = place ?? { kind: 'tcp', host: '127.0.0.1', port: 0 }
  }

  probeAddress(): Address {
    return this.#place
  }

  async prepareService(kind: 'port' | 'socket'): Promise<ServicePlace> {
    this.#side.service.expected()
    if (kind === 'socket') {
      const place = unixAddress(this.home.socketPath)
      fs.rmSync(place.path, { force: true })
      this.#place = place
      return { port: '', socket: place.path, handed: [] }
    }
    const port = await freeLoopbackPort(this.home.favouredPort)
    this.#place = { kind: 'tcp', host: '127.0.0.1', port }
    return { port: String(port), socket: '', handed: [] }
  }

  serviceStarted(): void {
    this.#side.service.at(this.#place)
  }

  serviceStopping(): void {
    this.#side.service.expected()
  }

  serviceEnded(returns: boolean): void {
    if (returns) this.#side.service.expected()
    else this.#side.service.absent()
  }
}
