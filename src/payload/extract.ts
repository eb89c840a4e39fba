import fs from 'node:fs'
import { digestOf } from '../core/digest.ts'
import { isErrno, ReleaseError } from '../core/error.ts'
import { type FileRange, readRanges } from './delta/ranges.ts'
import { attemptFile } from './file-writer.ts'
import type { PayloadManifest, Segment } from './manifest.ts'
import { isPayloadFile, type PayloadFile } from './payload-file.ts'
import type { FetchedSegment, SegmentSource } from './source.ts'
import { openTreeWriter, type SegmentContent, type TreeSettings, type TreeWriter } from './tree-writer.ts'

export interface WriteFilesOptions {
  /** As {@link parseManifest} gave it. */
  readonly manifest: PayloadManifest
  /** The paths of the files to write. */
  readonly wanted: 'all' | ReadonlySet<string>
  readonly source: SegmentSource
  /** Where the payload's root is written; it exists. */
  readonly folder: string
  /** Segments whose content may be a stretch of a file on this machine, by their index: those are fetched only when it is not. */
  readonly localSegments?: ReadonlyMap<number, FileRange>
  /** What writes the files, opened with {@link treeSettings} of the manifest; this thread when absent. */
  readonly writer?: TreeWriter
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
    if (entry.type === 'directory') attemptFile(() => makeFolder(`${folder}/${entry.path}`, entry.mode | 0o700))
  }
}

/**
 * Write the wanted files alone. Pre: their folders are there, made by {@link writeFolders}.
 *
 * Post: a `writer` of the caller's is left open, for what else it has to write; nothing of a file stays that is not whole.
 */
export async function writeFiles(options: WriteFilesOptions): Promise<void> {
  const { manifest, wanted, folder } = options
  const files = manifest.files.filter(isPayloadFile).filter(file => wanted === 'all' || wanted.has(file.path))
  const writer = options.writer ?? openTreeWriter(treeSettings(manifest, folder))
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  let doneBytes = 0
  try {
    for await (const content of contents(files, options)) {
      options.signal?.throwIfAborted()
      await writer.write(content)
      doneBytes += bytesIn(content)
      options.onProgress?.(doneBytes, totalBytes)
    }
    await writer.finish()
  } finally {
    if (options.writer === undefined) await writer.close()
  }
}

/** Say what writing a payload into a folder depends on. */
export function treeSettings({ codec, sourceDateEpoch }: PayloadManifest, folder: string): TreeSettings {
  return { folder, codec, mtimeSeconds: sourceDateEpoch, mask: process.umask() }
}

/** Make all symbolic links of a payload, replacing what a killed run left. */
export function writeLinks(manifest: PayloadManifest, folder: string): void {
  for (const entry of manifest.files) {
    if (entry.type === 'symlink') attemptFile(() => makeLink(`${folder}/${entry.path}`, entry.linkTarget))
  }
}

/** Give the folders the modes of the manifest, deepest first. */
export function sealFolders(manifest: PayloadManifest, folder: string): void {
  const mask = process.umask()
  for (const entry of manifest.files.toReversed()) {
    if (entry.type !== 'directory') continue
    const made = (entry.mode | 0o700) & ~mask
    if (made !== entry.mode) attemptFile(() => fs.chmodSync(`${folder}/${entry.path}`, entry.mode))
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

/** Read the segments that hold some files, in order: from a stretch of a local file where that has the content, else from the source. */
async function* contents(files: readonly PayloadFile[], options: WriteFilesOptions): AsyncGenerator<SegmentContent> {
  const { source, signal, localSegments = new Map<number, FileRange>() } = options
  const filesIn = filesBySegment(files)
  const needed = neededSegments(options.manifest, files)
  const fetched = source
    .read(
      needed.filter(({ index }) => !localSegments.has(index)),
      signal,
    )
    [Symbol.asyncIterator]()
  try {
    for (const segment of needed) {
      const stretch = localSegments.get(segment.index)
      const tar = stretch === undefined ? undefined : readStretch(stretch, segment)
      const bytes = tar ?? (await nextOf(stretch === undefined ? fetched : source.read([segment], signal)))
      const form = tar === undefined ? 'compressed' : 'tar'
      yield { segment, files: filesIn.get(segment.index)!, form, bytes }
    }
  } finally {
    await fetched.return?.()
  }
}

/** Read what a local file has in the place of a segment; undefined when it is not that any more. */
function readStretch(stretch: FileRange, segment: Segment): Buffer | undefined {
  try {
    const tar = readRanges([stretch])
    return digestOf(tar) === segment.tarDigest ? tar : undefined
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'DELTA_BASE_MISMATCH') return undefined
    throw caught
  }
}

async function nextOf(fetched: AsyncIterable<FetchedSegment> | AsyncIterator<FetchedSegment>): Promise<Uint8Array> {
  const iterator = Symbol.asyncIterator in fetched ? fetched[Symbol.asyncIterator]() : fetched
  const { value, done } = await iterator.next()
  if (done === true) throw new Error('a source ended before the segments that it was asked for')
  return value.bytes
}

function filesBySegment(files: readonly PayloadFile[]): ReadonlyMap<number, readonly PayloadFile[]> {
  const found = new Map<number, PayloadFile[]>()
  for (const file of files) {
    for (let index = file.firstSegment; index <= file.lastSegment; index += 1) {
      const before = found.get(index)
      if (before === undefined) found.set(index, [file])
      else before.push(file)
    }
  }
  return found
}

/** How much of the files lies in a segment. */
function bytesIn({ segment, files }: SegmentContent): number {
  const end = segment.tarOffset + segment.tarSizeBytes
  return files.reduce((sum, { tarOffset, sizeBytes }) => {
    return sum + Math.max(0, Math.min(end, tarOffset + sizeBytes) - Math.max(segment.tarOffset, tarOffset))
  }, 0)
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
