import fs from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { type Digest, Digester, digestOf } from '../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import type { TreeEntry } from '../core/tree.ts'
import { chunkBytes, chunkEnd } from './chunk.ts'
import type { PlannedEntry, PlannedGroup } from './plan.ts'
import { tarHeaderBytes, tarPadded, writeTarHeader } from './tar.ts'

/** Buffers that are used again and again, each of {@link fillBufferBytes}; as many exist as are in use at once. */
export class BufferPool {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(fillBufferBytes)
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer)
  }
}

/** The tar of one segment: the first bytes of a buffer of the pool. Whoever gets it gives the buffer back. */
export interface FilledTar {
  readonly buffer: Buffer
  readonly sizeBytes: number
}

export interface FillOptions {
  readonly mtimeSeconds: number
  readonly pool: BufferPool
  /** Called when a file is in the tar; `tarOffset` is where its content starts. */
  readonly onFile: (path: string, file: { readonly digest: Digest; readonly tarOffset: number }) => void
  readonly onContent: (path: string, bytes: Uint8Array, isLast: boolean) => void
}

type TreeFile = TreeEntry & { readonly type: 'file' }

/** Room for a segment's tar: the longest chunk and a header with the longest names. */
const fillBufferBytes = chunkBytes.max + 32 * 1024

/** How much is read between two turns of the event loop, so that the compressors' results are taken in time. */
const bytesPerTurn = 1024 * 1024

/**
 * Write the tar of the groups, one segment's stretch at a time, reading and digesting each file once.
 *
 * Post: a small file is opened, read with one call and closed, straight to its place in the tar.
 * Errors: PAYLOAD_CHANGED when a file is gone, not a file any more, or has another size than the tree says; FILE_IO.
 */
export async function* fillSegments(groups: readonly PlannedGroup[], options: FillOptions): AsyncGenerator<FilledTar> {
  let tarOffset = 0
  for (const group of groups) {
    if (group.kind === 'whole') yield await fillWhole(group.entries, tarOffset, options)
    else yield* fillLarge(group.entry, tarOffset, options)
    tarOffset += group.tarSizeBytes
  }
}

async function fillWhole(
  entries: readonly PlannedEntry[],
  tarOffset: number,
  options: FillOptions,
): Promise<FilledTar> {
  const buffer = options.pool.take()
  let at = 0
  let turnAt = bytesPerTurn
  for (const { tar, entry } of entries) {
    at = writeTarHeader(buffer, at, tar, options.mtimeSeconds)
    if (entry?.type === 'file') {
      readWhole(entry, buffer, at)
      const content = buffer.subarray(at, at + entry.sizeBytes)
      options.onContent(entry.path, content, true)
      options.onFile(entry.path, { digest: digestOf(content), tarOffset: tarOffset + at })
      at = pad(buffer, at + entry.sizeBytes, entry.sizeBytes)
    }
    if (at >= turnAt) {
      turnAt = at + bytesPerTurn
      await setImmediate()
    }
  }
  return { buffer, sizeBytes: at }
}

async function* fillLarge(planned: PlannedEntry, tarOffset: number, options: FillOptions): AsyncGenerator<FilledTar> {
  const entry = planned.entry as TreeFile
  const digester = new Digester()
  const descriptor = openFile(entry)
  try {
    let buffer = options.pool.take()
    let start = writeTarHeader(buffer, 0, planned.tar, options.mtimeSeconds)
    let filled = start
    while (digester.sizeBytes < entry.sizeBytes) {
      const unreadBytes = entry.sizeBytes - digester.sizeBytes - (filled - start)
      filled = readUpTo(
        entry,
        { descriptor, buffer, at: filled },
        Math.min(unreadBytes, start + chunkBytes.max - filled),
      )
      const cut = chunkEnd(buffer, start, filled)
      const content = buffer.subarray(start, cut)
      digester.update(content)
      const isLast = digester.sizeBytes === entry.sizeBytes
      options.onContent(entry.path, content, isLast)
      const next = options.pool.take()
      const carriedBytes = buffer.copy(next, 0, cut, filled)
      yield { buffer, sizeBytes: isLast ? pad(buffer, cut, entry.sizeBytes) : cut }
      buffer = next
      start = 0
      filled = carriedBytes
      await setImmediate()
    }
    if (fs.readSync(descriptor, buffer, 0, 1, null) !== 0) throw changedError(entry, 'it grew')
    options.pool.give(buffer)
    options.onFile(entry.path, { digest: digester.digest(), tarOffset: tarOffset + tarHeaderBytes(planned.tar) })
  } finally {
    fs.closeSync(descriptor)
  }
}

function pad(buffer: Buffer, contentEnd: number, sizeBytes: number): number {
  const end = contentEnd + tarPadded(sizeBytes) - sizeBytes
  buffer.fill(0, contentEnd, end)
  return end
}

function readWhole(entry: TreeFile, buffer: Buffer, at: number): void {
  const descriptor = openFile(entry)
  try {
    // One byte more than expected: a single call tells both the content and that it has not grown.
    const readBytes = fs.readSync(descriptor, buffer, at, entry.sizeBytes + 1, null)
    if (readBytes > entry.sizeBytes) throw changedError(entry, 'it grew')
    if (readBytes < entry.sizeBytes) {
      readUpTo(entry, { descriptor, buffer, at: at + readBytes }, entry.sizeBytes - readBytes)
    }
  } catch (caught) {
    throw toReleaseError(caught)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Read so many bytes on from where the file stands, and return where they end. */
function readUpTo(
  entry: TreeFile,
  to: { readonly descriptor: number; readonly buffer: Buffer; readonly at: number },
  sizeBytes: number,
): number {
  const end = to.at + sizeBytes
  let at = to.at
  while (at < end) {
    const readBytes = fs.readSync(to.descriptor, to.buffer, at, end - at, null)
    if (readBytes === 0) throw changedError(entry, 'it shrank')
    at += readBytes
  }
  return end
}

function openFile(entry: TreeFile): number {
  try {
    return fs.openSync(entry.source, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ELOOP', 'ENOTDIR')) throw changedError(entry, 'it is not a file any more', caught)
    throw toReleaseError(caught)
  }
}

function changedError(entry: TreeFile, what: string, cause?: unknown): ReleaseError {
  const message = `${entry.source} changed while it was packed: ${what}, expected ${entry.sizeBytes} bytes`
  return new ReleaseError('PAYLOAD_CHANGED', message, { cause, details: { path: entry.source } })
}
