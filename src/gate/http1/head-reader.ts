import { byteOf } from './characters.ts'

/** How far a head has come. `malformed`: a CR without LF, or an LF without CR. */
export type HeadProgress = 'partial' | 'complete' | 'malformed' | 'too-long'

/** What the bytes before were: none but empty lines, the same and a CR, some of a line, that and a CR, whole lines, those and a CR. */
const atStart = 0
const afterStartReturn = 1
const inLine = 2
const afterReturn = 3
const afterLine = 4
const afterLineReturn = 5
const complete = 6
const malformed = 7

/** The state after a CR, and after an LF, by the state before. */
const afterReturnIn: readonly number[] = [
  afterStartReturn,
  malformed,
  afterReturn,
  malformed,
  afterLineReturn,
  malformed,
]
const afterFeedIn: readonly number[] = [malformed, atStart, malformed, afterLine, malformed, complete]

/** The state after any other byte: none may follow a CR. */
function stateAfterText(state: number): number {
  return state === afterStartReturn || state === afterReturn || state === afterLineReturn ? malformed : inLine
}

/**
 * Collect a head from the pieces in which it comes, up to the empty line that ends it.
 *
 * The result depends on the bytes only, not on how they are cut into pieces. Empty lines before a request are skipped, as old clients send
 * one behind a body. Source: RFC 9112 §2.2.
 */
export class HeadReader {
  readonly #skipsEmptyLines: boolean
  #limitBytes: number
  #state = inLine
  #seenBytes = 0
  #text = ''
  #progress: HeadProgress = 'partial'
  #endedFirstLine = false

  /** Post: a head of more than `limitBytes` is too long, skipped empty lines among them. */
  constructor(options: { readonly skipsEmptyLines: boolean; readonly limitBytes: number }) {
    this.#skipsEmptyLines = options.skipsEmptyLines
    this.#limitBytes = options.limitBytes
    this.reset(options.limitBytes)
  }

  get progress(): HeadProgress {
    return this.#progress
  }

  /** What came of the head, latin1; once it is complete, all of it with the empty line at its end. */
  get text(): string {
    return this.#text
  }

  /** Whether the first line is whole. */
  get endedFirstLine(): boolean {
    return this.#endedFirstLine
  }

  /** Begin with the next head. */
  reset(limitBytes: number): void {
    this.#limitBytes = limitBytes
    this.#state = this.#skipsEmptyLines ? atStart : inLine
    this.#seenBytes = 0
    this.#text = ''
    this.#progress = 'partial'
    this.#endedFirstLine = false
  }

  /** Read the bytes between two positions. Post: the position behind the last byte that was read; when the head is complete, what follows it. */
  read(bytes: Buffer, from: number, to: number): number {
    const last = Math.min(to, from + this.#limitBytes - this.#seenBytes)
    let start = from
    let state = this.#state
    let at = from
    while (at < last) {
      const byte = bytes[at]!
      at += 1
      if (byte > byteOf.carriageReturn) {
        if (state !== inLine) state = stateAfterText(state)
        if (state !== inLine) break
        continue
      }
      state = this.#next(state, byte)
      if (state === atStart) {
        start = at
        this.#text = ''
      }
      if (state >= complete) break
    }
    this.#state = state
    this.#seenBytes += at - from
    if (state !== malformed && at > start) this.#text += bytes.toString('latin1', start, at)
    this.#judge()
    return at
  }

  /** The state after a control character. */
  #next(state: number, byte: number): number {
    if (byte === byteOf.carriageReturn) return afterReturnIn[state]!
    if (byte !== byteOf.lineFeed) return stateAfterText(state)
    if (state === afterReturn) this.#endedFirstLine = true
    return afterFeedIn[state]!
  }

  #judge(): void {
    if (this.#state === complete) this.#progress = 'complete'
    else if (this.#state === malformed) this.#progress = 'malformed'
    else if (this.#seenBytes >= this.#limitBytes) this.#progress = 'too-long'
  }
}
