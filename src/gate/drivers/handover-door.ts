import type { Address } from '../front/address.ts'
import type { ServiceDoor, ServicePlace } from '../gate.ts'

/** What a door needs of the gate that it belongs to. */
export interface DoorHost {
  readonly probeAddress: () => Address
  /** Give the public sockets to a service that is about to be started: nobody of ours accepts from then on. */
  readonly handOver: (door: HandoverDoor) => Promise<ServicePlace>
  /** Called when a service began or ended. */
  readonly changed: () => void
}

/** The public sockets as the listening service of one release has them. */
export class HandoverDoor implements ServiceDoor {
  readonly #host: DoorHost
  /** `returning`: it ended, and is about to be started again. */
  state: 'absent' | 'running' | 'returning'
  /** From when it is handed over until it ends or a hold begins, nobody of ours accepts: so it can be asked for its health. */
  isYielded = false

  constructor(host: DoorHost, state: 'absent' | 'returning') {
    this.#host = host
    this.state = state
  }

  probeAddress(): Address {
    return this.#host.probeAddress()
  }

  prepareService(): Promise<ServicePlace> {
    return this.#host.handOver(this)
  }

  serviceStarted(): void {
    this.state = 'running'
    this.#host.changed()
  }

  serviceStopping(): void {
    // Its connections are its clients' own.
  }

  serviceEnded(returns: boolean): void {
    this.state = returns ? 'returning' : 'absent'
    this.isYielded = false
    this.#host.changed()
  }
}
