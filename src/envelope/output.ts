import fs from 'node:fs'
import { type Digest, Digester } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'

/** What was written: size and digest of the whole. */
export interface Written {
  readonly sizeBytes: number
  readonly digest: Digest
}

/**
 * A file that is written from front to back and digested on the way.
 *
 * Post: after {@link finish} the bytes are under their name, and on disk unless it was told that they need not be. Crash: a `.part` file beside it, which nothing reads.
 * Errors: FILE_IO, FILE_NO_SPACE, ENVELOPE_MISMATCH (a file to copy from is too short).
 */
export class OutputFile {
  readonly #file: string
  readonly #descriptor: number
  #isOpen = true
  readonly #digester = new Digester()

  constructor(file: string) {
    this.#file = file
    this.#descriptor = attempt(() => fs.openSync(`${file}.part`, 'w', 0o644))
  }

  get sizeBytes(): number {
    return this.#digester.sizeBytes
  }

  write(bytes: Uint8Array): void {
    attempt(() => {
      let written = 0
      while (written < bytes.byteLength) {
        written += fs.writeSync(this.#descriptor, bytes, written, bytes.byteLength - written)
      }
    })
    this.#digester.update(bytes)
  }

  /** Copy a stretch of another file, piece by piece. */
  copy(file: string, start: number, sizeBytes: number): void {
    attempt(() => {
      const descriptor = fs.openSync(file, 'r')
      try {
        const buffer = Buffer.allocUnsafeSlow(Math.min(sizeBytes, 1024 * 1024))
        let copied = 0
        while (copied < sizeBytes) {
          const wanted = Math.min(buffer.byteLength, sizeBytes - copied)
          const read = fs.readSync(descriptor, buffer, 0, wanted, start + copied)
          if (read === 0) throw shortError(file, start + copied, sizeBytes - copied)
          this.write(buffer.subarray(0, read))
          copied += read
        }
      } finally {
        fs.closeSync(descriptor)
      }
    })
  }

  finish(options: { readonly durable?: boolean } = {}): Written {
    attempt(() => {
      if (options.durable !== false) fs.fsyncSync(this.#descriptor)
      this.#close()
      fs.renameSync(`${this.#file}.part`, this.#file)
    })
    return { sizeBytes: this.#digester.sizeBytes, digest: this.#digester.digest() }
  }

  /** Give up: nothing is left behind. A file that was finished stays. */
  discard(): void {
    this.#close()
    fs.rmSync(`${this.#file}.part`, { force: true })
  }

  #close(): void {
    if (this.#isOpen) fs.closeSync(this.#descriptor)
    this.#isOpen = false
  }
}

function attempt<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function shortError(file: string, offset: number, missingBytes: number): ReleaseError {
  const message = `${file} ends at byte ${offset}, expected ${missingBytes} bytes more`
  return new ReleaseError('ENVELOPE_MISMATCH', message, { details: { path: file } })
}
