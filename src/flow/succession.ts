import type { Address } from '../gate/front/address.ts'
import type { Drained, DrainLimits } from '../gate/front/flights.ts'
import type { RunningPlace } from '../service/names.ts'

/*
 * What a serving process and the one that is to go on in its place tell each other, over the channel of a child process:
 * ready → take → taken, and then drain → drained for as long as the first has connections. Whoever hears nothing more is alone.
 */

/** The version of this language. Another one is not spoken. */
export const successionSchema = 1

/** What a successor needs that is not on the disk. */
export interface Estate {
  /** What is bound to the descriptors that it has, from 3 on. */
  readonly sockets: readonly { readonly name: string; readonly boundTo: Address | undefined }[]
  /** Names of the sockets that systemd handed to the first of us. */
  readonly inheritedNames: readonly string[]
  /** The release that runs, and where its services are; undefined when none does. */
  readonly release:
    | { readonly version: string; readonly place: RunningPlace; readonly servicePlace: Address }
    | undefined
}

/** What a serving process tells its successor. */
export type PredecessorMessage =
  | { readonly kind: 'take'; readonly estate: Estate }
  /** What it still had of the application has ended, or not. */
  | ({ readonly kind: 'drained' } & Drained)

/** What a successor tells. */
export type SuccessorMessage =
  /** It could serve. Nothing has changed yet. */
  | { readonly kind: 'ready'; readonly schema: number }
  /** It serves. What comes on connections of its predecessor is answered at that socket; in handover the application does it. */
  | { readonly kind: 'taken'; readonly answersAt: string | undefined }
  /** It will not serve, and ends. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  /** It has a successor itself, which answers there. */
  | { readonly kind: 'answers-at'; readonly path: string }
  /** Have what the application still has of you end. */
  | { readonly kind: 'drain'; readonly limits: DrainLimits }

/** One end of the channel. Messages are those of the other side. */
export interface SuccessionChannel {
  readonly send: (message: PredecessorMessage | SuccessorMessage) => void
  readonly onMessage: (take: (message: unknown) => void) => void
  /** Called when the other side is gone. */
  readonly onClosed: (call: () => void) => void
  readonly close: () => void
}
