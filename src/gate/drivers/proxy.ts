import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { type Address, unixAddress } from '../front/address.ts'
import { Front } from '../front/front.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { Gate, ServicePlace } from '../gate.ts'
import type { Listening } from '../http1/server.ts'
import type { GateMode } from '../machine/machine.ts'
import { systemTimers } from '../machine/timers.ts'

/** How long connections may go on after the gate has stopped accepting: their requests were drained before, so most are idle. */
const closeTimeoutMs = 300

/**
 * Open a gate that is a reverse proxy in the path: the application accepts on a private port or socket that only the gate knows.
 *
 * Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID.
 */
export async function openProxyGate(options: {
  readonly listening: Listening
  readonly settings: FrontSettings
  /** Where the application's socket goes. */
  readonly runFolder: string
  readonly mode: GateMode
  /** A service is about to be started: requests wait for it. */
  readonly expectsService: boolean
}): Promise<Gate> {
  const front = new Front({
    settings: options.settings,
    timers: systemTimers,
    random: Math.random,
    closesConnections: false,
  })
  if (options.expectsService) front.serviceExpected()
  front.enter(options.mode)
  const address = await front.listen(options.listening)
  return new ProxyGate(front, address, options.runFolder)
}

class ProxyGate implements Gate {
  readonly kind = 'proxy'
  readonly address: Address
  readonly #front: Front
  readonly #runFolder: string
  #place: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 }

  constructor(front: Front, address: Address, runFolder: string) {
    this.#front = front
    this.address = address
    this.#runFolder = runFolder
  }

  probeAddress(): Address {
    return this.#place
  }

  configure(settings: FrontSettings): void {
    this.#front.configure(settings)
  }

  async enter(mode: GateMode): Promise<void> {
    this.#front.enter(mode)
  }

  drain(limits: { readonly timeoutMs: number; readonly streamsMs: number }) {
    return this.#front.drain(limits)
  }

  async prepareService(kind: 'port' | 'socket'): Promise<ServicePlace> {
    this.#front.serviceExpected()
    if (kind === 'socket') {
      const place = unixAddress(path.join(this.#runFolder, 'service.sock'))
      fs.rmSync(place.path, { force: true })
      this.#place = place
      return { port: '', socket: place.path, handed: [] }
    }
    const port = await freeLoopbackPort()
    this.#place = { kind: 'tcp', host: '127.0.0.1', port }
    return { port: String(port), socket: '', handed: [] }
  }

  serviceStarted(): void {
    this.#front.serviceAt(this.#place)
  }

  serviceStopping(): void {
    this.#front.serviceExpected()
  }

  serviceEnded(returns: boolean): void {
    if (returns) this.#front.serviceExpected()
    else this.#front.serviceAbsent()
  }

  counters() {
    return this.#front.counters()
  }

  async close(): Promise<void> {
    const closed = this.#front.stopAccepting()
    const cancel = systemTimers.after(closeTimeoutMs, () => this.#front.closeAllConnections())
    await closed
    cancel()
  }
}

/** Find a port that nobody uses now. Another process can take it before the service does: then that start fails and the next one gets another. */
function freeLoopbackPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0, exclusive: true }, () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })
}
