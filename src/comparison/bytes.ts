import type { Pair } from './difference.ts'

/** Bytes around a place: `at` is the index of the first that differs, or the length when the content ends there. */
export interface Window {
  readonly bytes: Buffer
  readonly at: number
}

/** Where two contents first differ. */
export interface ByteDifference extends Pair<Window> {
  /** Counted from 0. */
  readonly offset: number
  /** Counted from 1; undefined when the content is no text. */
  readonly line: number | undefined
}

/** How much around the first difference is kept: a path or a date that begins before it can be told then. */
const windowBytes = 128
const newline = 0x0a

/** Find where two contents that come in pieces first differ; undefined when they are equal. Post: neither is held in memory. */
export async function firstDifference(
  released: AsyncIterable<Uint8Array>,
  rebuilt: AsyncIterable<Uint8Array>,
): Promise<ByteDifference | undefined> {
  const cursors = { released: new Cursor(released), rebuilt: new Cursor(rebuilt) }
  const common = new CommonStart()
  try {
    for (;;) {
      await cursors.released.fill(1)
      await cursors.rebuilt.fill(1)
      const length = Math.min(cursors.released.bytes.byteLength, cursors.rebuilt.bytes.byteLength)
      const ended = cursors.released.bytes.byteLength === cursors.rebuilt.bytes.byteLength
      if (length === 0 && ended) return undefined
      const at = mismatch(cursors.released.bytes.subarray(0, length), cursors.rebuilt.bytes.subarray(0, length))
      common.add(cursors.released.bytes.subarray(0, at))
      cursors.released.skip(at)
      cursors.rebuilt.skip(at)
      if (at < length || length === 0) break
    }
    await cursors.released.fill(windowBytes)
    await cursors.rebuilt.fill(windowBytes)
    return common.differenceAt(cursors.released.bytes, cursors.rebuilt.bytes)
  } finally {
    await cursors.released.close()
    await cursors.rebuilt.close()
  }
}

/** Find where two contents in memory first differ; undefined when they are equal. */
export function firstDifferenceIn(released: Uint8Array, rebuilt: Uint8Array): ByteDifference | undefined {
  const [a, b] = [asBuffer(released), asBuffer(rebuilt)]
  if (a.equals(b)) return undefined
  const length = Math.min(a.byteLength, b.byteLength)
  const at = mismatch(a.subarray(0, length), b.subarray(0, length))
  const common = new CommonStart()
  common.add(a.subarray(0, at))
  return common.differenceAt(a.subarray(at), b.subarray(at))
}

/** Show a few bytes from the first difference on: text in quotes where it is text, else hexadecimal digits. */
export function showWindow({ bytes, at }: Window): string {
  if (at === bytes.byteLength) return 'ends'
  if (isText(bytes)) {
    // An offset below 0 would be counted from the end.
    const lineStart = at === 0 ? 0 : bytes.lastIndexOf(newline, at - 1) + 1
    const start = Math.max(lineStart, at - 16)
    const lineEnd = bytes.indexOf(newline, at)
    const end = Math.min(lineEnd === -1 ? bytes.byteLength : Math.max(lineEnd, at + 1), at + 24)
    return JSON.stringify(bytes.toString('utf8', start, end))
  }
  return bytes
    .subarray(at, at + 8)
    .toString('hex')
    .replace(/../g, '$& ')
    .trimEnd()
}

/** Tell where a difference is for people: `line 3` in a text, else `byte 4711`. */
export function placeOf({ line, offset }: ByteDifference): string {
  return line === undefined ? `byte ${offset}` : `line ${line}, byte ${offset}`
}

/** What both contents begin with: only its end is kept, and what tells text and lines. */
class CommonStart {
  #offset = 0
  #newlines = 0
  #isText = true
  #end: Buffer = Buffer.alloc(0)

  add(bytes: Buffer): void {
    this.#offset += bytes.byteLength
    this.#isText &&= !bytes.includes(0)
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) this.#newlines += 1
    const end = bytes.subarray(-windowBytes)
    this.#end = Buffer.concat([this.#end, end]).subarray(-windowBytes)
  }

  differenceAt(released: Buffer, rebuilt: Buffer): ByteDifference {
    const windowOf = (rest: Buffer): Window => ({
      bytes: Buffer.concat([this.#end, rest.subarray(0, windowBytes)]),
      at: this.#end.byteLength,
    })
    const [a, b] = [windowOf(released), windowOf(rebuilt)]
    const isWholeText = this.#isText && isText(a.bytes) && isText(b.bytes)
    return { offset: this.#offset, line: isWholeText ? this.#newlines + 1 : undefined, released: a, rebuilt: b }
  }
}

/** The pieces of a content, of which the first bytes can be looked at before they are taken. */
class Cursor {
  readonly #pieces: AsyncIterator<Uint8Array>
  bytes: Buffer = Buffer.alloc(0)

  constructor(content: AsyncIterable<Uint8Array>) {
    this.#pieces = content[Symbol.asyncIterator]()
  }

  /** Have so many bytes, or all that are left. */
  async fill(wantedBytes: number): Promise<void> {
    while (this.bytes.byteLength < wantedBytes) {
      const next = await this.#pieces.next()
      if (next.done === true) return
      const piece = asBuffer(next.value)
      this.bytes = this.bytes.byteLength === 0 ? piece : Buffer.concat([this.bytes, piece])
    }
  }

  skip(sizeBytes: number): void {
    this.bytes = this.bytes.subarray(sizeBytes)
  }

  async close(): Promise<void> {
    await this.#pieces.return?.()
  }
}

/** The index of the first byte that differs, or the length. Pre: both are equally long. */
function mismatch(a: Buffer, b: Buffer): number {
  if (a.equals(b)) return a.byteLength
  // Whole blocks are compared by the machine; only the one with the difference is walked through.
  const blockBytes = 4096
  let start = 0
  while (a.subarray(start, start + blockBytes).equals(b.subarray(start, start + blockBytes))) start += blockBytes
  let at = start
  while (a[at] === b[at]) at += 1
  return at
}

/** Control characters other than white space mean that something is no text. */
function isText(bytes: Buffer): boolean {
  return bytes.every(byte => byte >= 0x20 || (byte >= 0x08 && byte <= 0x0d) || byte === 0x1b)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
