import net from 'node:net'
import { ReleaseError } from '../../core/error.ts'
import { type Address, reachableAddress } from '../front/address.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { Drained, Gate, ServicePlace } from '../gate.ts'
import { type Listening, listenError, removeDeadSocket } from '../http1/server.ts'
import type { GateMode } from '../machine/machine.ts'
import { HoldWorkers } from './hold-workers.ts'

/** How long connections may wait in the socket's queue for an application that ended by itself, before a worker takes them in. */
const patienceMs = 1000

export interface HandoverOptions {
  readonly listening: Listening
  readonly settings: FrontSettings
  readonly mode: GateMode
  /** A service is about to be started: connections wait for it. */
  readonly expectsService: boolean
  /** How to run a hold worker. */
  readonly workerArgv: readonly [string, ...string[]]
  /** The public address, when the listening descriptor came from elsewhere. */
  readonly address: Address | undefined
}

/**
 * Open a gate that gives its listening socket to the application: in mode pass nothing of ours is on the data path.
 *
 * The socket is bound once and lives as long as this process, so a connection in its queue is never lost, whoever accepts. While
 * requests are held, a worker accepts on the same socket; before the application starts, the worker stops, and once requests may pass
 * it hands over what it holds by connecting to the public address, where only the application accepts then.
 * Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID, HANDOVER_UNSUPPORTED.
 */
export async function openHandoverGate(options: HandoverOptions): Promise<Gate> {
  const socket = await bind(options.listening, options.address)
  const gate = new HandoverGate(socket, options)
  await gate.enter(options.mode)
  return gate
}

/** A listening socket that nobody accepts on in this process. */
interface HeldSocket {
  readonly descriptor: number
  readonly address: Address
  readonly close: () => void
}

async function bind(listening: Listening, address: Address | undefined): Promise<HeldSocket> {
  if (listening.kind === 'descriptor') {
    if (address === undefined) throw new Error('a descriptor needs the address that it is bound to')
    return { descriptor: listening.descriptor, address, close: () => {} }
  }
  // Node 26.4 has it, its types always.
  if (!('BoundSocket' in net)) {
    throw new ReleaseError('HANDOVER_UNSUPPORTED', `Node ${process.version} has no net.BoundSocket, which is in 26.4`)
  }
  if (listening.address.kind === 'unix') await removeDeadSocket(listening.address.path)
  return bindHere(listening, listening.address)
}

function bindHere(listening: Listening, wanted: Address): HeldSocket {
  try {
    if (wanted.kind === 'unix') {
      // The types of 26.6 know ports only.
      const bound = new net.BoundSocket({ path: wanted.path } as object)
      return { descriptor: bound.fd(), address: wanted, close: () => bound.close() }
    }
    const bound = new net.BoundSocket({ host: wanted.host, port: wanted.port })
    const { address: host, port } = bound.address()
    return { descriptor: bound.fd(), address: { kind: 'tcp', host, port }, close: () => bound.close() }
  } catch (caught) {
    throw listenError(caught, listening)
  }
}

class HandoverGate implements Gate {
  readonly kind = 'handover'
  readonly address: Address
  readonly #socket: HeldSocket
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

  constructor(socket: HeldSocket, options: HandoverOptions) {
    this.#socket = socket
    this.address = socket.address
    this.#settings = options.settings
    this.#isListening = options.listening.kind === 'descriptor'
    this.#service = options.expectsService ? 'returning' : 'absent'
    this.#workers = new HoldWorkers(options.workerArgv, [socket.descriptor])
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
    return { port, socket: '', handed: [{ descriptor: this.#socket.descriptor, name: 'http' }] }
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
    this.#socket.close()
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
      this.#workers.release(reachableAddress(this.address))
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
