import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { problemAnswer } from '../answers/answer.ts'
import type { ForwardEnd, ForwardHooks } from '../front/exchange.ts'
import { responseHeaders } from './headers.ts'
import { respond } from './respond.ts'
import type { Upstream } from './upstream.ts'

/** A request with what it becomes for the application. */
export interface ForwardRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly headers: readonly string[]
  readonly hasBody: boolean
  readonly expectsContinue: boolean
}

/** Methods that may be sent twice. Source: RFC 9110 §9.2.2. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/**
 * Send a request to the application and its answer to the client, both as they come, each no faster than the other side reads.
 *
 * Its body is not touched before a connection to the application stands, so that a refused connection costs the request nothing.
 * A connection that was used before and breaks before any byte of an answer is the application's idle timeout: only then, and only
 * without a body and with an idempotent method, the request is sent once more. Source: RFC 9110 §9.2.2, RFC 9112 §9.3.1.
 */
export function forwardRequest(forwarded: ForwardRequest, upstream: Upstream, hooks: ForwardHooks): void {
  new Forwarding(forwarded, upstream, hooks).send(upstream.agent)
}

class Forwarding {
  readonly #forwarded: ForwardRequest
  readonly #upstream: Upstream
  readonly #hooks: ForwardHooks
  #outgoing: ClientRequest | undefined
  #answered = false
  #ended = false
  readonly #onClose = () => this.#clientClosed()

  constructor(forwarded: ForwardRequest, upstream: Upstream, hooks: ForwardHooks) {
    this.#forwarded = forwarded
    this.#upstream = upstream
    this.#hooks = hooks
    forwarded.response.once('close', this.#onClose)
  }

  send(agent: http.Agent | false): void {
    const { request, path, headers, hasBody, expectsContinue, response } = this.#forwarded
    const outgoing = http.request({ ...this.#upstream.target, agent, method: request.method, path, headers })
    this.#outgoing = outgoing
    outgoing.once('response', incoming => this.#relay(incoming))
    outgoing.on('error', error => {
      if (outgoing === this.#outgoing) this.#fail(error, outgoing.reusedSocket)
    })
    if (expectsContinue) outgoing.once('continue', () => response.writeContinue())
    if (hasBody) outgoing.once('socket', socket => this.#sendBodyOnceConnected(outgoing, socket))
    else outgoing.end()
  }

  #sendBodyOnceConnected(outgoing: ClientRequest, socket: Socket): void {
    const begin = () => {
      // The client waits for the application's 100, and the application for the fields.
      if (this.#forwarded.expectsContinue) outgoing.flushHeaders()
      this.#forwarded.request.pipe(outgoing)
    }
    if (socket.connecting) socket.once('connect', begin)
    else begin()
  }

  #relay(incoming: IncomingMessage): void {
    const { response } = this.#forwarded
    this.#answered = true
    // A broken answer must not look complete: the client's connection breaks as well.
    incoming.once('error', () => {
      this.#end('failed')
      response.destroy()
    })
    response.writeHead(
      incoming.statusCode!,
      incoming.statusMessage,
      responseHeaders(incoming.rawHeaders, this.#hooks.closes()),
    )
    incoming.pipe(response)
    if (isEventStream(incoming)) {
      response.flushHeaders()
      this.#hooks.becameStream(() => this.#endStream(incoming))
    } else {
      // Fields go out with the body where it is there already, else by themselves.
      setImmediate(() => response.flushHeaders())
    }
  }

  #endStream(incoming: IncomingMessage): void {
    incoming.unpipe(this.#forwarded.response)
    this.#forwarded.response.end()
    this.#outgoing?.destroy()
  }

  #fail(error: NodeJS.ErrnoException, wasReused: boolean): void {
    const { request, response, hasBody } = this.#forwarded
    if (this.#ended) return
    if (this.#answered) {
      // The application answered without reading all: what is left of the body is dropped, so that the connection can go on.
      request.unpipe(this.#outgoing)
      request.resume()
      return
    }
    if (error.syscall === 'connect') {
      this.#end('unsent')
      return
    }
    if (wasReused && !hasBody && idempotent.has(request.method!)) {
      this.send(false)
      return
    }
    this.#end('failed')
    respond(
      request,
      response,
      problemAnswer(502, 'The application closed the connection without an answer.', !request.complete),
    )
  }

  #clientClosed(): void {
    const { request, response } = this.#forwarded
    if (response.writableFinished) {
      if (!request.complete) request.resume()
      this.#end(this.#answered ? 'answered' : 'failed')
      return
    }
    this.#end('abandoned')
    this.#outgoing?.destroy()
  }

  #end(end: ForwardEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.#forwarded.response.off('close', this.#onClose)
    this.#hooks.ended(end, { status: this.#forwarded.response.statusCode, receivedBytes: 0, sentBytes: 0 })
  }
}

function isEventStream(incoming: IncomingMessage): boolean {
  return /^text\/event-stream\b/i.test(incoming.headers['content-type'] ?? '')
}
