import fs from 'node:fs'
import { promisify } from 'node:util'
import { type Digest, Digester } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'

const pieceBytes = 1024 * 1024
const writeAtOnce = promisify(fs.write)

/** What was written: size and digest of the whole. */
export interface Written {
  readonly sizeBytes: number
  readonly digest: Digest
}

/**
 * A file that is written from front to back and digested on the way.
 *
 * Post: after {@link finish} the bytes are under their name; they are on disk when the file system is synced, as it is once for a whole
 * release. Crash: a `.part` file beside it, which nothing reads.
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
    for (const piece of piecesOf(file, start, sizeBytes)) this.write(piece)
  }

  /** Copy a long stretch of another file: one piece is digested while the one before is written. */
  async copyLong(file: string, start: number, sizeBytes: number): Promise<void> {
    let writing: Promise<void> = Promise.resolve()
    try {
      for (const piece of piecesOf(file, start, sizeBytes)) {
        await writing
        writing = writeAll(this.#descriptor, piece)
        this.#digester.update(piece)
      }
    } finally {
      await writing
    }
  }

  finish(): Written {
    attempt(() => {
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

/** Read a stretch of a file piece by piece. Each is the caller's until the next but one is asked for. */
function* piecesOf(file: string, start: number, sizeBytes: number): Generator<Buffer> {
  const descriptor = attempt(() => fs.openSync(file, 'r'))
  try {
    const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(sizeBytes, pieceBytes)))
    for (let readBytes = 0, turn = 0; readBytes < sizeBytes; turn = 1 - turn) {
      const buffer = buffers[turn]!
      const wanted = Math.min(buffer.byteLength, sizeBytes - readBytes)
      const piece = buffer.subarray(
        0,
        attempt(() => fs.readSync(descriptor, buffer, 0, wanted, start + readBytes)),
      )
      if (piece.byteLength === 0) throw shortError(file, start + readBytes, sizeBytes - readBytes)
      yield piece
      readBytes += piece.byteLength
    }
  } finally {
    fs.closeSync(descriptor)
  }
}

async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  try {
    for (let written = 0; written < bytes.byteLength; ) {
      const { bytesWritten } = await writeAtOnce(descriptor, bytes, written, bytes.byteLength - written, null)
      written += bytesWritten
    }
  } catch (caught) {
    throw toReleaseError(caught)
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
