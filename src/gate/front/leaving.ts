import type { HandedSocket } from '../../sys/process.ts'
import type { GateSuccession } from '../gate.ts'
import type { Address } from './address.ts'
import type { Drained, DrainLimits } from './flights.ts'
import type { Front } from './front.ts'
import type { Side } from './sides.ts'

/**
 * Let another process go on in the place of a front.
 *
 * What the application has at that moment stays where it is. What still comes on connections of ours is answered by the other process,
 * so that there is one who decides whether it waits, and who knows when the application is empty; each answer ends its connection.
 */
export class Leaving implements GateSuccession {
  readonly sockets: readonly HandedSocket[]
  readonly #front: Front
  /** The application, as it was when we left. */
  #before: Side | undefined
  #ended: Promise<void> | undefined

  constructor(front: Front, sockets: readonly HandedSocket[]) {
    this.#front = front
    this.sockets = sockets
  }

  leave(to: Address | undefined): Promise<void> {
    const { sides } = this.#front
    if (this.#ended === undefined) {
      this.#before = sides.live
      sides.open()
      sides.promote()
      this.#front.leave()
      this.#ended = this.#front.stopAccepting()
    }
    if (to !== undefined) sides.live.service.at(to)
    return this.#ended
  }

  async drain(limits: DrainLimits): Promise<Drained> {
    return (await this.#before?.flights.drain(limits)) ?? { ok: true, evidence: 'nothing was left' }
  }

  end(): void {
    this.#front.closeAllConnections()
  }
}
