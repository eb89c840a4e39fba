import type { Fields } from './fields.ts'
import type { AnswerHead, RequestHead } from './message.ts'
import type { Peer } from './peer.ts'

/** A request for the application. */
export interface UpstreamRequest {
  readonly head: RequestHead
  readonly peer: Peer
  /**
   * What `write` of a chunked body gets: `framed`, bytes of the wire with the sizes of chunks in them, or `payload`, bytes of the body, which
   * are put into chunks. Without meaning for other bodies.
   */
  readonly body: 'framed' | 'payload'
}

/**
 * Why there is no answer, or not all of it. `unsent`: no connection could be made, not one byte left. `broken`: the application broke its
 * connection. `invalid`: what it said is not HTTP. `late`: it said nothing in time.
 */
export type UpstreamFailure = 'unsent' | 'broken' | 'invalid' | 'late'

/**
 * Who gets the answer to a request: the side of a client, of HTTP/1.1 or 2.
 *
 * Order: `ready` (with a body only), `interim` any number of times, `answer`, `body` any number of times, `end`; or `failed` at any point,
 * which is last. All are called from within `send`, or later; none after `abort`.
 */
export interface AnswerSink {
  /** A connection stands: the request's body may be written. Until now nothing of it may have been taken from the client. */
  ready(): void
  /** The application takes more of the request's body after `write` was false. */
  drained(): void
  /** An answer before the answer: 100, 103. */
  interim(head: AnswerHead): void
  /** The answer begins. Post: tells what `body` is to get of a chunked answer: bytes of the body (`payload`), or of the wire (`framed`). */
  answer(head: AnswerHead): 'payload' | 'framed'
  /**
   * A piece of the body, or of the tunnel after a 101. `true`: it is used up, its bytes are written over afterwards. `false`: it is still
   * needed; then nothing more is read until {@link Outgoing.resume}, but what was read already may follow at once.
   */
  body(piece: Buffer): boolean
  /** The answer is complete. Trailers are given when there are some; with `framed`, their section and its end are still to be written then. */
  end(trailers: Fields | undefined): void
  /** All that came with one read was told, and more is to come: what was put together can be written. */
  flush(): void
  failed(failure: UpstreamFailure): void
}

/**
 * A request on its way to the application, and the answer on its way back. Made by {@link Upstream.open}.
 *
 * The owner calls `send` once; where the request has a body, it waits for {@link AnswerSink.ready}, then `write`s and `end`s. An answer may
 * begin, and end, before that: what is written afterwards is dropped. For a tunnel `write` and `end` go on after the 101.
 */
export interface Outgoing {
  send(): void
  /** Send a piece of the body. Post: false when the application does not keep up; then wait for {@link AnswerSink.drained}. */
  write(piece: Buffer): boolean
  /** The body is complete. Trailers are lines, each with its end; given with a `framed` body, their section and its end were not written. */
  end(trailers?: string): void
  /** Read on after {@link AnswerSink.body} was false: its piece was used up. */
  resume(): void
  /** The client is gone, or has enough: nothing is told any more. */
  abort(): void
  /** How much of the answer's body came, without what delimits it. */
  readonly answerBytes: number
}
