import fs from 'node:fs'
import { changedError, type OpenContent, readStretch } from './content.ts'
import { FileDigester, type FileSums } from './sums.ts'

/**
 * The digests of a large file of which some stretches may be known: those are passed over, and read again only before one that is not.
 *
 * So a file that the segment cache has whole is never digested. Errors: PAYLOAD_CHANGED, FILE_IO.
 */
export class LazySums {
  readonly #content: OpenContent
  readonly #digester: FileDigester
  readonly #changedAt: bigint

  constructor(content: OpenContent, withMd5: boolean) {
    this.#content = content
    this.#digester = new FileDigester(withMd5)
    this.#changedAt = this.#changeTime()
  }

  /** Take a stretch that is not known. Pre: stretches come in order. */
  update(bytes: Uint8Array, offset: number): void {
    if (this.#digester.sizeBytes < offset) this.#catchUp(offset)
    this.#digester.update(bytes)
  }

  /** End the file. Pre: its last stretch was not known. */
  finish(): FileSums {
    return this.#digester.finish()
  }

  #catchUp(offset: number): void {
    const piece = Buffer.allocUnsafeSlow(1024 * 1024)
    for (let position = this.#digester.sizeBytes; position < offset; position = this.#digester.sizeBytes) {
      const sizeBytes = Math.min(piece.byteLength, offset - position)
      readStretch(this.#content, { into: piece, at: 0, sizeBytes, position })
      this.#digester.update(piece.subarray(0, sizeBytes))
    }
    if (this.#changeTime() !== this.#changedAt) throw changedError(this.#content.file, 'it was written to')
  }

  #changeTime(): bigint {
    return fs.fstatSync(this.#content.descriptor, { bigint: true }).ctimeNs
  }
}
