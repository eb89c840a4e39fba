import type { Fields } from './fields.ts'
import { requestHeadText } from './head-text.ts'
import type { RequestHead } from './message.ts'
import type { AnswerSink, Outgoing, UpstreamFailure, UpstreamRequest } from './outgoing.ts'
import type { UpstreamConnection } from './upstream-connection.ts'

/** Methods that may be sent twice. Source: RFC 9110 §9.2.2. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** Where connections come from: one that was used before and is free, or a new one. */
export interface ConnectionSource {
  readonly connection: (request: UpstreamRequest, options: { readonly isNew: boolean }) => UpstreamConnection
}

/**
 * A request on its way to the application.
 *
 * A connection that was used before and breaks before any byte of an answer is the application's idle timeout: only then, and only without a
 * body and with an idempotent method, the request is sent once more. Source: RFC 9110 §9.2.2, RFC 9112 §9.3.1.
 */
export class OutgoingRequest implements Outgoing {
  readonly sink: AnswerSink
  readonly #request: UpstreamRequest
  readonly #source: ConnectionSource
  readonly #isWrapped: boolean
  #connection: UpstreamConnection | undefined
  #isSent = false
  #isOver = false
  #gathers = false
  #answerBytes = 0

  constructor(request: UpstreamRequest, sink: AnswerSink, source: ConnectionSource) {
    this.#request = request
    this.sink = sink
    this.#source = source
    this.#isWrapped = request.body === 'payload' && request.head.framing.kind === 'chunked'
  }

  get head(): RequestHead {
    return this.#request.head
  }

  /** Whether all of the request has been written. */
  get isSent(): boolean {
    return this.#isSent
  }

  get answerBytes(): number {
    return this.#isOver ? this.#answerBytes : (this.#connection?.answerBytes ?? 0)
  }

  send(): void {
    // Nobody may be told that a protocol was switched on a connection that was about to end.
    this.#carryBy(this.#source.connection(this.#request, { isNew: this.head.upgrade !== undefined }))
  }

  /** The connection stands. */
  connected(): void {
    const { outlet } = this.#connection!
    outlet.put(requestHeadText(this.head, this.#request.peer))
    if (this.head.framing.kind === 'none') {
      this.#markSent()
      outlet.flush()
      return
    }
    // A client that waits for the application's 100 sends nothing before that; else what is here of the body leaves with the head.
    if (this.head.expectsContinue) outlet.flush()
    this.#gathers = true
    this.sink.ready()
    this.#gathers = false
    if (!this.#isOver) outlet.flush()
  }

  write(piece: Buffer): boolean {
    if (this.#isOver) return true
    const { outlet } = this.#connection!
    this.#connection!.touch()
    if (this.#isWrapped) outlet.put(`${piece.length.toString(16)}\r\n`)
    const hasLeft = outlet.putBytes(piece)
    if (this.#isWrapped) outlet.put('\r\n')
    return this.#gathers ? hasLeft : outlet.flush()
  }

  end(trailers?: string): void {
    if (this.#isOver) return
    const { outlet } = this.#connection!
    if (this.#isWrapped) outlet.put(`0\r\n${trailers ?? ''}\r\n`)
    else if (trailers !== undefined) outlet.put(`${trailers}\r\n`)
    if (!this.#gathers) outlet.flush()
    if (this.head.upgrade !== undefined) this.#connection!.endWriting()
    else this.#markSent()
  }

  resume(): void {
    this.#connection?.resume()
    if (this.#isOver) this.#connection = undefined
  }

  abort(): void {
    const connection = this.#connection
    this.#finish()
    connection?.destroy()
  }

  /** The application takes more. */
  drained(): void {
    if (!this.#isOver) this.sink.drained()
  }

  /** What came with one read was told. */
  flush(): void {
    if (!this.#isOver) this.sink.flush()
  }

  /** The answer is complete. `isNeeded`: a piece of it is still needed, and the connection waits for that. */
  complete(trailers: Fields | undefined, isNeeded: boolean): void {
    const connection = this.#connection
    this.#finish()
    if (isNeeded) this.#connection = connection
    this.sink.end(trailers)
  }

  /** There is no answer, or not all of it. */
  failed(failure: UpstreamFailure): void {
    this.#finish()
    this.sink.failed(failure)
  }

  /** The connection has ended. */
  broken({ heardAnswer, wasUsed }: { readonly heardAnswer: boolean; readonly wasUsed: boolean }): void {
    const { method, framing, upgrade } = this.head
    const isRepeatable = framing.kind === 'none' && upgrade === undefined && idempotent.has(method)
    if (heardAnswer || !wasUsed || !isRepeatable) this.failed('broken')
    else this.#carryBy(this.#source.connection(this.#request, { isNew: true }))
  }

  #finish(): void {
    this.#answerBytes = this.answerBytes
    this.#isOver = true
    this.#connection = undefined
  }

  #carryBy(connection: UpstreamConnection): void {
    this.#isSent = false
    this.#connection = connection
    connection.carry(this)
  }

  #markSent(): void {
    this.#isSent = true
    this.#connection!.touch()
  }
}
