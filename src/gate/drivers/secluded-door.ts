import type { Address } from '../front/address.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { ServiceDoor, ServicePlace } from '../gate.ts'
import { HoldWorkers } from './hold-workers.ts'
import { type HandoverListener, openPublicSockets, type PublicSocket } from './public-socket.ts'

/** A port of this machine that nobody knows of. */
const privateAddress = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const

/** What sockets in the place of the public ones are made with. */
export interface SeclusionOptions {
  /** The names of the public ones, in their order. */
  readonly names: readonly string[]
  readonly settings: FrontSettings
  readonly workerArgv: readonly [string, ...string[]]
}

/** Sockets in the place of the public ones, for a service that clients must not reach yet: it can be asked for its health there. */
export class SecludedDoor implements ServiceDoor {
  readonly #options: SeclusionOptions
  #sockets: readonly PublicSocket[] = []

  constructor(options: SeclusionOptions) {
    this.#options = options
  }

  probeAddress(): Address {
    return this.#sockets[0]?.address ?? privateAddress
  }

  /** Errors: HANDOVER_UNSUPPORTED, SERVICE_START_FAILED. */
  async prepareService(): Promise<ServicePlace> {
    if (this.#sockets.length === 0) await this.#open()
    const { address } = this.#sockets[0]!
    return { port: address.kind === 'tcp' ? String(address.port) : '', socket: '', handed: this.#sockets }
  }

  serviceStarted(): void {
    // Nobody waits for it.
  }

  serviceStopping(): void {
    // It has no clients.
  }

  serviceEnded(returns: boolean): void {
    if (returns) return
    for (const socket of this.#sockets) socket.close()
    this.#sockets = []
  }

  /** An application may expect sockets that listen already; see drivers/handover.ts. */
  async #open(): Promise<void> {
    const { names, settings, workerArgv } = this.#options
    const listeners = names.map(
      (name): HandoverListener => ({
        name,
        address: privateAddress,
        listening: { kind: 'address', address: privateAddress },
      }),
    )
    this.#sockets = await openPublicSockets(listeners, undefined)
    const descriptors = this.#sockets.map(socket => socket.descriptor)
    const workers = new HoldWorkers(workerArgv, descriptors, () => {})
    await workers.accept(settings, 'backoff')
    await workers.stopAccepting()
  }
}
