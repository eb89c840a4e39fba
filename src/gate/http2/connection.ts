import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { problemAnswer } from '../answers/answer.ts'
import type { Exchange, Origin } from '../front/exchange.ts'
import type { ClientLimits } from '../http1/limits.ts'
import type { Peer } from '../http1/peer.ts'
import { parseStreamHead, type RawFields } from './parse-request-head.ts'
import { answerStream } from './stream-answer.ts'
import { StreamExchange } from './stream-exchange.ts'

/** How many requests of one client are open at once. */
const concurrentStreams = 100

/** How many streams a client may reset at once, and how many each second after that: what it asks for and takes back costs us and the application. */
const [resetBurst, resetsPerSecond] = [200, 33]

/** How long a client may take to show that it heard that the connection goes away; meanwhile requests that are on their way are served. */
const goAwayMs = 1000

/** The largest stream id. Source: RFC 9113 §6.8: a GOAWAY with it tells of one that follows. */
const lastStreamId = 2 ** 31 - 1

/** What a client's connection depends on. */
export interface ConnectionOptions {
  readonly peer: Peer
  readonly limits: ClientLimits
  readonly take: (exchange: Exchange) => void
  readonly refused: (origin: Origin, status: number) => void
}

/** A client's connection that speaks HTTP/2: every request of it is given to `take`, or refused. */
export class Http2Connection {
  readonly #session: ServerHttp2Session
  readonly #options: ConnectionOptions
  #streams = 0
  #isGoing = false

  constructor(socket: TLSSocket, options: ConnectionOptions) {
    this.#options = options
    this.#session = performServerHandshake(socket, sessionOptions(options.limits))
    this.#session.on('stream', (stream, _fields, _flags, raw: RawFields) => this.#begin(stream, raw))
    // Whatever breaks ends the connection, and its streams with it; each of them tells of it.
    this.#session.on('error', () => this.#session.destroy())
    this.#session.setTimeout(options.limits.idleTimeoutMs, () => {
      if (this.#streams === 0) this.#session.close()
    })
  }

  /** Call once the connection has ended. */
  onClosed(closed: () => void): void {
    this.#session.once('close', closed)
  }

  /**
   * Tell the client to make no more requests; those that are on their way are served, then the connection ends.
   *
   * Source: RFC 9113 §6.8 (graceful shutdown in two steps).
   */
  goAway(): void {
    if (this.#isGoing || this.#session.destroyed) return
    this.#isGoing = true
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, lastStreamId)
    const close = () => {
      clearTimeout(timer)
      if (!this.#session.closed) this.#session.close()
    }
    const timer = setTimeout(close, goAwayMs)
    timer.unref()
    this.#session.ping(close)
  }

  /** End the connection, whatever it does. */
  destroy(): void {
    this.#session.destroy()
  }

  #begin(stream: ServerHttp2Stream, raw: RawFields): void {
    this.#streams += 1
    stream.once('close', () => {
      this.#streams -= 1
    })
    // A stream that breaks closes: that is what counts.
    stream.on('error', () => {})
    let trailers: RawFields = []
    stream.once('trailers', (_fields, _flags, rawTrailers: RawFields) => {
      trailers = rawTrailers
    })
    const { peer, limits, take, refused } = this.#options
    const head = parseStreamHead(raw, { ...limits, endsStream: stream.endAfterHeaders })
    if ('status' in head) {
      answerStream(stream, 'GET', problemAnswer(head.status, head.why, false))
      refused(peer.origin, head.status)
    } else {
      const { bodyTimeoutMs } = limits
      const request = { stream, head, peer, bodyTimeoutMs, trailers: () => trailers, goAway: () => this.goAway() }
      take(new StreamExchange(request))
    }
  }
}

function sessionOptions(limits: ClientLimits): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: concurrentStreams,
      maxHeaderListSize: limits.headBytes,
      enablePush: false,
      enableConnectProtocol: false,
    },
    // Four of them are pseudo fields.
    maxHeaderListPairs: limits.fields + 4,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: resetBurst,
    streamResetRate: resetsPerSecond,
    // What the application says twice is its own affair.
    strictSingleValueFields: false,
  }
}
