import type { Answer } from './answer.ts'
import type { Upstream } from './upstream.ts'

/** How forwarding ended: `unsent` means that not one byte of the request left, so that it can wait and be sent again. */
export type ForwardEnd = 'answered' | 'failed' | 'abandoned' | 'unsent'

/** What forwarding tells while it goes on. */
export interface ForwardHooks {
  /** The answer is an event stream or a tunnel: it lasts. `end` finishes it in good order. */
  readonly becameStream: (end: () => void) => void
  /** Called once. */
  readonly ended: (end: ForwardEnd) => void
  /** Whether the client's connection is to end with this answer. */
  readonly closes: () => boolean
}

/** A request on its way through the gate: an ordinary one, or one that asks for an upgrade. */
export interface Exchange {
  readonly path: string
  readonly accept: string | undefined
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
