import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Answer, answerBytes, problemAnswer } from '../answers/answer.ts'
import type { Exchange, ForwardHooks, Origin } from '../front/exchange.ts'
import { forwardRequest } from './forward.ts'
import { type Framing, framingOf, originForm, type Target } from './framing.ts'
import { type RequestContext, requestHeaders } from './headers.ts'
import { respond } from './respond.ts'
import { forwardUpgrade } from './tunnel.ts'
import type { Upstream } from './upstream.ts'

/** Node keeps up to this much of a body that nobody reads, then stops reading: the rest waits in the kernel. */
const bodyBufferBytes = 64 * 1024

/** A request whose head was found fit to be sent on. */
interface Head {
  readonly target: Target
  readonly framing: Framing
}

/** Make an exchange of an ordinary request; undefined when its head is refused, and then it has been answered. */
export function requestExchange(
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
): Exchange | undefined {
  const head = readHead(request)
  if ('status' in head) {
    respond(request, response, problemAnswer(head.status, head.why, true))
    return undefined
  }
  return new RequestExchange(request, response, head, expectsContinue)
}

/** Make an exchange of an upgrade request; undefined when its head is refused, and then it has been answered. */
export function upgradeExchange(request: IncomingMessage, socket: Duplex, head: Buffer): Exchange | undefined {
  const read = readHead(request)
  if ('status' in read) {
    socket.end(answerBytes(problemAnswer(read.status, read.why, true), { withBody: true }))
    return undefined
  }
  return new UpgradeExchange(request, socket, head, read)
}

function readHead(request: IncomingMessage): Head | { readonly status: number; readonly why: string } {
  const framed = framingOf(request)
  if (framed.kind === 'refused') return framed
  const target = originForm(request.url ?? '')
  if (target === undefined) return { status: 400, why: 'the request target is not a path' }
  return { target, framing: framed.framing }
}

class RequestExchange implements Exchange {
  readonly method: string
  readonly target: string
  readonly path: string
  readonly httpVersion: string
  readonly origin: Origin
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #head: Head
  readonly #expectsContinue: boolean

  constructor(request: IncomingMessage, response: ServerResponse, head: Head, expectsContinue: boolean) {
    this.method = request.method!
    this.target = head.target.path
    this.path = withoutQuery(head.target.path)
    this.httpVersion = request.httpVersion
    this.origin = originOf(request)
    this.#request = request
    this.#response = response
    this.#head = head
    this.#expectsContinue = expectsContinue
  }

  field(name: string): string | undefined {
    return fieldOf(this.#request, name)
  }

  get sizeBytes(): number {
    return headBytes(this.#request) + bufferedBodyBytes(this.#head.framing)
  }

  hasUnreadBody(): boolean {
    return this.#head.framing.kind !== 'none' && !this.#request.complete
  }

  answer(answered: Answer): void {
    respond(this.#request, this.#response, answered)
  }

  forward(upstream: Upstream, hooks: ForwardHooks): void {
    const forwarded = {
      request: this.#request,
      response: this.#response,
      path: this.#head.target.path,
      headers: requestHeaders(this.#request.rawHeaders, context(this.#request, this.#head, undefined)),
      hasBody: this.#head.framing.kind !== 'none',
      expectsContinue: this.#expectsContinue,
    }
    forwardRequest(forwarded, upstream, hooks)
  }

  onGone(gone: () => void): () => void {
    this.#response.once('close', gone)
    return () => this.#response.off('close', gone)
  }
}

class UpgradeExchange implements Exchange {
  readonly method: string
  readonly target: string
  readonly path: string
  readonly httpVersion: string
  readonly origin: Origin
  readonly sizeBytes: number
  readonly #request: IncomingMessage
  readonly #socket: Duplex
  readonly #behind: Buffer
  readonly #head: Head

  constructor(request: IncomingMessage, socket: Duplex, behind: Buffer, head: Head) {
    this.method = request.method!
    this.target = head.target.path
    this.path = withoutQuery(head.target.path)
    this.httpVersion = request.httpVersion
    this.origin = originOf(request)
    this.sizeBytes = headBytes(request) + behind.length
    this.#request = request
    this.#socket = socket
    this.#behind = behind
    this.#head = head
    // An unheard error of a client's connection would end the process; its close is what counts.
    socket.on('error', () => socket.destroy())
  }

  field(name: string): string | undefined {
    return fieldOf(this.#request, name)
  }

  hasUnreadBody(): boolean {
    return true
  }

  answer(answered: Answer): void {
    this.#socket.end(answerBytes(answered, { withBody: true }))
  }

  forward(upstream: Upstream, hooks: ForwardHooks): void {
    const forwarded = {
      request: this.#request,
      socket: this.#socket,
      head: this.#behind,
      path: this.#head.target.path,
      headers: requestHeaders(
        this.#request.rawHeaders,
        context(this.#request, this.#head, this.#request.headers.upgrade),
      ),
    }
    forwardUpgrade(forwarded, upstream, hooks)
  }

  onGone(gone: () => void): () => void {
    this.#socket.once('close', gone)
    return () => this.#socket.off('close', gone)
  }
}

function context(request: IncomingMessage, head: Head, upgrade: string | undefined): RequestContext {
  return {
    method: request.method!,
    httpVersion: request.httpVersion,
    framing: head.framing,
    remoteAddress: request.socket.remoteAddress,
    targetHost: head.target.host,
    upgrade,
  }
}

function originOf(request: IncomingMessage): Origin {
  const { remoteAddress, remotePort } = request.socket
  return { remoteAddress, remotePort, peerAddress: remoteAddress, isSecure: false }
}

function fieldOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'object' ? value.join(', ') : value
}

function withoutQuery(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

function headBytes(request: IncomingMessage): number {
  let sizeBytes = (request.url ?? '').length + 16
  for (const text of request.rawHeaders) sizeBytes += text.length + 2
  return sizeBytes
}

function bufferedBodyBytes(framing: Framing): number {
  if (framing.kind === 'none') return 0
  return framing.kind === 'chunked' ? bodyBufferBytes : Math.min(framing.sizeBytes, bodyBufferBytes)
}
