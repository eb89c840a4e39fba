import type { Answer } from '../answers/answer.ts'
import type { Exchange, ForwardHooks, Origin } from '../front/exchange.ts'
import type { Upstream } from '../http1/upstream.ts'
import { answerStream } from './stream-answer.ts'
import { StreamForwarding, type StreamRequest } from './stream-forwarding.ts'

/** What a stream may send before somebody reads it: the rest waits at the client. Source: RFC 9113 §6.9.2 (initial window). */
const windowBytes = 65_535

/** A request of HTTP/2 on its way through the gate. */
export class StreamExchange implements Exchange {
  readonly method: string
  readonly target: string
  readonly path: string
  readonly httpVersion = '2'
  readonly origin: Origin
  readonly #request: StreamRequest

  constructor(request: StreamRequest) {
    const { head, peer } = request
    const query = head.target.indexOf('?')
    this.method = head.method
    this.target = head.target
    this.path = query < 0 ? head.target : head.target.slice(0, query)
    this.origin = peer.origin
    this.#request = request
  }

  field(name: string): string | undefined {
    return this.#request.head.fields.get(name)
  }

  get sizeBytes(): number {
    const { fields, framing } = this.#request.head
    if (framing.kind === 'none') return fields.text.length
    return fields.text.length + (framing.kind === 'length' ? Math.min(framing.sizeBytes, windowBytes) : windowBytes)
  }

  /** A stream that nobody reads is in no other's way. */
  hasUnreadBody(): boolean {
    return false
  }

  answer(answered: Answer): void {
    answerStream(this.#request.stream, this.#request.head.method, answered)
  }

  forward(upstream: Upstream, hooks: ForwardHooks): void {
    new StreamForwarding(this.#request, hooks).send(upstream)
  }

  onGone(gone: () => void): () => void {
    this.#request.stream.once('close', gone)
    return () => this.#request.stream.off('close', gone)
  }
}
