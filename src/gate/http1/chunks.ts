import { byteOf, characterBits, characterClasses } from './characters.ts'
import { type Fields, parseFields } from './fields.ts'
import { HeadReader } from './head-reader.ts'

/** A size has at most so many digits: larger is no number that can be counted with. */
const sizeDigits = 13

/** Bounds of what nobody needs but a sender may send. */
const extensionBytes = 4096
const trailerBytes = 16_384

/** What comes next. */
type State =
  | 'size'
  | 'extension'
  | 'size-feed'
  | 'data'
  | 'data-return'
  | 'data-feed'
  | 'trailers'
  | 'last-feed'
  | 'fields'
  | 'complete'
  | 'malformed'

/**
 * Follow a chunked body through the pieces in which it comes, and say which bytes of them are to be passed on.
 *
 * With `payload` those are the body's; with `framed` they are the bytes of the wire without extensions, which may be passed on as they are:
 * a correct body has one range in each piece, however many chunks it has. A section of trailers that has fields is in neither.
 * Source: RFC 9112 §7.1. Lines end with CR LF only, and nothing stands between a size and its end or `;`: where parsers differ in what they
 * forgive, a body could hide a request.
 */
export class ChunkReader {
  readonly #framed: boolean
  #trailerReader: HeadReader | undefined
  #state: State = 'size'
  #digits = 0
  #leftBytes = 0
  #extensionBytes = 0
  /** Where the present range began; -1 between two. */
  #runStart = -1
  /** Positions in the last piece: where a range begins, where it ends, and so on. */
  readonly ranges: number[] = []
  /** The fields behind the last chunk, when there are some. */
  trailers: Fields | undefined
  payloadBytes = 0

  constructor(yields: 'payload' | 'framed') {
    this.#framed = yields === 'framed'
  }

  get isComplete(): boolean {
    return this.#state === 'complete'
  }

  get isMalformed(): boolean {
    return this.#state === 'malformed'
  }

  /** Read the bytes between two positions. Post: the position behind the body, or `to`; `ranges` says what of them is to be passed on. */
  read(bytes: Buffer, from: number, to: number): number {
    this.ranges.length = 0
    this.#runStart = this.#framed && this.#state !== 'extension' && this.#state !== 'fields' ? from : -1
    let at = from
    while (at < to && this.#state !== 'complete' && this.#state !== 'malformed') {
      if (this.#state === 'data') at = this.#data(at, to)
      else if (this.#state === 'fields') at = this.#fields(bytes, at, to)
      else at = this.#framing(bytes[at]!, at)
    }
    if (this.#state === 'malformed') this.ranges.length = 0
    else this.#endRun(at)
    return at
  }

  #data(at: number, to: number): number {
    const end = Math.min(to, at + this.#leftBytes)
    this.#leftBytes -= end - at
    this.payloadBytes += end - at
    if (!this.#framed) this.ranges.push(at, end)
    if (this.#leftBytes === 0) this.#state = 'data-return'
    return end
  }

  /** Post: the position of the next byte, or of the same when it is the first of the trailers. */
  #framing(byte: number, at: number): number {
    switch (this.#state) {
      case 'size':
        this.#size(byte, at)
        break
      case 'extension':
        this.#extension(byte, at)
        break
      case 'size-feed':
        this.#expect(byte, byteOf.lineFeed, this.#leftBytes === 0 ? 'trailers' : 'data')
        break
      case 'data-return':
        this.#expect(byte, byteOf.carriageReturn, 'data-feed')
        break
      case 'data-feed':
        this.#expect(byte, byteOf.lineFeed, 'size')
        this.#digits = 0
        this.#leftBytes = 0
        break
      case 'trailers':
        if (byte === byteOf.carriageReturn) this.#state = 'last-feed'
        else {
          this.#endRun(at)
          this.#state = 'fields'
          return at
        }
        break
      case 'last-feed':
        this.#expect(byte, byteOf.lineFeed, 'complete')
        break
    }
    return at + 1
  }

  #expect(byte: number, expected: number, next: State): void {
    this.#state = byte === expected ? next : 'malformed'
  }

  #size(byte: number, at: number): void {
    if ((characterClasses[byte]! & characterBits.hex) !== 0 && this.#digits < sizeDigits) {
      this.#leftBytes = this.#leftBytes * 16 + hexValue(byte)
      this.#digits += 1
    } else if (this.#digits === 0) this.#state = 'malformed'
    else if (byte === byteOf.carriageReturn) this.#state = 'size-feed'
    else if (byte === byteOf.semicolon) {
      this.#endRun(at)
      this.#state = 'extension'
    } else this.#state = 'malformed'
  }

  #extension(byte: number, at: number): void {
    this.#extensionBytes += 1
    if (byte === byteOf.carriageReturn) {
      this.#state = 'size-feed'
      if (this.#framed) this.#runStart = at
    } else if ((characterClasses[byte]! & characterBits.value) === 0 || this.#extensionBytes > extensionBytes) {
      this.#state = 'malformed'
    }
  }

  #fields(bytes: Buffer, at: number, to: number): number {
    this.#trailerReader ??= new HeadReader({ skipsEmptyLines: false, limitBytes: trailerBytes })
    const end = this.#trailerReader.read(bytes, at, to)
    if (this.#trailerReader.progress === 'partial') return end
    this.trailers = this.#trailerReader.progress === 'complete' ? parseFields(this.#trailerReader.text, 0) : undefined
    this.#state = this.trailers === undefined ? 'malformed' : 'complete'
    return end
  }

  #endRun(at: number): void {
    if (this.#runStart >= 0 && this.#runStart < at) this.ranges.push(this.#runStart, at)
    this.#runStart = -1
  }
}

function hexValue(byte: number): number {
  return byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57
}
