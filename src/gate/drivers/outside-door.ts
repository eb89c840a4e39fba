import { ReleaseError } from '../../core/error.ts'
import type { Address } from '../front/address.ts'
import { ServiceWatch } from '../front/service-watch.ts'
import type { ServiceDoor, ServicePlace } from '../gate.ts'
import type { Timers } from '../machine/timers.ts'

/** Requests go to the service from the server in front, none through the watch. */
const nothingSent = { proxyProtocol: 'off', timeoutMs: 0 } as const

/** The private port of one release's service that a server in front reaches by itself: the waiting room's door, and whether it accepts. */
export class OutsideDoor implements ServiceDoor {
  readonly #inner: ServiceDoor
  readonly #watch: ServiceWatch

  constructor(inner: ServiceDoor, timers: Timers, changed: () => void) {
    this.#inner = inner
    this.#watch = new ServiceWatch(timers, changed, () => nothingSent)
  }

  /** Whether the service accepts. */
  get accepts(): boolean {
    return this.#watch.state === 'up'
  }

  probeAddress(): Address {
    return this.#inner.probeAddress()
  }

  /** Errors: GATE_SERVER_SETTINGS for a socket: nobody but its user reaches it, and HAProxy cannot be told of another one. */
  async prepareService(kind: 'port' | 'socket'): Promise<ServicePlace> {
    if (kind === 'socket') {
      throw new ReleaseError(
        'GATE_SERVER_SETTINGS',
        'the listening service accepts on ${socket}, which a server in front cannot reach',
        { hint: 'have it accept on 127.0.0.1 and ${port}, or use mode proxy' },
      )
    }
    this.#watch.expected()
    return this.#inner.prepareService(kind)
  }

  serviceStarted(): void {
    this.#inner.serviceStarted()
    this.#watch.at(this.#inner.probeAddress())
  }

  serviceStopping(): void {
    this.#inner.serviceStopping()
    this.#watch.expected()
  }

  serviceEnded(returns: boolean): void {
    this.#inner.serviceEnded(returns)
    if (returns) this.#watch.expected()
    else this.#watch.absent()
  }
}
