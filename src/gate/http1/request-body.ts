import { BodyReader } from './body-reader.ts'
import type { Fields } from './fields.ts'
import type { AnswerFraming } from './message.ts'

/** What nobody reads yet is kept up to this size before reading stops: the rest waits in the kernel. */
export const keptBytes = 4096

/** What a request that waits keeps of its body at most: that, and what comes with one read. */
export const unreadBytes = keptBytes + 65_536

/** Who gets the body of a request. */
export interface BodyTaker {
  /** Bytes of the wire, without extensions of chunks. Post: false when it is enough for now. */
  readonly bodyPiece: (piece: Buffer) => boolean
  /** It is complete. Trailers are given when there are some; their section and its end are not among the pieces then. */
  readonly bodyEnd: (trailers: Fields | undefined) => void
  /** It is not delimited as it says. */
  readonly bodyMalformed: () => void
  /** The client sends nothing more, for too long. */
  readonly bodyLate: () => void
}

/** The body of the request in progress: nothing is read of it before somebody takes it. */
export class RequestBody {
  readonly #framing: AnswerFraming
  readonly #reader: BodyReader
  #taker: BodyTaker | undefined
  #isFull = false

  constructor(framing: AnswerFraming) {
    this.#framing = framing
    this.#reader = new BodyReader(framing, 'framed')
  }

  get isStarted(): boolean {
    return this.#taker !== undefined
  }

  get isComplete(): boolean {
    return this.#reader.isComplete
  }

  get isMalformed(): boolean {
    return this.#reader.isMalformed
  }

  get isTunnel(): boolean {
    return this.#framing.kind === 'tunnel'
  }

  /** Whether its taker waits for more of it. */
  get isAwaited(): boolean {
    return this.isStarted && !this.isComplete && !this.isTunnel
  }

  /** Whether the last piece was enough for now. */
  get isFull(): boolean {
    return this.#isFull
  }

  get receivedBytes(): number {
    return this.#reader.payloadBytes
  }

  get taker(): BodyTaker | undefined {
    return this.#taker
  }

  /** Whether some bytes that nobody has read hold all the rest of it. */
  isCompleteWith(unread: Buffer | undefined): boolean {
    if (this.isComplete) return true
    if (unread === undefined || this.isStarted) return false
    const reader = new BodyReader(this.#framing, 'framed')
    reader.read(unread, 0, unread.length)
    return reader.isComplete
  }

  /** Give what follows to somebody, or to somebody else. */
  start(taker: BodyTaker): void {
    this.#taker = taker
    this.#isFull = false
  }

  /** Read what came. Post: the position behind the body, or behind all. */
  read(bytes: Buffer): number {
    const end = this.#reader.read(bytes, 0, bytes.length)
    const { ranges } = this.#reader
    let takesMore = true
    for (let index = 0; index < ranges.length; index += 2) {
      takesMore = this.#taker!.bodyPiece(bytes.subarray(ranges[index], ranges[index + 1])) && takesMore
    }
    this.#isFull = !takesMore
    if (this.#reader.isMalformed) this.#taker!.bodyMalformed()
    else if (this.#reader.isComplete) this.#taker!.bodyEnd(this.#reader.trailers)
    return end
  }
}
