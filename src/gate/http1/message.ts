import type { Fields } from './fields.ts'

/** How a body is delimited. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly sizeBytes: number }
  | { readonly kind: 'chunked' }

/** How the body of an answer is delimited: `close` by the end of the connection; `tunnel` is none, but bytes both ways from now on. */
export type AnswerFraming = Framing | { readonly kind: 'close' } | { readonly kind: 'tunnel' }

/** The head of a request, found fit to be sent on. Made by gate/http1/parse-request.ts, and by http2/ for its clients. */
export interface RequestHead {
  readonly method: string
  /** In origin form, query included, or `*`. */
  readonly target: string
  /** The authority: an absolute target's, else that of the Host field (`:authority`); `''` when there is none. */
  readonly host: string
  readonly httpVersion: '1.0' | '1.1' | '2'
  readonly fields: Fields
  readonly framing: Framing
  /** The protocol to upgrade to, when the request asks for it. */
  readonly upgrade: string | undefined
  readonly expectsContinue: boolean
  /** Whether the client's connection may go on after the answer. */
  readonly persists: boolean
}

/** The head of an answer of the application. */
export interface AnswerHead {
  readonly status: number
  readonly reason: string
  readonly fields: Fields
  readonly framing: AnswerFraming
  /** Whether the application's connection may go on after the answer. */
  readonly persists: boolean
}
