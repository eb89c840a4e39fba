import fs from 'node:fs'
import path from 'node:path'
import { isErrno, toReleaseError } from '../core/error.ts'
import { decodeSegment } from './decode.ts'
import { FileWriter } from './file-writer.ts'
import type { PayloadManifest, Segment } from './manifest.ts'
import { isPayloadFile, type PayloadFile } from './payload-file.ts'
import type { SegmentSource } from './source.ts'

export interface WriteFilesOptions {
  /** As {@link parseManifest} gave it. */
  readonly manifest: PayloadManifest
  /** The paths of the files to write. */
  readonly wanted: 'all' | ReadonlySet<string>
  readonly source: SegmentSource
  /** Where the payload's root is written; it exists. */
  readonly folder: string
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

/**
 * Write a payload's folders, the files that are wanted, and its links, fetching only the segments that these need.
 *
 * Post: every file written has the digest of the manifest, and its time, so that all servers tell clients the same of it; content
 * never goes through a symbolic link, for folders are made first and links last. Nothing is synced: see sys/files.ts.
 * Crash: some files; run again, it writes them anew.
 * Errors: those of the source, SEGMENT_DECODE, FILE_DIGEST, FILE_IO, FILE_NO_SPACE.
 */
export async function extractPayload(options: WriteFilesOptions): Promise<void> {
  writeFolders(options.manifest, options.folder)
  await writeFiles(options)
  writeLinks(options.manifest, options.folder)
  sealFolders(options.manifest, options.folder)
}

/** Make all folders of a payload, writable for us until {@link sealFolders}. Errors: FILE_IO (also when something else stands there). */
export function writeFolders(manifest: PayloadManifest, folder: string): void {
  for (const entry of manifest.files) {
    if (entry.type === 'directory') attempt(() => makeFolder(path.join(folder, entry.path), entry.mode | 0o700))
  }
}

/** Write the wanted files alone. Pre: their folders are there, made by {@link writeFolders}. */
export async function writeFiles(options: WriteFilesOptions): Promise<void> {
  const { manifest, wanted } = options
  const files = manifest.files.filter(isPayloadFile).filter(file => wanted === 'all' || wanted.has(file.path))
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const writer = new FilesWriter(files, options)
  try {
    for await (const { segment, tar } of decoded(neededSegments(manifest, files), options)) {
      options.signal?.throwIfAborted()
      writer.take(segment, tar)
      options.onProgress?.(writer.writtenBytes, totalBytes)
    }
  } finally {
    writer.close()
  }
}

/** Make all symbolic links of a payload, replacing what a killed run left. */
export function writeLinks(manifest: PayloadManifest, folder: string): void {
  for (const entry of manifest.files) {
    if (entry.type === 'symlink') attempt(() => makeLink(path.join(folder, entry.path), entry.linkTarget))
  }
}

/** Give the folders the modes of the manifest, deepest first. */
export function sealFolders(manifest: PayloadManifest, folder: string): void {
  const mask = process.umask()
  for (const entry of manifest.files.toReversed()) {
    if (entry.type !== 'directory') continue
    const made = (entry.mode | 0o700) & ~mask
    if (made !== entry.mode) attempt(() => fs.chmodSync(path.join(folder, entry.path), entry.mode))
  }
}

/** Name the segments that hold the content of some files, ascending. */
export function neededSegments(manifest: PayloadManifest, files: readonly PayloadFile[]): Segment[] {
  const needed = new Set<number>()
  for (const file of files) {
    for (let index = file.firstSegment; index <= file.lastSegment; index += 1) needed.add(index)
  }
  return manifest.segments.filter(segment => needed.has(segment.index))
}

interface DecodedSegment {
  readonly segment: Segment
  readonly tar: Buffer
}

/** Fetch and decompress ahead of the writing, in other threads, by two segments. */
async function* decoded(segments: readonly Segment[], options: WriteFilesOptions): AsyncGenerator<DecodedSegment> {
  const ahead: { readonly segment: Segment; readonly tar: Promise<Buffer> }[] = []
  for await (const { segment, bytes } of options.source.read(segments, options.signal)) {
    const tar = decodeSegment(options.manifest.codec, bytes, segment)
    // Awaited below in its turn; until then a failure must not count as unhandled.
    tar.catch(() => undefined)
    ahead.push({ segment, tar })
    if (ahead.length > 2) yield await settled(ahead.shift()!)
  }
  for (const each of ahead) yield await settled(each)
}

async function settled(each: { readonly segment: Segment; readonly tar: Promise<Buffer> }): Promise<DecodedSegment> {
  return { segment: each.segment, tar: await each.tar }
}

/** Write files from stretches of the tar that come in order, keeping the one open that goes on in the next. */
class FilesWriter {
  readonly #files: readonly PayloadFile[]
  readonly #folder: string
  readonly #options: { readonly mtimeSeconds: number; readonly mask: number }
  #next = 0
  #open: FileWriter | undefined
  writtenBytes = 0

  constructor(files: readonly PayloadFile[], { folder, manifest }: WriteFilesOptions) {
    this.#files = files
    this.#folder = folder
    this.#options = { mtimeSeconds: manifest.sourceDateEpoch, mask: process.umask() }
  }

  take(segment: Segment, tar: Buffer): void {
    for (;;) {
      const file = this.#files[this.#next]
      if (file === undefined || file.firstSegment > segment.index) return
      const start = Math.max(0, file.tarOffset - segment.tarOffset)
      const content = tar.subarray(start, Math.max(start, file.tarOffset + file.sizeBytes - segment.tarOffset))
      attempt(() => this.#write(file, content, file.lastSegment === segment.index))
      this.writtenBytes += content.byteLength
      if (file.lastSegment > segment.index) return
      this.#next += 1
    }
  }

  /** Let nothing of a file stay that is not whole. */
  close(): void {
    this.#open?.discard()
  }

  #write(file: PayloadFile, content: Buffer, isLast: boolean): void {
    this.#open ??= new FileWriter(file, path.join(this.#folder, file.path), this.#options)
    this.#open.write(content, isLast)
    if (isLast) this.#open = undefined
  }
}

function makeFolder(name: string, mode: number): void {
  try {
    fs.mkdirSync(name, mode)
  } catch (caught) {
    if (!isErrno(caught, 'EEXIST') || !fs.lstatSync(name).isDirectory()) throw caught
    fs.chmodSync(name, mode)
  }
}

function makeLink(name: string, linkTarget: string): void {
  try {
    fs.symlinkSync(linkTarget, name)
  } catch (caught) {
    if (!isErrno(caught, 'EEXIST')) throw caught
    fs.unlinkSync(name)
    fs.symlinkSync(linkTarget, name)
  }
}

function attempt<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
