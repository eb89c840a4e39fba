import type { Socket } from 'node:net'
import { ReleaseError } from '../../core/error.ts'
import type { Exchange, Origin } from '../front/exchange.ts'
import { ClientConnections } from '../http1/client-connections.ts'
import type { ClientLimits } from '../http1/limits.ts'
import { Peer } from '../http1/peer.ts'
import { Http2Connections } from '../http2/connections.ts'
import { type Arrival, Entrance } from './entrance.ts'
import { type TlsSettings, TlsTerminator } from './tls-terminator.ts'
import { compileNetworks, isTrusted, type Networks } from './trust.ts'

/** What may cost how much, and who is believed. */
export interface ClientSettings {
  readonly limits: ClientLimits
  /** Peers that are believed what they say of the original client, as addresses and networks. */
  readonly trust: readonly string[]
  /** With what TLS is spoken, where it is. */
  readonly tls?: TlsSettings | undefined
}

/** What is spoken on the connections of a listener before HTTP. */
export interface Door {
  /** Whether each begins with the PROXY protocol. */
  readonly proxyProtocol: boolean
  readonly tls: boolean
}

/** Whom the connections tell. */
export interface ClientsContext {
  readonly take: (exchange: Exchange) => void
  /** Something that is no request that can be served was answered with a status. */
  readonly refused: (origin: Origin, status: number) => void
  /** A new certificate cannot be used; the one before stays. */
  readonly warn: (error: unknown) => void
}

/** Every connection of every client: on its way in, or speaking HTTP/1 or 2. Each request of it that is fit to be sent on is given to `take`. */
export class Clients {
  readonly #http1: ClientConnections
  readonly #http2: Http2Connections
  readonly #entrances: Entrance[] = []
  readonly #context: ClientsContext
  #settings: ClientSettings
  #trusted: Networks
  #terminator: TlsTerminator | undefined

  constructor(settings: ClientSettings, context: ClientsContext) {
    const { limits } = settings
    const { take, refused } = context
    this.#settings = settings
    this.#context = context
    this.#trusted = compileNetworks(settings.trust)
    this.#http1 = new ClientConnections({ limits, take, refused })
    this.#http2 = new Http2Connections({ limits, take, refused })
  }

  /** How many connections there are. */
  get size(): number {
    return this.#entrances.reduce((size, entrance) => size + entrance.size, this.#http1.size + this.#http2.size)
  }

  /** On how many connections the head of a request has begun to come and is not complete. */
  get receiving(): number {
    return this.#http1.receiving
  }

  /**
   * Make the entrance of one more listener. Post: gives what takes each connection that it accepts.
   *
   * Errors: GATE_TLS_INVALID, GATE_TLS_KEY_EXPOSED.
   */
  enterBy({ proxyProtocol, tls }: Door): (socket: Socket) => void {
    const entrance = new Entrance({
      proxyProtocol,
      tls: tls ? this.#requireTerminator() : undefined,
      isTrusted: address => isTrusted(this.#trusted, address),
      speakers: {
        http1: (socket, arrival) => this.#http1.serve(socket, this.#peerOf(arrival)),
        http2: (socket, arrival) => this.#http2.serve(socket, this.#peerOf(arrival)),
      },
    })
    this.#entrances.push(entrance)
    return socket => {
      // One too many: nothing of it is read.
      if (this.size >= this.#settings.limits.connections) socket.destroy()
      else entrance.accept(socket)
    }
  }

  /** Keep to other limits, believe others and show another certificate from now on. A certificate that is named no more is shown on. */
  configure(settings: ClientSettings): void {
    this.#settings = settings
    this.#trusted = compileNetworks(settings.trust)
    this.#http1.configure(settings.limits)
    this.#http2.configure(settings.limits)
    if (settings.tls !== undefined) this.#terminator?.configure(settings.tls)
  }

  /** Read the certificate again. */
  reload(): void {
    this.#terminator?.reload()
  }

  /**
   * Tell clients to make no more requests on their connections, as far as it can be told without an answer: with HTTP/2. What is on its way
   * is served.
   */
  goAway(): void {
    this.#http2.goAway()
  }

  /** End every connection, whatever it does. */
  closeAll(): void {
    for (const entrance of this.#entrances) entrance.destroyAll()
    this.#http1.closeAll()
    this.#http2.closeAll()
    this.#terminator?.close()
  }

  #requireTerminator(): TlsTerminator {
    const { tls } = this.#settings
    if (tls === undefined) {
      throw new ReleaseError('GATE_TLS_INVALID', 'a listener speaks TLS, but no certificate is named', {
        hint: 'name one in node.gate.tls of the recipe, or take `tls: true` from node.gate.listen',
      })
    }
    this.#terminator ??= new TlsTerminator(tls, this.#context.warn)
    return this.#terminator
  }

  /** Who speaks HTTP is believed, not who carries it: behind the PROXY protocol that is the client that it names. */
  #peerOf({ origin, destination }: Arrival): Peer {
    return new Peer(origin, { isTrusted: isTrusted(this.#trusted, origin.remoteAddress), destination })
  }
}
