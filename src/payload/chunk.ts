import { createHash } from 'node:crypto'

const mebibyte = 1024 * 1024

/** Where a large file may be cut: no earlier, on average and no later than these bytes after the last cut. */
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
