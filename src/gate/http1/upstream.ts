import net from 'node:net'
import type { Address } from '../front/address.ts'
import { connectTarget } from '../front/service-socket.ts'
import type { UpstreamSettings } from './limits.ts'
import type { AnswerSink, Outgoing, UpstreamRequest } from './outgoing.ts'
import { type ConnectionSource, OutgoingRequest } from './outgoing-request.ts'
import { proxyProtocolHeader } from './proxy-protocol.ts'
import { LargeBuffers } from './read-buffers.ts'
import { Sweep } from './sweep.ts'
import { type ConnectionKeeper, UpstreamConnection } from './upstream-connection.ts'

/**
 * How long a connection to the application is kept while nobody uses it.
 *
 * Servers close idle connections after 2 s (gunicorn), 5 s (Node) or later. A request written to a connection that is being closed is
 * lost, and one that is not idempotent may not be sent again; so ours end well before theirs. A new one costs 0.1 ms on loopback.
 */
const idleConnectionMs = 1000

/** How many are kept. */
const idleConnections = 512

/**
 * The running application, with connections to it that are used again.
 *
 * Both client sides reach it through this: `open` makes ready to send a request whose answer goes to a sink; see gate/http1/outgoing.ts for
 * the order in which both are called. Connections are made when they are needed; the last one that became free is used first.
 */
export interface Upstream {
  readonly address: Address
  /** Post: nothing happens before `send` of the result. */
  readonly open: (request: UpstreamRequest, sink: AnswerSink) => Outgoing
  /** Close connections that nobody uses and keep none from now on; requests in flight go on. */
  readonly retire: () => void
}

/** Name the application at an address. */
export function createUpstream(address: Address, settings: UpstreamSettings): Upstream {
  return new Pool(address, settings)
}

class Pool implements Upstream, ConnectionKeeper, ConnectionSource {
  readonly address: Address
  readonly timeouts: ConnectionKeeper['timeouts']
  readonly buffers = new LargeBuffers()
  readonly #proxyProtocol: UpstreamSettings['proxyProtocol']
  readonly #sweep: Sweep
  /** The last one became free last. */
  readonly #idle: UpstreamConnection[] = []
  #isRetired = false

  constructor(address: Address, settings: UpstreamSettings) {
    this.address = address
    this.timeouts = { idleMs: idleConnectionMs, answerMs: settings.timeoutMs }
    this.#proxyProtocol = settings.proxyProtocol
    this.#sweep = new Sweep([idleConnectionMs, settings.timeoutMs])
  }

  open(request: UpstreamRequest, sink: AnswerSink): Outgoing {
    return new OutgoingRequest(request, sink, this)
  }

  retire(): void {
    this.#isRetired = true
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  connection(request: UpstreamRequest, options: { readonly isNew: boolean }): UpstreamConnection {
    const free = options.isNew ? undefined : this.#takeIdle(request)
    return free ?? this.#connect(request)
  }

  keep(connection: UpstreamConnection): void {
    if (this.#isRetired || this.#idle.length >= idleConnections) connection.destroy()
    else this.#idle.push(connection)
  }

  ended(connection: UpstreamConnection): void {
    this.#sweep.delete(connection)
    const index = this.#idle.lastIndexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
  }

  nowMs(): number {
    return this.#sweep.nowMs
  }

  #takeIdle({ peer }: UpstreamRequest): UpstreamConnection | undefined {
    if (this.#proxyProtocol === 'off') return this.#idle.pop()
    // Such a connection says at its beginning whose it is.
    const index = this.#idle.findLastIndex(connection => connection.peer === peer)
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0]
  }

  #connect({ peer }: UpstreamRequest): UpstreamConnection {
    const isForOne = this.#proxyProtocol !== 'off'
    const connection = new UpstreamConnection(connectTarget(this.address), this, isForOne ? peer : undefined)
    if (this.#proxyProtocol !== 'off')
      connection.outlet.put(proxyProtocolHeader(this.#proxyProtocol, peer).toString('latin1'))
    this.#sweep.add(connection)
    return connection
  }
}

/** Tell whether something accepts connections at an address now. Post: resolves within `timeoutMs`, never rejects. */
export function accepts(address: Address, timeoutMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const target = connectTarget(address)
    const socket = 'socketPath' in target ? net.connect(target.socketPath) : net.connect(target)
    const finish = (accepted: boolean) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.setTimeout(timeoutMs, () => finish(false))
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
  })
}
