import { createHash } from 'node:crypto'

const mebibyte = 1024 * 1024

/**
 * Where a large file may be cut: no earlier, on average and no later than these bytes after the last cut. Groups of small files have the
 * same bounds.
 *
 * Larger segments compress better, smaller ones leave less to fetch by an upgrade that has no delta pack. In MB, for parse-server with its
 * dependencies (141 MB) and for a Node distribution (215 MB), zstd 1.5.7, beside one stream of `tar | zstd`; what an upgrade from the release
 * before fetches is at level 3:
 *
 *     MiB      level 3       level 9       fetched
 *     0.5-1.5  21.5   58.0   18.6   53.3   1.9   35.0
 *     1-2-3    19.4   50.7   16.5   46.5   2.4   36.1
 *     2-4-6    17.1   48.9   14.5   44.6   3.0   36.1
 *     4-6-8    16.7   47.8   14.0   43.1   2.8   40.3
 *     4-8-12   16.3   47.2   13.7   42.5   3.5   40.4
 *     6-12-16  16.2   47.1   13.5   42.2   4.3   35.7
 *     stream   18.1   48.1   13.8   41.7
 *
 * 4-6-8 are the smallest that stay within 6 % of the stream at level 9; larger ones cost memory in every thread and lane, and gain little.
 */
export const chunkBytes = { min: 4 * mebibyte, average: 6 * mebibyte, max: 8 * mebibyte } as const

/** Room for the tar of any segment that is made: the longest chunk, and a header with the longest names before it. */
export const segmentRoomBytes = chunkBytes.max + 32 * 1024

/** The largest segment that a reader accepts, compressed or not: it is held in memory. */
export const largestSegmentBytes = 16 * mebibyte

/** Cutting is harder before the average and easier after it, which keeps sizes together (FastCDC's normalisation). */
const maskBefore = -1 << 9
const maskAfter = -1 << 12

/**
 * Find where the chunk that starts at `start` ends, by content: the same bytes are cut in the same places wherever they
 * stand in a file, so that an insertion changes one chunk or two.
 *
 * Pre: `end` is the end of the file, or at least `chunkBytes.max` after `start`. Post: `start < result <= end`.
 * Source: W. Xia et al., FastCDC, USENIX ATC 2016: gear hash, normalised chunking.
 */
export function chunkEnd(bytes: Uint8Array, start: number, end: number): number {
  if (end - start <= chunkBytes.min) return end
  const last = Math.min(end, start + chunkBytes.max)
  const middle = Math.min(last, start + chunkBytes.average)
  let hash = 0
  let at = start + chunkBytes.min
  for (; at < middle; at += 1) {
    hash = ((hash << 1) + gear[bytes[at]!]!) | 0
    if ((hash & maskBefore) === 0) return at + 1
  }
  for (; at < last; at += 1) {
    hash = ((hash << 1) + gear[bytes[at]!]!) | 0
    if ((hash & maskAfter) === 0) return at + 1
  }
  return last
}

/** 256 fixed random words; changing one of them moves every cut of every release. */
const gear = gearTable()

function gearTable(): Int32Array {
  const table = new Int32Array(256)
  let block = Buffer.from('cutover gear 1')
  for (let index = 0; index < table.length; index += 1) {
    if (index % 16 === 0) block = createHash('sha512').update(block).digest()
    table[index] = block.readInt32LE((index % 16) * 4)
  }
  return table
}
