import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { hasPart, PartFile, removePart } from './part-file.ts'

/** A file that is fetched whole, and where it is kept. */
export interface WholeFileOptions {
  readonly folder: string
  readonly digest: Digest
  readonly sizeBytes: number
}

interface Waiting {
  readonly end: number
  readonly resolve: () => void
  readonly reject: (failure: unknown) => void
}

/** A body that is being received into a file. */
interface Receiving {
  readonly part: PartFile
  readonly body: AsyncIterator<Uint8Array>
}

/**
 * All of an envelope, from a server that sends it only whole: it comes once, and several read from it while it comes. What an earlier run has
 * of it is there as well.
 */
export class WholeFile {
  readonly #options: WholeFileOptions
  readonly #waiting = new Set<Waiting>()
  #receiving: Receiving | undefined
  #receivedBytes = 0

  constructor(options: WholeFileOptions) {
    this.#options = options
  }

  /** Whether it is coming just now. */
  get isReceiving(): boolean {
    return this.#receiving !== undefined
  }

  /** How much this run has received, from the start without a gap. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** The bytes of a stretch as far as they are there, whoever fetched them: their digest is not checked. */
  read(offset: number, sizeBytes: number): Buffer | undefined {
    if (this.#receiving !== undefined) return this.#receiving.part.read(offset, sizeBytes)
    const { folder, digest } = this.#options
    if (!hasPart(folder, digest)) return undefined
    const part = PartFile.open(folder, digest)
    try {
      return part.read(offset, sizeBytes)
    } finally {
      part.close()
    }
  }

  /**
   * Receive a body that begins at `start`, until its end or a failure, which those hear who wait.
   *
   * Pre: nothing is received; `start` is 0 or `receivedBytes`.
   */
  receive(body: AsyncIterable<Uint8Array>, start: number, count: (sizeBytes: number) => void): void {
    const { folder, digest } = this.#options
    const receiving = { part: PartFile.open(folder, digest), body: body[Symbol.asyncIterator]() }
    this.#receiving = receiving
    this.#write(receiving, start, count).then(
      () => this.#end(receiving, this.#tooShort()),
      (failure: unknown) => this.#end(receiving, failure),
    )
  }

  /** Wait until everything before an offset has come. Errors: those of the body, SEGMENT_SHORT (it does not come, or ended before), FILE_*. */
  until(end: number): Promise<void> {
    if (this.#receivedBytes >= end) return Promise.resolve()
    if (this.#receiving === undefined) return Promise.reject(this.#tooShort())
    return new Promise((resolve, reject) => this.#waiting.add({ end, resolve, reject }))
  }

  /** Throw away what is there, for it is not what it should be, and stop what is still coming. */
  discard(failure: ReleaseError): void {
    const receiving = this.#receiving
    this.#receivedBytes = 0
    removePart(this.#options.folder, this.#options.digest)
    if (receiving === undefined) return
    this.#end(receiving, failure)
    void receiving.body.return?.()
  }

  async #write({ part, body }: Receiving, start: number, count: (sizeBytes: number) => void): Promise<void> {
    for (let at = start; ; ) {
      const { done, value: piece } = await body.next()
      if (done === true || this.#receiving?.part !== part) return
      count(piece.byteLength)
      if (at + piece.byteLength > this.#options.sizeBytes) throw this.#tooLong()
      part.write(at, piece)
      at += piece.byteLength
      this.#receivedBytes = Math.max(this.#receivedBytes, at)
      for (const waiting of this.#waiting) if (waiting.end <= this.#receivedBytes) this.#settle(waiting, undefined)
    }
  }

  #end(receiving: Receiving, failure: unknown): void {
    if (this.#receiving !== receiving) return
    this.#receiving = undefined
    receiving.part.close()
    for (const waiting of this.#waiting) this.#settle(waiting, failure)
  }

  #settle(waiting: Waiting, failure: unknown): void {
    this.#waiting.delete(waiting)
    if (failure === undefined) waiting.resolve()
    else waiting.reject(failure)
  }

  #tooLong(): ReleaseError {
    const { digest, sizeBytes } = this.#options
    return new ReleaseError('HTTP_TOO_LARGE', `what was sent as ${digest} is longer than its ${sizeBytes} bytes`, {
      details: { digest, maxBytes: sizeBytes },
    })
  }

  #tooShort(): ReleaseError {
    const { digest, sizeBytes } = this.#options
    return new ReleaseError('SEGMENT_SHORT', `what was sent as ${digest} ended after ${this.#receivedBytes} bytes`, {
      details: { digest, expected: sizeBytes, found: this.#receivedBytes },
    })
  }
}
