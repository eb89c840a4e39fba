import type { Answer } from '../answers/answer.ts'
import type { Exchange, ForwardHooks, Origin } from '../front/exchange.ts'
import type { ClientConnection } from './client-connection.ts'
import { Forwarding } from './forwarding.ts'
import type { RequestHead } from './message.ts'
import { unreadBytes } from './request-body.ts'
import type { Upstream } from './upstream.ts'

/** A request of HTTP/1, an ordinary one or one that asks for an upgrade, while it waits and while it is forwarded. */
export class RequestExchange implements Exchange {
  readonly head: RequestHead
  readonly path: string
  readonly #connection: ClientConnection
  #forwarding: Forwarding | undefined
  #gone: (() => void) | undefined

  constructor(head: RequestHead, connection: ClientConnection) {
    this.head = head
    this.#connection = connection
    const query = head.target.indexOf('?')
    this.path = query < 0 ? head.target : head.target.slice(0, query)
  }

  get method(): string {
    return this.head.method
  }

  get target(): string {
    return this.head.target
  }

  get httpVersion(): string {
    return this.head.httpVersion
  }

  get origin(): Origin {
    return this.#connection.peer.origin
  }

  get sizeBytes(): number {
    const { framing, fields } = this.head
    const bodyBytes = framing.kind === 'length' ? framing.sizeBytes : framing.kind === 'none' ? 0 : unreadBytes
    return fields.text.length + Math.min(bodyBytes, unreadBytes)
  }

  field(name: string): string | undefined {
    return this.head.fields.get(name)
  }

  hasUnreadBody(): boolean {
    return this.#connection.hasUnreadBody()
  }

  answer(answered: Answer): void {
    this.#connection.respond(answered)
  }

  forward(upstream: Upstream, hooks: ForwardHooks): void {
    this.#forwarding = new Forwarding(this.head, this.#connection, hooks)
    this.#forwarding.start(upstream)
  }

  onGone(gone: () => void): () => void {
    this.#gone = gone
    return () => {
      if (this.#gone === gone) this.#gone = undefined
    }
  }

  /** The client has hung up. */
  gone(): void {
    this.#gone?.()
    this.#forwarding?.gone()
  }

  /** The answer has left. */
  left(): void {
    this.#forwarding?.left()
  }

  /** The client has read what was written. */
  drained(): void {
    this.#forwarding?.clientDrained()
  }
}
