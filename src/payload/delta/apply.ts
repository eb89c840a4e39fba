import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Digester } from '../../core/digest.ts'
import { ReleaseError, toReleaseError } from '../../core/error.ts'
import { FileWriter, type FileWriterOptions } from '../file-writer.ts'
import type { PayloadManifest } from '../manifest.ts'
import type { PayloadFile } from '../payload-file.ts'
import { decompressPiece } from './codec.ts'
import type { DeltaBase } from './format.ts'
import type { OpenedDelta } from './open.ts'
import { mismatch, openPlainFile, readDictionary, readRanges } from './ranges.ts'

export interface ApplyDeltaOptions {
  /** As {@link openDelta} gave it for this manifest. */
  readonly delta: OpenedDelta
  readonly manifest: PayloadManifest
  /** The payload's root of the earlier release; only read. */
  readonly oldFolder: string
  /** Where the payload's root is written; its folders are there: see {@link writeFolders}. */
  readonly folder: string
  /** Paths of files that are there already: what would be a copy is left as it is. */
  readonly present?: ReadonlySet<string>
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

/** Pieces that are decompressed ahead of the writing, in other threads. */
const piecesAhead = 2
/** How much of a copied file is in memory. */
const copiedBytes = 4 * 1024 * 1024

/**
 * Write the files that a delta pack brings, and return their paths: all others have the same content in the earlier release, or are `present`.
 *
 * Pre: the earlier release is the one whose manifest's digest is the delta's `fromManifest`.
 * Post: every base had its digest before anything was written; every file has the digest, mode and time of the manifest before it gets
 * its name. Nothing is read or written through a symbolic link. Crash: whole files, and a `.delta-XXXX` in the folder; run again.
 * Errors: DELTA_BASE_MISMATCH (nothing was written, or whole files only: take the rest from segments), DELTA_INVALID, FILE_DIGEST, FILE_IO,
 * FILE_NO_SPACE, the signal's reason.
 */
export async function applyDelta(options: ApplyDeltaOptions): Promise<ReadonlySet<string>> {
  const bases = new BaseFiles(options.oldFolder)
  const writer = new DeltaWriter(options)
  try {
    for (const base of options.delta.index.bases) await bases.verify(base, options.signal)
    const copies = options.delta.copies.filter(({ file }) => options.present?.has(file.path) !== true)
    for (const { file, base } of copies) await copyBase(bases.fileOf(base), file, writer, options.signal)
    await writePieces(bases, writer, options)
    return writer.written
  } catch (caught) {
    throw options.signal?.aborted ? caught : toReleaseError(caught)
  } finally {
    writer.close()
  }
}

/** The files of the earlier release that are read. */
class BaseFiles {
  readonly #folder: string
  readonly #buffer = Buffer.allocUnsafeSlow(copiedBytes)

  constructor(folder: string) {
    this.#folder = folder
  }

  fileOf(base: DeltaBase): string {
    return path.join(this.#folder, base.path)
  }

  async verify(base: DeltaBase, signal: AbortSignal | undefined): Promise<void> {
    this.#assertNoLink(base)
    const file = this.fileOf(base)
    const descriptor = openPlainFile(file)
    const digester = new Digester()
    try {
      const { size } = fs.fstatSync(descriptor)
      if (size !== base.sizeBytes) throw mismatch(file, `has ${size} bytes, expected ${base.sizeBytes}`)
      while (digester.sizeBytes < base.sizeBytes) {
        const read = fs.readSync(descriptor, this.#buffer, 0, this.#buffer.byteLength, null)
        if (read === 0) break
        digester.update(this.#buffer.subarray(0, read))
        await setImmediate()
        signal?.throwIfAborted()
      }
    } finally {
      fs.closeSync(descriptor)
    }
    const found = digester.digest()
    if (found !== base.digest) throw mismatch(file, `has ${found}, expected ${base.digest}`)
  }

  /** A folder that became a link would have us read what is elsewhere. */
  #assertNoLink(base: DeltaBase): void {
    const names = base.path.split('/').slice(0, -1)
    for (const [depth] of names.entries()) {
      const folder = path.join(this.#folder, ...names.slice(0, depth + 1))
      const stat = fs.lstatSync(folder, { throwIfNoEntry: false })
      if (stat?.isDirectory() !== true) throw mismatch(folder, 'is not there as a folder')
    }
  }
}

/** Writes one file after the other from content that comes in order. */
class DeltaWriter {
  readonly written = new Set<string>()
  readonly #folder: string
  readonly #temporary: string
  readonly #options: FileWriterOptions
  #open: FileWriter | undefined
  #openBytes = 0

  constructor({ folder, manifest }: ApplyDeltaOptions) {
    this.#folder = folder
    this.#temporary = path.join(folder, `.delta-${randomBytes(4).toString('hex')}`)
    this.#options = { mtimeSeconds: manifest.sourceDateEpoch, mask: process.umask() }
  }

  /** Write so much of the content as the file still wants, and return how much that was. */
  write(file: PayloadFile, content: Buffer): number {
    this.#open ??= new FileWriter(file, this.#temporary, this.#options)
    const taken = content.subarray(0, file.sizeBytes - this.#openBytes)
    this.#openBytes += taken.byteLength
    const isLast = this.#openBytes === file.sizeBytes
    this.#open.write(taken, isLast)
    if (!isLast) return taken.byteLength
    fs.renameSync(this.#temporary, path.join(this.#folder, file.path))
    this.#open = undefined
    this.#openBytes = 0
    this.written.add(file.path)
    return taken.byteLength
  }

  close(): void {
    this.#open?.discard()
    fs.rmSync(this.#temporary, { force: true })
  }
}

async function copyBase(
  from: string,
  file: PayloadFile,
  writer: DeltaWriter,
  signal: AbortSignal | undefined,
): Promise<void> {
  let offset = 0
  do {
    const sizeBytes = Math.min(copiedBytes, file.sizeBytes - offset)
    writer.write(file, readRanges([{ file: from, offset, sizeBytes }]))
    offset += sizeBytes
    await setImmediate()
    signal?.throwIfAborted()
  } while (offset < file.sizeBytes)
}

async function writePieces(bases: BaseFiles, writer: DeltaWriter, options: ApplyDeltaOptions): Promise<void> {
  const { delta } = options
  const totalBytes = delta.index.pieces.reduce((sum, piece) => sum + piece.contentSizeBytes, 0)
  let doneBytes = 0
  let next = 0
  const take = (content: Buffer) => {
    for (let at = 0; at < content.byteLength || delta.files[next]?.sizeBytes === 0; ) {
      const file = delta.files[next]!
      at += writer.write(file, content.subarray(at))
      if (writer.written.has(file.path)) next += 1
    }
  }
  take(Buffer.alloc(0))
  for await (const content of decompressed(bases, options)) {
    take(content)
    doneBytes += content.byteLength
    options.onProgress?.(doneBytes, totalBytes)
  }
}

async function* decompressed(bases: BaseFiles, options: ApplyDeltaOptions): AsyncGenerator<Buffer> {
  const ahead: Promise<Buffer>[] = []
  for (let piece = 0; piece < options.delta.index.pieces.length; piece += 1) {
    options.signal?.throwIfAborted()
    const content = decompressVerified(bases, options.delta, piece)
    // Awaited below in its turn; until then a failure must not count as unhandled.
    content.catch(() => undefined)
    ahead.push(content)
    if (ahead.length > piecesAhead) yield await ahead.shift()!
  }
  for (const content of ahead) yield await content
}

async function decompressVerified(
  bases: BaseFiles,
  { index, readPiece }: OpenedDelta,
  number: number,
): Promise<Buffer> {
  const { contentSizeBytes, dictionary } = index.pieces[number]!
  const compressed = readPiece(number)
  const ranges = dictionary.map(range => ({ ...range, file: bases.fileOf(index.bases[range.base]!) }))
  const against = readDictionary(ranges)
  try {
    const content = await decompressPiece(compressed, against, contentSizeBytes)
    if (content.byteLength === contentSizeBytes) return content
  } catch (caught) {
    throw pieceError(number, `does not decompress: ${(caught as Error).message}`, caught)
  }
  throw pieceError(number, `does not hold ${contentSizeBytes} bytes`)
}

function pieceError(number: number, problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('DELTA_INVALID', `piece ${number} of the delta pack ${problem}`, { cause })
}
