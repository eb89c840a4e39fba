import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Origin } from '../front/exchange.ts'
import type { Endpoint, ProxySender } from './proxy-header.ts'
import { readProxyHeader } from './proxy-reader.ts'
import type { TlsTerminator } from './tls-terminator.ts'

/** How long a peer may take to say who opened the connection; 3 seconds at least, so that a lost packet can be sent again. */
const proxyHeaderMs = 3000

/** What is known of a connection before its first request. */
export interface Arrival {
  readonly origin: Origin
  /** Where the client connected to; undefined on a unix socket. */
  readonly destination: Endpoint | undefined
}

/** Who speaks with clients, by the protocol that was agreed on. */
export interface Speakers {
  readonly http1: (socket: Socket | TLSSocket, arrival: Arrival) => void
  readonly http2: (socket: TLSSocket, arrival: Arrival) => void
}

export interface EntranceOptions {
  /** Whether each connection begins with the PROXY protocol, and then whose. */
  readonly proxyProtocol: boolean
  /** Whether a peer is believed who it says the client is. */
  readonly isTrusted: (peerAddress: string | undefined) => boolean
  /** Speaks TLS; undefined where it is not spoken. */
  readonly tls: TlsTerminator | undefined
  readonly speakers: Speakers
}

/**
 * What a connection passes before its first request: the PROXY protocol, then TLS, each where it is spoken, and never guessed.
 *
 * A peer that has to say who the client is and is not trusted is cut off: it could name anybody.
 */
export class Entrance {
  readonly #options: EntranceOptions
  /** Connections that are still on their way in. */
  readonly #entering = new Set<Socket>()

  constructor(options: EntranceOptions) {
    this.#options = options
  }

  /** How many are still on their way in. */
  get size(): number {
    return this.#entering.size
  }

  /** Take a connection that was just accepted. */
  accept(socket: Socket): void {
    const { proxyProtocol, isTrusted, tls } = this.#options
    if (isGone(socket)) {
      socket.destroy()
      return
    }
    if (!proxyProtocol && tls === undefined) {
      this.#options.speakers.http1(socket, arrivalOf(socket, { kind: 'self' }, false))
      return
    }
    this.#entering.add(socket)
    // What an error means is told by the close that follows it.
    socket.on('error', () => {}).once('close', () => this.#entering.delete(socket))
    if (!proxyProtocol) this.#secure(socket, { kind: 'self' })
    else if (isTrusted(socket.remoteAddress)) {
      readProxyHeader(socket, proxyHeaderMs, sender => this.#secure(socket, sender))
    } else socket.destroy()
  }

  /** Cut off connections that are still on their way in. */
  destroyAll(): void {
    for (const socket of this.#entering) socket.destroy()
  }

  #secure(socket: Socket, sender: ProxySender): void {
    const { tls, speakers } = this.#options
    const arrival = arrivalOf(socket, sender, tls !== undefined)
    if (tls === undefined) {
      this.#entering.delete(socket)
      speakers.http1(socket, arrival)
      return
    }
    tls.secure(socket, secured => {
      this.#entering.delete(socket)
      if (secured.alpnProtocol === 'h2') speakers.http2(secured, arrival)
      else speakers.http1(secured, arrival)
    })
  }
}

/** Who has hung up by now has no address any more, like a peer on a unix socket, and must not be taken for one: those are trusted. */
function isGone(socket: Socket): boolean {
  return socket.remoteAddress === undefined && socket.localAddress !== undefined
}

function arrivalOf(socket: Socket, sender: ProxySender, isSecure: boolean): Arrival {
  const peerAddress = plainAddress(socket.remoteAddress)
  if (sender.kind === 'self') {
    const local = plainAddress(socket.localAddress)
    return {
      origin: { remoteAddress: peerAddress, remotePort: socket.remotePort, peerAddress, isSecure },
      destination: local === undefined ? undefined : { address: local, port: socket.localPort ?? 0 },
    }
  }
  const { source, destination } = sender.kind === 'tcp' ? sender : { source: undefined, destination: undefined }
  return {
    origin: { remoteAddress: plainAddress(source?.address), remotePort: source?.port, peerAddress, isSecure },
    destination,
  }
}

/** An IPv4 address that came by a socket for both families, as such. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '')
}
