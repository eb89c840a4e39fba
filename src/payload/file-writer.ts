import fs from 'node:fs'
import { Digester, digestOf } from '../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import type { PayloadFile } from './payload-file.ts'

export interface FileWriterOptions {
  readonly mtimeSeconds: number
  /** The process's umask, asked for once for all files. */
  readonly mask: number
}

/**
 * Write one file of a payload, digesting what is written.
 *
 * Post: it was made anew: what stood under the name, a link to something else perhaps, is gone and not written into.
 * Errors: errno of the system; FILE_DIGEST.
 */
export class FileWriter {
  readonly #file: PayloadFile
  readonly #name: string
  readonly #options: FileWriterOptions
  #descriptor: number | undefined
  #digester: Digester | undefined

  /** `name` is where it is written, whatever its path in the payload is. */
  constructor(file: PayloadFile, name: string, options: FileWriterOptions) {
    this.#file = file
    this.#name = name
    this.#options = options
    this.#descriptor = create(name, file.mode)
  }

  /** Write the next piece; with the last one the file is closed and has the digest, mode and time of the manifest. */
  write(content: Uint8Array, isLast: boolean): void {
    const descriptor = this.#descriptor!
    writeAll(descriptor, content)
    if (!isLast) {
      this.#digester ??= new Digester()
      this.#digester.update(content)
      return
    }
    const found = this.#digester === undefined ? digestOf(content) : this.#digester.update(content).digest()
    if (found !== this.#file.digest) {
      this.discard()
      throw digestError(this.#file, found)
    }
    if ((this.#file.mode & this.#options.mask) !== 0) fs.fchmodSync(descriptor, this.#file.mode)
    fs.futimesSync(descriptor, this.#options.mtimeSeconds, this.#options.mtimeSeconds)
    this.#close()
  }

  /** Give up: an unfinished file is removed. A finished one stays. */
  discard(): void {
    if (this.#descriptor === undefined) return
    this.#close()
    fs.rmSync(this.#name, { force: true })
  }

  #close(): void {
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}

/** Do something with files. Errors: FILE_IO, FILE_NO_SPACE in place of the system's. */
export function attemptFile<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function create(name: string, mode: number): number {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = fs.constants
  const flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW
  try {
    return fs.openSync(name, flags, mode)
  } catch (caught) {
    if (!isErrno(caught, 'EEXIST')) throw caught
    // Left by a run that was killed; written anew rather than into, for it may be a link to something else.
    fs.unlinkSync(name)
    return fs.openSync(name, flags, mode)
  }
}

function writeAll(descriptor: number, content: Uint8Array): void {
  let written = 0
  while (written < content.byteLength) {
    written += fs.writeSync(descriptor, content, written, content.byteLength - written)
  }
}

function digestError(file: PayloadFile, found: string): ReleaseError {
  const message = `${file.path} has ${found} in the payload, expected ${file.digest}`
  return new ReleaseError('FILE_DIGEST', message, { details: { path: file.path, found, expected: file.digest } })
}
