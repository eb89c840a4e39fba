/** Bytes that are being filled from the front. */
export interface Filling {
  readonly bytes: Buffer
  filledBytes: number
}

/** Reads forward in a body, keeping no more than what was asked for. */
export class BodyCursor {
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #count: (sizeBytes: number) => void
  #piece: Uint8Array = new Uint8Array(0)
  #position: number

  /** `position` is the offset of the body's first byte; `count` hears of all that comes. */
  constructor(body: AsyncIterable<Uint8Array>, position: number, count: (sizeBytes: number) => void) {
    this.#pieces = body[Symbol.asyncIterator]()
    this.#position = position
    this.#count = count
  }

  /** Fill bytes that begin at an offset, from where they are filled to; tells whether the body reached their end. */
  async fill(offset: number, filling: Filling): Promise<boolean> {
    const { bytes } = filling
    while (filling.filledBytes < bytes.byteLength) {
      if (this.#piece.byteLength === 0 && !(await this.#advance())) return false
      const skipped = Math.min(offset + filling.filledBytes - this.#position, this.#piece.byteLength)
      const taken = this.#piece.subarray(skipped, skipped + bytes.byteLength - filling.filledBytes)
      bytes.set(taken, filling.filledBytes)
      filling.filledBytes += taken.byteLength
      this.#position += skipped + taken.byteLength
      this.#piece = this.#piece.subarray(skipped + taken.byteLength)
    }
    return true
  }

  /** Let go of the connection. */
  async close(): Promise<void> {
    await this.#pieces.return?.()
  }

  async #advance(): Promise<boolean> {
    const result = await this.#pieces.next()
    if (result.done === true) return false
    this.#piece = result.value
    this.#count(result.value.byteLength)
    return true
  }
}
