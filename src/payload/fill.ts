import fs from 'node:fs'
import { type Digest, digestOf } from '../core/digest.ts'
import { chunkBytes, chunkEnd } from './chunk.ts'
import { assertEnd, openContent, readContent, readStretch } from './content.ts'
import { LazySums } from './lazy-sums.ts'
import type { PlannedFile, PlannedGroup, PlannedMember } from './plan.ts'
import type { SegmentCache, StoredSegment } from './segment-cache.ts'
import { type FileSums, noSums, sumsOf } from './sums.ts'
import { tarPadded, writeTarHeader } from './tar.ts'

/** What is said of a stretch of the tar. Plain data: it is sent between threads. */
export interface FilledSegment {
  /** The tar is the first so many bytes of the buffer. */
  readonly tarSizeBytes: number
  readonly tarDigest: Digest
  readonly sums: FileSums
  /** What the cache knows it by; undefined without a cache. */
  readonly cacheKey: string | undefined
  /** Its compressed form, when the cache had it. */
  readonly stored: StoredSegment | undefined
  readonly isLastOfGroup: boolean
}

/** A segment and the buffer that holds its tar. Whoever gets it gives the buffer back. */
export interface FilledBuffer {
  readonly buffer: Buffer
  readonly segment: FilledSegment
}

export interface FillOptions {
  readonly mtimeSeconds: number
  readonly withMd5: boolean
  readonly cache: SegmentCache | undefined
  /** Hand out a buffer of `segmentRoomBytes` as soon as there is one. */
  readonly take: () => Promise<Buffer>
}

/**
 * Write the tar of a group, one segment at a time, and digest the segments and their files.
 *
 * Post: each file is read once, except for stretches of a large file that the cache has. What it has is not digested file by file.
 * Errors: PAYLOAD_CHANGED when a file is gone, not a file any more, or has another size than the tree says; FILE_IO.
 */
export async function* fillGroup(group: PlannedGroup, options: FillOptions): AsyncGenerator<FilledBuffer> {
  if (group.kind === 'large') yield* fillLarge(group.file, options)
  else yield fillWhole(group.members, await options.take(), options)
}

function fillWhole(members: readonly PlannedMember[], buffer: Buffer, options: FillOptions): FilledBuffer {
  const contents: Uint8Array[] = []
  let at = 0
  for (const member of members) {
    at = writeTarHeader(buffer, at, member.tar, options.mtimeSeconds)
    if (member.tar.type !== 'file') continue
    const { sizeBytes } = member.tar
    readContent(member as PlannedFile, buffer, at)
    contents.push(buffer.subarray(at, at + sizeBytes))
    at = padContent(buffer, at + sizeBytes, sizeBytes)
  }
  const tarDigest = digestOf(buffer.subarray(0, at))
  const cacheKey = options.cache?.key([tarDigest])
  const stored = cacheKey === undefined ? undefined : options.cache?.read(cacheKey, contents.length)
  const sums = stored?.sums ?? sumsOf(contents, options.withMd5)
  return { buffer, segment: { tarSizeBytes: at, tarDigest, sums, cacheKey, stored, isLastOfGroup: true } }
}

async function* fillLarge(file: PlannedFile, options: FillOptions): AsyncGenerator<FilledBuffer> {
  const content = openContent(file)
  try {
    const lazySums = new LazySums(content, options.withMd5)
    const tarDigests: Digest[] = []
    let buffer = await options.take()
    let start = writeTarHeader(buffer, 0, file.tar, options.mtimeSeconds)
    let filled = start
    let unreadBytes = file.tar.sizeBytes
    for (let offset = 0, isLastOfGroup = false; !isLastOfGroup; ) {
      const sizeBytes = Math.min(unreadBytes, start + chunkBytes.max - filled)
      readStretch(content, { into: buffer, at: filled, sizeBytes })
      unreadBytes -= sizeBytes
      filled += sizeBytes
      const cut = chunkEnd(buffer, start, filled)
      isLastOfGroup = unreadBytes === 0 && cut === filled
      if (isLastOfGroup) assertEnd(content)
      const tarSizeBytes = isLastOfGroup ? padContent(buffer, cut, file.tar.sizeBytes) : cut
      const tarDigest = digestOf(buffer.subarray(0, tarSizeBytes))
      tarDigests.push(tarDigest)
      // The file's digests come with its last segment and depend on all of them: so does what the cache knows that one by.
      const cacheKey = options.cache?.key(isLastOfGroup ? tarDigests : [tarDigest])
      const stored = cacheKey === undefined ? undefined : options.cache?.read(cacheKey, isLastOfGroup ? 1 : 0)
      if (stored === undefined) lazySums.update(buffer.subarray(start, cut), offset)
      const sums = isLastOfGroup ? (stored?.sums ?? lazySums.finish()) : noSums
      const next = isLastOfGroup ? buffer : await options.take()
      const carriedBytes = buffer.copy(next, 0, cut, filled)
      yield { buffer, segment: { tarSizeBytes, tarDigest, sums, cacheKey, stored, isLastOfGroup } }
      offset += cut - start
      buffer = next
      start = 0
      filled = carriedBytes
    }
  } finally {
    fs.closeSync(content.descriptor)
  }
}

/** Fill up a content's last block with zeros, and return where the next header goes. */
function padContent(buffer: Buffer, contentEnd: number, sizeBytes: number): number {
  const end = contentEnd + tarPadded(sizeBytes) - sizeBytes
  buffer.fill(0, contentEnd, end)
  return end
}
