/** What a connection reads into at first, and once that was too little. */
const [smallBytes, mediumBytes] = [16_384, 65_536]

/** A large answer costs half of the processor time when it comes in such pieces; there are so many of them, whatever clients ask for. */
const [largeBytes, largeCount] = [524_288, 32]

/** Large pieces of memory, for those connections that read most at the moment. */
export class LargeBuffers {
  readonly #free: Buffer[] = []
  #left = largeCount

  /** Post: undefined when all are in use. */
  take(): Buffer | undefined {
    const free = this.#free.pop()
    if (free !== undefined || this.#left === 0) return free
    this.#left -= 1
    return Buffer.allocUnsafeSlow(largeBytes)
  }

  /** Pre: nobody needs what is in it. */
  give(buffer: Buffer): void {
    this.#free.push(buffer)
  }

  /** One will not be given back, for somebody may still need what is in it. */
  forget(): void {
    this.#left += 1
  }
}

/** The memory that one connection reads into, written over by each read: larger once a read has filled it. */
export class ReadBuffer {
  readonly #large: LargeBuffers
  readonly #small = Buffer.allocUnsafeSlow(smallBytes)
  #present: Buffer = this.#small

  constructor(large: LargeBuffers) {
    this.#large = large
  }

  get present(): Buffer {
    return this.#present
  }

  /** Take note of a read that filled it: the next ones get more. */
  grow(): void {
    if (this.#isLarge) return
    const large = this.#large.take()
    if (large !== undefined) this.#present = large
    else if (this.#present === this.#small) this.#present = Buffer.allocUnsafeSlow(mediumBytes)
  }

  /** Be small again. Pre: nothing that was read is needed any more, and nothing is being read into it. */
  shrink(): void {
    if (this.#isLarge) this.#large.give(this.#present)
    this.#present = this.#small
  }

  /** The connection has ended, but what was read last may still be needed. */
  abandon(): void {
    if (this.#isLarge) this.#large.forget()
    this.#present = this.#small
  }

  get #isLarge(): boolean {
    return this.#present.length === largeBytes
  }
}
