import { type Address, reachableAddress } from '../front/address.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { Drained, Gate, ServicePlace } from '../gate.ts'
import type { GateMode } from '../machine/machine.ts'
import { HoldWorkers } from './hold-workers.ts'
import { type HandoverListener, openPublicSockets, type PublicSocket, type SocketOwner } from './public-socket.ts'

/** How long connections may wait in the socket's queue for an application that ended by itself, before a worker takes them in. */
const patienceMs = 1000

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
  readonly #sockets: readonly PublicSocket[]
  readonly #workers: HoldWorkers
  #settings: FrontSettings
  #mode: GateMode = 'pass'
  #service: 'absent' | 'running' | 'returning'
  /** From the preparation of the service until it ends or a hold begins, the socket is its alone: so it can be asked for its health. */
  #isYielded = false
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
    this.#service = options.expectsService ? 'returning' : 'absent'
    const descriptors = sockets.map(socket => socket.descriptor)
    this.#workers = new HoldWorkers(options.workerArgv, descriptors)
  }

  probeAddress(): Address {
    return reachableAddress(this.address)
  }

  configure(settings: FrontSettings): void {
    this.#settings = settings
  }

  enter(mode: GateMode): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#mode === 'pass' && mode !== 'pass') this.#isYielded = false
      this.#mode = mode
      this.#workers.enter(this.#workerMode())
      if (!this.#waitsForService()) await this.#settle()
    })
  }

  async drain(): Promise<Drained> {
    this.#workers.endStreams()
    return { ok: true, evidence: 'the application ends its requests when it is stopped' }
  }

  async prepareService(): Promise<ServicePlace> {
    clearTimeout(this.#patience)
    await this.#inOrder(async () => {
      this.#isYielded = true
      await this.#workers.stopAccepting()
    })
    const port = this.address.kind === 'tcp' ? String(this.address.port) : ''
    return { port, socket: '', handed: this.#sockets }
  }

  serviceStarted(): void {
    this.#service = 'running'
    this.#settleSoon()
  }

  serviceStopping(): void {
    // Its connections are its clients' own.
  }

  serviceEnded(returns: boolean): void {
    this.#service = returns ? 'returning' : 'absent'
    this.#isYielded = false
    if (!this.#waitsForService()) this.#settleSoon()
  }

  counters() {
    return this.#workers.counters()
  }

  async close(): Promise<void> {
    clearTimeout(this.#patience)
    this.#isClosed = true
    await this.#queue
    this.#workers.killAll()
    for (const socket of this.#sockets) socket.close()
  }

  /** A quick start needs no worker: the socket's queue is the shortest hold there is. One that takes long gets a worker after all. */
  #waitsForService(): boolean {
    clearTimeout(this.#patience)
    if (!this.#isListening || this.#mode !== 'pass' || this.#service !== 'returning') return false
    this.#patience = setTimeout(() => this.#settleSoon(), patienceMs)
    return true
  }

  /** Bring the workers in line with the mode and the service. */
  async #settle(): Promise<void> {
    if (this.#isClosed) return
    if (this.#mode === 'pass' && this.#service === 'running') {
      await this.#workers.stopAccepting()
      this.#workers.release(this.#sockets.map(socket => reachableAddress(socket.address)))
    } else if (!this.#isYielded && this.#mode !== 'drain') {
      await this.#workers.accept(this.#settings, this.#workerMode())
      this.#isListening = true
    }
  }

  /** Nobody waits for it; a worker that cannot be started leaves connections in the socket's queue, and the next change tries again. */
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
