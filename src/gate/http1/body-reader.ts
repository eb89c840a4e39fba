import { ChunkReader } from './chunks.ts'
import type { Fields } from './fields.ts'
import type { AnswerFraming } from './message.ts'

/**
 * Follow a body, however it is delimited, through the pieces in which it comes, and say which bytes of them are to be passed on.
 *
 * Nothing is copied: `ranges` are positions in the last piece. What is delimited by the end of its connection is never complete here.
 */
export class BodyReader {
  readonly #chunks: ChunkReader | undefined
  readonly #ranges: number[] = []
  #leftBytes: number
  #passedBytes = 0

  constructor(framing: AnswerFraming, yields: 'payload' | 'framed') {
    this.#chunks = framing.kind === 'chunked' ? new ChunkReader(yields) : undefined
    this.#leftBytes =
      framing.kind === 'length' ? framing.sizeBytes : framing.kind === 'none' ? 0 : Number.POSITIVE_INFINITY
  }

  get isComplete(): boolean {
    return this.#chunks?.isComplete ?? this.#leftBytes === 0
  }

  get isMalformed(): boolean {
    return this.#chunks?.isMalformed ?? false
  }

  /** Where a range begins, where it ends, and so on. */
  get ranges(): readonly number[] {
    return this.#chunks?.ranges ?? this.#ranges
  }

  get trailers(): Fields | undefined {
    return this.#chunks?.trailers
  }

  /** How much of the body itself came, without what delimits it. */
  get payloadBytes(): number {
    return this.#chunks?.payloadBytes ?? this.#passedBytes
  }

  /** Read the bytes between two positions. Post: the position behind the body, or `to`. */
  read(bytes: Buffer, from: number, to: number): number {
    if (this.#chunks !== undefined) return this.#chunks.read(bytes, from, to)
    const end = Math.min(to, from + this.#leftBytes)
    this.#leftBytes -= end - from
    this.#passedBytes += end - from
    this.#ranges.length = 0
    if (end > from) this.#ranges.push(from, end)
    return end
  }
}
