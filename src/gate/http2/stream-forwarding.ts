import { constants, type ServerHttp2Stream } from 'node:http2'
import { problemAnswer } from '../answers/answer.ts'
import type { ForwardEnd, ForwardHooks } from '../front/exchange.ts'
import { fieldBits } from '../http1/field-names.ts'
import type { Fields } from '../http1/fields.ts'
import { answerFields, trailerFields, trailerLines } from '../http1/head-text.ts'
import type { AnswerHead, RequestHead } from '../http1/message.ts'
import type { AnswerSink, Outgoing, UpstreamFailure } from '../http1/outgoing.ts'
import type { Peer } from '../http1/peer.ts'
import type { Upstream } from '../http1/upstream.ts'
import { parseStreamTrailers, type RawFields } from './parse-request-head.ts'
import { answerStream, endAnswer, headersOf } from './stream-answer.ts'

/** A request of HTTP/2 with what it is read from and answered on. */
export interface StreamRequest {
  readonly stream: ServerHttp2Stream
  readonly head: RequestHead
  readonly peer: Peer
  /** The trailers that came so far: they may be here before anybody takes the body. */
  readonly trailers: () => RawFields
  /** How long its client may make no progress with a body. */
  readonly bodyTimeoutMs: number
  /** Tell the client to make no more requests on its connection. */
  readonly goAway: () => void
}

const failureWords: Readonly<Record<Exclude<UpstreamFailure, 'unsent'>, string>> = {
  broken: 'The application closed the connection without an answer.',
  invalid: 'The application answered with something that is not HTTP.',
  late: 'The application took too long to answer.',
}

/**
 * Carry a request of HTTP/2 to the application and its answer back, each no faster than the other side reads.
 *
 * An answer that breaks resets its stream, so that no client takes it for complete; a stream that its client resets ends the request.
 */
export class StreamForwarding implements AnswerSink {
  readonly #request: StreamRequest
  readonly #hooks: ForwardHooks
  #outgoing: Outgoing | undefined
  #status = 0
  #receivedBytes = 0
  #sentBytes = 0
  /** Pieces of the answer that were not written yet. */
  #unwritten = 0
  #answerTrailers: Fields | undefined
  #isComplete = false
  #isOver = false
  readonly #onClose = () => this.#closed()

  constructor(request: StreamRequest, hooks: ForwardHooks) {
    this.#request = request
    this.#hooks = hooks
  }

  send(upstream: Upstream): void {
    const { stream, head, peer, bodyTimeoutMs } = this.#request
    stream.once('close', this.#onClose)
    stream.setTimeout(bodyTimeoutMs, () => this.#stalled())
    this.#outgoing = upstream.open({ head, peer, body: 'payload' }, this)
    this.#outgoing.send()
  }

  ready(): void {
    const { stream } = this.#request
    // An empty body may have ended before anybody took it.
    if (stream.readableEnded) {
      this.#endBody()
      return
    }
    stream.on('data', (piece: Buffer) => {
      this.#receivedBytes += piece.length
      if (!this.#outgoing!.write(piece)) stream.pause()
    })
    stream.once('end', () => this.#endBody())
  }

  drained(): void {
    this.#request.stream.resume()
  }

  interim(head: AnswerHead): void {
    const { stream } = this.#request
    if (!stream.headersSent && !stream.destroyed) {
      stream.additionalHeaders({ ...headersOf(answerFields(head)), ':status': head.status })
    }
  }

  answer(head: AnswerHead): 'payload' {
    const { stream } = this.#request
    this.#status = head.status
    const added = this.#hooks.addedFields(head.status)
    const endStream = head.framing.kind === 'none'
    const fields = answerFields(head).flat()
    for (let index = 0; index + 1 < added.length; index += 2)
      fields.push(added[index]!.toLowerCase(), added[index + 1]!)
    stream.once('wantTrailers', () => this.#sendTrailers())
    stream.respond([':status', String(head.status), ...fields], {
      endStream,
      // Else Node would end the stream in good order before it resets it, and half an answer would look whole.
      waitForTrailers: !endStream,
    })
    if (this.#hooks.closes()) this.#request.goAway()
    if (/^text\/event-stream\b/i.test(head.fields.valueOf(fieldBits.contentType) ?? '')) {
      this.#hooks.becameStream(() => this.#endStream())
    }
    return 'payload'
  }

  body(piece: Buffer): boolean {
    this.#sentBytes += piece.length
    this.#unwritten += 1
    this.#request.stream.write(piece, () => {
      this.#unwritten -= 1
      if (this.#unwritten === 0) this.#outgoing!.resume()
    })
    return false
  }

  end(trailers: Fields | undefined): void {
    this.#answerTrailers = trailers
    this.#isComplete = true
    endAnswer(this.#request.stream)
  }

  flush(): void {}

  failed(failure: UpstreamFailure): void {
    const { stream, head } = this.#request
    if (failure === 'unsent') {
      this.#finish('unsent')
      return
    }
    if (this.#status === 0) {
      this.#status = failure === 'late' ? 504 : 502
      answerStream(stream, head.method, problemAnswer(this.#status, failureWords[failure], false))
    } else stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    this.#finish('failed')
  }

  #endBody(): void {
    if (this.#isOver) return
    const trailers = parseStreamTrailers(this.#request.trailers())
    if (trailers === undefined) this.#request.stream.close(constants.NGHTTP2_PROTOCOL_ERROR)
    else this.#outgoing!.end(trailerLines(trailers))
  }

  #sendTrailers(): void {
    if (!this.#isComplete) return
    const trailers = this.#answerTrailers
    this.#request.stream.sendTrailers(trailers === undefined ? {} : headersOf(trailerFields(trailers)))
  }

  /** End an event stream in good order. */
  #endStream(): void {
    this.#outgoing!.abort()
    this.#isComplete = true
    endAnswer(this.#request.stream)
  }

  /** Nothing moved for a while: that is the client's doing while it is read from, or written to; else the application is at work. */
  #stalled(): void {
    const { stream } = this.#request
    const isReading = stream.readableFlowing === true && !stream.readableEnded
    if (isReading || this.#unwritten > 0) stream.close(constants.NGHTTP2_CANCEL)
  }

  #closed(): void {
    if (this.#isComplete && this.#request.stream.writableFinished) {
      this.#finish('answered')
      return
    }
    this.#outgoing!.abort()
    if (this.#status === 0) this.#status = 499
    this.#finish('abandoned')
  }

  #finish(end: ForwardEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#request.stream.off('close', this.#onClose)
    this.#hooks.ended(end, { status: this.#status, receivedBytes: this.#receivedBytes, sentBytes: this.#sentBytes })
  }
}
