import type { Duplex } from 'node:stream'
import type { Exchange, Origin } from '../front/exchange.ts'
import { ClientConnection, type ClientContext } from './client-connection.ts'
import type { ClientLimits } from './limits.ts'
import type { Peer } from './peer.ts'
import { Sweep } from './sweep.ts'

export interface ClientConnectionsOptions {
  readonly limits: ClientLimits
  /** Called with each request that is fit to be sent on. */
  readonly take: (exchange: Exchange) => void
  /** Called with each status that something else was answered with. */
  readonly refused: (origin: Origin, status: number) => void
}

/** The connections of clients that speak HTTP/1, by whatever listener they came. How many there may be is the caller's to see to. */
export class ClientConnections {
  readonly #connections = new Set<ClientConnection>()
  readonly #sweep: Sweep
  readonly #context: ClientContext
  #limits: ClientLimits
  #receiving = 0

  constructor({ limits, take, refused }: ClientConnectionsOptions) {
    this.#limits = limits
    this.#sweep = new Sweep(timesOf(limits))
    this.#context = {
      limits: () => this.#limits,
      nowMs: () => this.#sweep.nowMs,
      take,
      refused,
      receiving: count => {
        this.#receiving += count
      },
      ended: connection => {
        this.#connections.delete(connection)
        this.#sweep.delete(connection)
      },
    }
  }

  get size(): number {
    return this.#connections.size
  }

  /** How many requests have begun to arrive and are not whole: who cuts their connections cuts them. */
  get receiving(): number {
    return this.#receiving
  }

  /** Keep to other limits from now on. */
  configure(limits: ClientLimits): void {
    this.#limits = limits
    this.#sweep.setTimes(timesOf(limits))
  }

  /**
   * Speak HTTP/1 on a connection: plain, or TLS that somebody has begun.
   *
   * Pre: made with `allowHalfOpen`, so that it is ours to say when it ends.
   */
  serve(socket: Duplex, peer: Peer): void {
    const connection = new ClientConnection(socket, peer, this.#context)
    this.#connections.add(connection)
    this.#sweep.add(connection)
  }

  /** End every connection, whatever it does. */
  closeAll(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}

function timesOf({ headTimeoutMs, idleTimeoutMs, bodyTimeoutMs }: ClientLimits): readonly number[] {
  return [headTimeoutMs, idleTimeoutMs, bodyTimeoutMs]
}
