import type { Answer } from '../answers/answer.ts'
import type { Upstream } from '../http1/upstream.ts'

/** How forwarding ended: `unsent` means that not one byte of the request left, so that it can wait and be sent again. */
export type ForwardEnd = 'answered' | 'failed' | 'abandoned' | 'unsent'

/** What came of a forwarded request. Sizes are of bodies, in bytes. */
export interface ForwardFigures {
  /** The status that the client got; 499 when it hung up before it got one. */
  readonly status: number
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** What forwarding tells and asks while it goes on. */
export interface ForwardHooks {
  /** The answer is an event stream or a tunnel: it lasts. `end` finishes it in good order. */
  readonly becameStream: (end: () => void) => void
  /** Called once. */
  readonly ended: (end: ForwardEnd, figures: ForwardFigures) => void
  /** Whether the client's connection is to end with this answer. */
  readonly closes: () => boolean
  /** Fields to add to the application's answer, once its status is known: name, value, name, value. Called once, before the head is written. */
  readonly addedFields: (status: number) => readonly string[]
}

/** What the edge knows of where a request came from. */
export interface Origin {
  /** Who sent it, as a trusted PROXY header says, else as the connection does; undefined on a unix socket. */
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  /** Whose connection it is; undefined on a unix socket. */
  readonly peerAddress: string | undefined
  /** Whether it came over TLS. */
  readonly isSecure: boolean
}

/** A request on its way through the gate: an ordinary one, or one that asks for an upgrade. Made by http1/ and http2/, used by front/. */
export interface Exchange {
  readonly method: string
  /** The request target in origin form, query included. */
  readonly target: string
  /** The same without the query. */
  readonly path: string
  /** `1.0`, `1.1` or `2`. */
  readonly httpVersion: string
  readonly origin: Origin
  /** The value of a field by its name in lower case; several are joined by `, ` (Cookie by `; `); undefined when there is none. */
  readonly field: (name: string) => string | undefined
  /** What it keeps in memory at most while it waits. */
  readonly sizeBytes: number
  /** Whether a body is still to come that nobody has read, so that the connection cannot be used again after an answer. */
  readonly hasUnreadBody: () => boolean
  /** Answer in the application's place. */
  readonly answer: (answered: Answer) => void
  /** Hand it to the application. Not called again unless it ended `unsent`. */
  readonly forward: (upstream: Upstream, hooks: ForwardHooks) => void
  /** Call when the client hangs up before it got its answer; the result stops that. */
  readonly onGone: (gone: () => void) => () => void
}
