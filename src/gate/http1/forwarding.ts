import { problemAnswer } from '../answers/answer.ts'
import type { ForwardEnd, ForwardHooks } from '../front/exchange.ts'
import type { ClientConnection } from './client-connection.ts'
import { fieldBits } from './field-names.ts'
import type { Fields } from './fields.ts'
import { answerHeadText, trailerLines } from './head-text.ts'
import type { AnswerHead, RequestHead } from './message.ts'
import type { AnswerSink, Outgoing, UpstreamFailure } from './outgoing.ts'
import type { BodyTaker } from './request-body.ts'
import type { Upstream } from './upstream.ts'

/**
 * How the body goes to the client. `as-is`: the application's bytes, whose end the client knows. `chunks`: in chunks of ours. `until-close`:
 * the end of the connection is its end. `tunnel`: bytes both ways.
 */
type Delivery = 'as-is' | 'chunks' | 'until-close' | 'tunnel'

/** A client that waits for a body or an answer that does not come is told so. */
const clientGone = 499

/** A request of HTTP/1 between its client and the application: both ways as it comes, each no faster than the other side reads. */
export class Forwarding implements AnswerSink, BodyTaker {
  readonly #head: RequestHead
  readonly #connection: ClientConnection
  readonly #hooks: ForwardHooks
  #outgoing: Outgoing | undefined
  #status = 0
  #delivery: Delivery = 'as-is'
  #closes = false
  #wasContinued = false
  #isOver = false

  constructor(head: RequestHead, connection: ClientConnection, hooks: ForwardHooks) {
    this.#head = head
    this.#connection = connection
    this.#hooks = hooks
  }

  start(upstream: Upstream): void {
    this.#outgoing = upstream.open({ head: this.#head, peer: this.#connection.peer, body: 'framed' }, this)
    this.#outgoing.send()
  }

  // The request's body.

  ready(): void {
    this.#connection.startBody(this)
  }

  bodyPiece(piece: Buffer): boolean {
    return this.#outgoing!.write(piece)
  }

  bodyEnd(trailers: Fields | undefined): void {
    this.#outgoing!.end(trailers === undefined ? undefined : trailerLines(trailers))
  }

  bodyMalformed(): void {
    this.#refuse(400, 'The body of the request is malformed.')
  }

  bodyLate(): void {
    this.#refuse(408, 'The body of the request did not arrive in time.')
  }

  drained(): void {
    this.#connection.resumeReading()
  }

  // The answer.

  interim(head: AnswerHead): void {
    if (this.#head.httpVersion === '1.0' || (head.status === 100 && !this.#head.expectsContinue)) return
    if (head.status === 100) this.#wasContinued = true
    this.#connection.outlet.put(answerHeadText(head, { closes: false, isChunked: false, added: [] }))
  }

  answer(head: AnswerHead): 'payload' | 'framed' {
    this.#status = head.status
    const isStream = isEventStream(head)
    this.#delivery = this.#deliveryOf(head, isStream)
    this.#closes =
      this.#delivery === 'until-close' || !this.#head.persists || this.#leavesBodyUnsent() || this.#hooks.closes()
    const isChunked = this.#delivery === 'chunks' || (this.#delivery === 'as-is' && head.framing.kind === 'chunked')
    const added = this.#hooks.addedFields(head.status)
    this.#connection.outlet.put(answerHeadText(head, { closes: this.#closes, isChunked, added }))
    if (this.#delivery === 'tunnel') this.#connection.startTunnel(this)
    if (isStream || this.#delivery === 'tunnel') this.#hooks.becameStream(() => this.#endStream())
    return this.#delivery === 'as-is' ? 'framed' : 'payload'
  }

  body(piece: Buffer): boolean {
    const { outlet } = this.#connection
    if (this.#delivery !== 'chunks') return outlet.putBytes(piece)
    outlet.put(`${piece.length.toString(16)}\r\n`)
    const isUsedUp = outlet.putBytes(piece)
    outlet.put('\r\n')
    return isUsedUp
  }

  end(trailers: Fields | undefined): void {
    const { outlet } = this.#connection
    if (this.#delivery === 'chunks') outlet.put(`0\r\n${trailers === undefined ? '' : trailerLines(trailers)}\r\n`)
    else if (this.#delivery === 'as-is' && trailers !== undefined) outlet.put(`${trailerLines(trailers)}\r\n`)
    this.#finish()
  }

  flush(): void {
    this.#connection.outlet.flush()
  }

  failed(failure: UpstreamFailure): void {
    if (failure === 'unsent') this.#end('unsent')
    else if (this.#status !== 0) {
      // A broken answer must not look complete: the client's connection breaks as well.
      this.#end('failed')
      this.#connection.destroy()
    } else if (failure === 'late') this.#answerInstead(504, 'The application did not answer in time.')
    else this.#answerInstead(502, 'The application closed the connection without an answer.')
  }

  // The client.

  /** It has read what was written. */
  clientDrained(): void {
    this.#outgoing!.resume()
  }

  /** It has the answer, as far as we know. */
  left(): void {
    this.#end('answered')
  }

  /** It has hung up. */
  gone(): void {
    if (this.#isOver) return
    this.#outgoing!.abort()
    if (this.#delivery !== 'tunnel' && this.#status === 0) this.#status = clientGone
    this.#end(this.#delivery === 'tunnel' ? 'answered' : 'abandoned')
  }

  #deliveryOf({ framing }: AnswerHead, isStream: boolean): Delivery {
    if (framing.kind === 'tunnel') return 'tunnel'
    if (framing.kind === 'none' || framing.kind === 'length') return 'as-is'
    if (this.#head.httpVersion === '1.0') return 'until-close'
    // Chunks of ours can be ended at any time; the application's only where one of them ends.
    return framing.kind === 'close' || isStream ? 'chunks' : 'as-is'
  }

  /** Whether the client may keep the body that it was not told to send: what comes next cannot be told from it then. */
  #leavesBodyUnsent(): boolean {
    return this.#head.expectsContinue && !this.#wasContinued && this.#connection.hasUnreadBody()
  }

  #refuse(status: number, detail: string): void {
    if (this.#isOver) return
    this.#outgoing!.abort()
    if (this.#status !== 0) {
      this.#end('failed')
      this.#connection.destroy()
    } else this.#answerInstead(status, detail)
  }

  #answerInstead(status: number, detail: string): void {
    this.#status = status
    this.#end('failed')
    this.#connection.respond(problemAnswer(status, detail, this.#connection.hasUnreadBody()))
  }

  #endStream(): void {
    if (this.#isOver) return
    this.#outgoing!.abort()
    if (this.#delivery === 'chunks') this.#connection.outlet.put('0\r\n\r\n')
    else this.#closes = true
    this.#finish()
  }

  #finish(): void {
    this.#connection.finish(this.#closes || this.#delivery === 'tunnel')
  }

  #end(end: ForwardEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#hooks.ended(end, {
      status: this.#status,
      receivedBytes: this.#connection.receivedBytes,
      sentBytes: this.#outgoing?.answerBytes ?? 0,
    })
  }
}

function isEventStream({ fields, framing }: AnswerHead): boolean {
  if (framing.kind !== 'chunked' && framing.kind !== 'close') return false
  return /^text\/event-stream\b/i.test(fields.valueOf(fieldBits.contentType) ?? '')
}
