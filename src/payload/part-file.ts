import fs from 'node:fs'
import path from 'node:path'
import { type Digest, Digester, hexOf } from '../core/digest.ts'
import { toReleaseError } from '../core/error.ts'
import { listFiles, makeFolder, removeFile } from '../sys/files.ts'

const extension = '.part'
const readBytes = 1024 * 1024

/**
 * A file that is being fetched, named by its digest, so that a later run goes on where this one stopped.
 *
 * Nothing in it is to be believed before its digest was checked: after a loss of power it may have holes.
 */
export class PartFile {
  readonly path: string
  readonly #descriptor: number
  #sizeBytes: number

  private constructor(file: string) {
    this.path = file
    this.#descriptor = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW, 0o600)
    this.#sizeBytes = fs.fstatSync(this.#descriptor).size
  }

  /** Open what there is of a file, or begin it. Errors: FILE_IO, FILE_NO_SPACE. */
  static open(folder: string, digest: Digest): PartFile {
    makeFolder(folder)
    return attempt(() => new PartFile(partPath(folder, digest)))
  }

  /** How much is there. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Read a stretch; undefined when not all of it is there. */
  read(offset: number, sizeBytes: number): Buffer | undefined {
    if (offset + sizeBytes > this.#sizeBytes) return undefined
    const bytes = Buffer.allocUnsafe(sizeBytes)
    const readSize = attempt(() => fs.readSync(this.#descriptor, bytes, 0, sizeBytes, offset))
    return readSize === sizeBytes ? bytes : undefined
  }

  /** Write bytes at a place that is not behind the end. Errors: FILE_IO, FILE_NO_SPACE. */
  write(offset: number, piece: Uint8Array): void {
    for (let done = 0; done < piece.byteLength; ) {
      done += attempt(() => fs.writeSync(this.#descriptor, piece, done, piece.byteLength - done, offset + done))
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, offset + piece.byteLength)
  }

  /** Throw away what is there. */
  clear(): void {
    attempt(() => fs.ftruncateSync(this.#descriptor, 0))
    this.#sizeBytes = 0
  }

  /** Digest all that is there. */
  digest(): Digest {
    const digester = new Digester()
    for (let at = 0; at < this.#sizeBytes; at += readBytes) {
      digester.update(this.read(at, Math.min(readBytes, this.#sizeBytes - at))!)
    }
    return digester.digest()
  }

  close(): void {
    fs.closeSync(this.#descriptor)
  }
}

/** Tell whether there is something of a file from an earlier run. */
export function hasPart(folder: string, digest: Digest): boolean {
  return fs.existsSync(partPath(folder, digest))
}

/** Remove what there is of a file. */
export function removePart(folder: string, digest: Digest): void {
  removeFile(partPath(folder, digest))
}

/** Remove what was fetched in part, but for what is still wanted. */
export function removeParts(folder: string, wanted: ReadonlySet<Digest> = new Set()): void {
  const names = new Set([...wanted].map(digest => path.basename(partPath(folder, digest))))
  for (const name of listFiles(folder)) {
    if (name.endsWith(extension) && !names.has(name)) removeFile(path.join(folder, name))
  }
}

function partPath(folder: string, digest: Digest): string {
  return path.join(folder, `${hexOf(digest)}${extension}`)
}

function attempt<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
