import type { Socket } from 'node:net'
import type { Exchange } from '../front/exchange.ts'
import { ClientConnections } from '../http1/client-connections.ts'
import type { ClientLimits } from '../http1/limits.ts'
import { Peer } from '../http1/peer.ts'
import { Http2Connections } from '../http2/connections.ts'
import { type Arrival, Entrance } from './entrance.ts'
import type { TlsTerminator } from './tls-terminator.ts'
import { compileNetworks, isTrusted, type Networks } from './trust.ts'

/** What may cost how much, and who is believed. */
export interface ClientSettings {
  readonly limits: ClientLimits
  /** Peers that are believed what they say of the original client, as addresses and networks. */
  readonly trust: readonly string[]
}

/** What is spoken on the connections of a listener before HTTP. */
export interface Door {
  /** Whether each begins with the PROXY protocol. */
  readonly proxyProtocol: boolean
  /** Speaks TLS there; undefined where it is not spoken. */
  readonly tls: TlsTerminator | undefined
}

/** Every connection of every client: on its way in, or speaking HTTP/1 or 2. Each request of it that is fit to be sent on is given to `take`. */
export class Clients {
  readonly #http1: ClientConnections
  readonly #http2: Http2Connections
  readonly #entrances: Entrance[] = []
  #limits: ClientLimits
  #trusted: Networks

  constructor({ limits, trust }: ClientSettings, take: (exchange: Exchange) => void) {
    this.#limits = limits
    this.#trusted = compileNetworks(trust)
    this.#http1 = new ClientConnections({ limits, take })
    this.#http2 = new Http2Connections({ limits, take })
  }

  /** How many connections there are. */
  get size(): number {
    return this.#entrances.reduce((size, entrance) => size + entrance.size, this.#http1.size + this.#http2.size)
  }

  /** On how many connections the head of a request has begun to come and is not complete. */
  get receiving(): number {
    return this.#http1.receiving
  }

  /** Make the entrance of one more listener. Post: gives what takes each connection that it accepts. */
  enterBy({ proxyProtocol, tls }: Door): (socket: Socket) => void {
    const entrance = new Entrance({
      proxyProtocol,
      tls,
      isTrusted: address => isTrusted(this.#trusted, address),
      speakers: {
        http1: (socket, arrival) => this.#http1.serve(socket, this.#peerOf(arrival)),
        http2: (socket, arrival) => this.#http2.serve(socket, this.#peerOf(arrival)),
      },
    })
    this.#entrances.push(entrance)
    return socket => {
      // One too many: nothing of it is read.
      if (this.size >= this.#limits.connections) socket.destroy()
      else entrance.accept(socket)
    }
  }

  /** Keep to other limits, and believe others, from now on. */
  configure({ limits, trust }: ClientSettings): void {
    this.#limits = limits
    this.#trusted = compileNetworks(trust)
    this.#http1.configure(limits)
    this.#http2.configure(limits)
  }

  /** End, in good order, connections of which no request is under way. Pre: see {@link ClientConnections.closeIdle}. */
  closeIdle(): void {
    this.#http1.closeIdle()
    this.#http2.goAway()
  }

  /** End every connection, whatever it does. */
  closeAll(): void {
    for (const entrance of this.#entrances) entrance.destroyAll()
    this.#http1.closeAll()
    this.#http2.closeAll()
  }

  /** Who speaks HTTP is believed, not who carries it: behind the PROXY protocol that is the client that it names. */
  #peerOf({ origin, destination }: Arrival): Peer {
    return new Peer(origin, { isTrusted: isTrusted(this.#trusted, origin.remoteAddress), destination })
  }
}
