import { type Address, reachableAddress } from '../front/address.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { Drained, Gate, GateOverlap, GateSuccession, ServiceDoor, ServicePlace } from '../gate.ts'
import type { GateMode } from '../machine/machine.ts'
import { type DoorHost, HandoverDoor } from './handover-door.ts'
import { HoldWorkers } from './hold-workers.ts'
import { type HandoverListener, openPublicSockets, type PublicSocket, type SocketOwner } from './public-socket.ts'
import { SecludedDoor } from './secluded-door.ts'

/** How long connections may wait in the socket's queue for an application that ended by itself, before a worker takes them in. */
const patienceMs = 1000

/** How soon a worker that was killed is replaced. */
const replaceMs = 100

export interface HandoverOptions {
  /** Where clients reach the application; at least one. */
  readonly listeners: readonly HandoverListener[]
  /** Whose unix sockets are that we bind; ours when absent. */
  readonly owner: SocketOwner | undefined
  readonly settings: FrontSettings
  readonly mode: GateMode
  /** A service is about to be started: connections wait for it. */
  readonly expectsService: boolean
  /** How to run a hold worker. */
  readonly workerArgv: readonly [string, ...string[]]
}

/**
 * Open a gate that gives its listening sockets to the application: in mode pass nothing of ours is on the data path.
 *
 * The sockets are bound once and live as long as this process, so a connection in their queues is never lost, whoever accepts. While
 * requests are held, a worker accepts on the same sockets; before the application starts, the worker stops, and once requests may pass
 * it hands over what it holds by connecting to the public addresses, where only the application accepts then.
 * Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID, HANDOVER_UNSUPPORTED.
 */
export async function openHandoverGate(options: HandoverOptions): Promise<Gate> {
  const gate = new HandoverGate(await openPublicSockets(options.listeners, options.owner), options)
  await gate.enter(options.mode)
  return gate
}

class HandoverGate implements Gate {
  readonly kind = 'handover'
  readonly address: Address
  readonly overlap: GateOverlap
  readonly #sockets: readonly PublicSocket[]
  readonly #workers: HoldWorkers
  readonly #workerArgv: HandoverOptions['workerArgv']
  readonly #host: DoorHost
  #live: HandoverDoor
  #beside: HandoverDoor | undefined
  #settings: FrontSettings
  #mode: GateMode = 'pass'
  #isClosed = false
  /** An application may expect a socket that listens already (sd_listen_fds(3)); only accepting makes ours do so, a worker's first. */
  #isListening: boolean
  /** Operations one after the other: a restart of the service may overlap an order of the installer. */
  #queue: Promise<void> = Promise.resolve()
  #patience: NodeJS.Timeout | undefined

  constructor(sockets: readonly PublicSocket[], options: HandoverOptions) {
    this.#sockets = sockets
    this.address = sockets[0]!.address
    this.#settings = options.settings
    this.#isListening = options.listeners.every(({ listening }) => listening.kind === 'descriptor')
    this.#workerArgv = options.workerArgv
    const descriptors = sockets.map(socket => socket.descriptor)
    this.#workers = new HoldWorkers(options.workerArgv, descriptors, () => this.#replaceWorker())
    this.#host = {
      probeAddress: () => reachableAddress(this.address),
      handOver: door => this.#handOver(door),
      changed: () => this.#serviceChanged(),
    }
    this.#live = new HandoverDoor(this.#host, options.expectsService ? 'returning' : 'absent')
    this.overlap = {
      canRoute: false,
      live: () => this.#live,
      open: () => {
        this.#beside = new HandoverDoor(this.#host, 'absent')
        return this.#beside
      },
      route: () => {},
      promote: async () => this.#promote(),
      drain: async () => drainedByApplication,
      close: () => {
        this.#beside = undefined
      },
      figures: () => ({ live: unseen, beside: unseen }),
    }
  }

  probeAddress(): Address {
    return this.#live.probeAddress()
  }

  configure(settings: FrontSettings): void {
    this.#settings = settings
  }

  enter(mode: GateMode): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#mode === 'pass' && mode !== 'pass') for (const door of this.#doors()) door.isYielded = false
      this.#mode = mode
      this.#workers.enter(this.#workerMode())
      if (!this.#waitsForService()) await this.#settle()
    })
  }

  async drain(): Promise<Drained> {
    this.#workers.endStreams()
    return drainedByApplication
  }

  prepareService(): Promise<ServicePlace> {
    return this.#live.prepareService()
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

  succession(): GateSuccession {
    return {
      sockets: this.#sockets,
      leave: async () => {
        clearTimeout(this.#patience)
        this.#isClosed = true
        await this.#queue
        for (const socket of this.#sockets) socket.leave()
        await this.#workers.ended()
      },
      drain: () => this.drain(),
      end: () => this.#workers.killAll(),
    }
  }

  seclude(): ServiceDoor {
    return new SecludedDoor({
      names: this.#sockets.map(socket => socket.name),
      settings: this.#settings,
      workerArgv: this.#workerArgv,
    })
  }

  counters() {
    return this.#workers.counters()
  }

  figures() {
    return this.#workers.figures()
  }

  async close(): Promise<void> {
    clearTimeout(this.#patience)
    this.#isClosed = true
    await this.#queue
    this.#workers.killAll()
    for (const socket of this.#sockets) socket.close()
  }

  #doors(): readonly HandoverDoor[] {
    return this.#beside === undefined ? [this.#live] : [this.#live, this.#beside]
  }

  /** Of two services one is enough to take connections. */
  get #service(): HandoverDoor['state'] {
    const states = this.#doors().map(door => door.state)
    if (states.includes('running')) return 'running'
    return states.includes('returning') ? 'returning' : 'absent'
  }

  /** Each accepts on the same sockets, so nothing is to be done but to know which is which. */
  #promote(): void {
    if (this.#beside === undefined) return
    const before = this.#live
    this.#live = this.#beside
    this.#beside = before
  }

  async #handOver(door: HandoverDoor): Promise<ServicePlace> {
    clearTimeout(this.#patience)
    await this.#inOrder(async () => {
      door.isYielded = true
      await this.#workers.stopAccepting()
    })
    const port = this.address.kind === 'tcp' ? String(this.address.port) : ''
    return { port, socket: '', handed: this.#sockets }
  }

  #serviceChanged(): void {
    if (!this.#waitsForService()) this.#settleSoon()
  }

  /** A quick start needs no worker: the socket's queue is the shortest hold there is. One that takes long gets a worker after all. */
  #waitsForService(): boolean {
    clearTimeout(this.#patience)
    if (!this.#isListening || this.#mode !== 'pass' || this.#service !== 'returning') return false
    this.#patience = setTimeout(() => this.#settleSoon(), patienceMs)
    return true
  }

  /** A worker was killed: what it held is lost, what waits in the sockets' queues gets another, not in a loop without a pause. */
  #replaceWorker(): void {
    clearTimeout(this.#patience)
    if (!this.#isClosed) this.#patience = setTimeout(() => this.#settleSoon(), replaceMs)
  }

  /** Bring the workers in line with the mode and the service. */
  async #settle(): Promise<void> {
    if (this.#isClosed) return
    if (this.#mode === 'pass' && this.#service === 'running') {
      await this.#workers.stopAccepting()
      this.#workers.release(this.#sockets.map(socket => reachableAddress(socket.address)))
    } else if (this.#mode !== 'drain' && !this.#doors().some(door => door.isYielded)) {
      await this.#workers.accept(this.#settings, this.#workerMode())
      this.#isListening = true
    }
  }

  /** Nobody waits for it; a worker that cannot be started leaves connections in the sockets' queues, and the next change tries again. */
  #settleSoon(): void {
    this.#inOrder(() => this.#settle()).catch(() => {})
  }

  /** A worker has no application to pass to: until there is one it holds, or turns away where none is to be expected. */
  #workerMode(): GateMode {
    if (this.#mode !== 'pass') return this.#mode
    return this.#service === 'absent' ? 'backoff' : 'hold'
  }

  #inOrder(operation: () => Promise<void>): Promise<void> {
    const result = this.#queue.then(operation)
    this.#queue = result.catch(() => {})
    return result
  }
}

/** What the application has in flight is its own to finish. */
const drainedByApplication: Drained = { ok: true, evidence: 'the application ends its requests when it is stopped' }

/** Answers do not go through us. */
const unseen = { answers: 0, failures: 0 } as const
