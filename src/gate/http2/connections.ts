import type { TLSSocket } from 'node:tls'
import type { ClientLimits } from '../http1/limits.ts'
import type { Peer } from '../http1/peer.ts'
import { type ConnectionOptions, Http2Connection } from './connection.ts'

/** The connections of clients that speak HTTP/2, by whatever listener they came. */
export class Http2Connections {
  readonly #connections = new Set<Http2Connection>()
  readonly #hooks: Pick<ConnectionOptions, 'take' | 'refused'>
  #limits: ClientLimits

  constructor({ limits, take, refused }: Omit<ConnectionOptions, 'peer'>) {
    this.#limits = limits
    this.#hooks = { take, refused }
  }

  get size(): number {
    return this.#connections.size
  }

  /** Keep to other limits with connections that come from now on. */
  configure(limits: ClientLimits): void {
    this.#limits = limits
  }

  /** Speak HTTP/2 on a connection on which it was agreed. */
  serve(socket: TLSSocket, peer: Peer): void {
    const connection = new Http2Connection(socket, { peer, limits: this.#limits, ...this.#hooks })
    this.#connections.add(connection)
    connection.onClosed(() => this.#connections.delete(connection))
  }

  /** Tell every client to make no more requests on its connection; what is on its way is served. */
  goAway(): void {
    for (const connection of this.#connections) connection.goAway()
  }

  /** End every connection, whatever it does. */
  closeAll(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}
