import fs from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { toReleaseError } from '../../core/error.ts'
import { dictionaryBytes, pieceBytes } from './format.ts'

/** A file on disk. */
export interface StoredFile {
  readonly file: string
  readonly sizeBytes: number
}

/** A stretch of the old file that a piece of the new one most likely comes from. */
export interface Region {
  readonly offset: number
  readonly sizeBytes: number
}

/** Anchors stand at every 4096th byte on average, further apart in files of which they would be more than so many. */
const smallestAnchorBits = 12
const mostAnchors = 2 ** 18

/** What repeats itself may be nothing but anchors: so many say enough of where a piece comes from. */
const mostAnchorsInPiece = pieceBytes / 2 ** 8

/** A piece is compressed against one stretch of a dictionary's length, or two of half of it that lie apart. */
const halfBytes = dictionaryBytes / 2

/** How much is read between two turns of the event loop. */
const readBytes = 1024 * 1024
/** An anchor is found by so many bytes before it. */
const windowBytes = 32

/**
 * Find for each piece of a new file the regions of the old one that have most in common with it.
 *
 * Both are sampled where their content says so (a rolling hash with zeros at its top), so that a place is found again wherever it has
 * moved to; the regions of a piece are where most of its places are. A piece without any goes on where the one before it ended.
 * Pre: the old file is longer than a dictionary. Errors: FILE_IO, the signal's reason.
 */
export async function alignPieces(
  old: StoredFile,
  next: StoredFile,
  signal?: AbortSignal,
): Promise<readonly (readonly Region[])[]> {
  const regions: (readonly Region[])[] = []
  let expected = halfBytes / 2
  for (const offsets of await placesOfPieces(old, next, signal)) {
    const middle = densest(offsets) ?? expected
    const other = densest(offsets.filter(offset => Math.abs(offset - middle) > halfBytes / 2)) ?? middle
    regions.push(regionsAround(middle, other, old.sizeBytes))
    expected = middle + pieceBytes
  }
  return regions
}

/** Find for each piece where its anchors are in the old file, ascending. */
async function placesOfPieces(
  old: StoredFile,
  next: StoredFile,
  signal: AbortSignal | undefined,
): Promise<readonly (readonly number[])[]> {
  const bits = Math.max(smallestAnchorBits, Math.ceil(Math.log2(Math.max(old.sizeBytes, next.sizeBytes) / mostAnchors)))
  const places = new Map<number, number>()
  for await (const { key, offset } of anchors(old, bits, signal)) places.set(key, places.has(key) ? ambiguous : offset)
  const found: number[][] = Array.from({ length: Math.ceil(next.sizeBytes / pieceBytes) }, () => [])
  for await (const { key, offset } of anchors(next, bits, signal)) {
    const place = places.get(key)
    const inPiece = found[Math.floor(offset / pieceBytes)]!
    if (place !== undefined && place !== ambiguous && inPiece.length < mostAnchorsInPiece) inPiece.push(place)
  }
  return found.map(offsets => offsets.sort((a, b) => a - b))
}

/** The content around an anchor is in the old file more than once: it says nothing of where a piece comes from. */
const ambiguous = -1

/** The middle of those offsets that are most within half a dictionary's length. */
function densest(sorted: readonly number[]): number | undefined {
  let best: { readonly count: number; readonly middle: number } | undefined
  for (let first = 0, last = 0; last < sorted.length; last += 1) {
    while (sorted[last]! - sorted[first]! > halfBytes) first += 1
    const count = last - first + 1
    if (best === undefined || count > best.count) best = { count, middle: (sorted[first]! + sorted[last]!) / 2 }
  }
  return best?.middle
}

/** What is around one place, or around two when one stretch does not reach from the one to the other. */
function regionsAround(middle: number, other: number, oldSizeBytes: number): readonly Region[] {
  const around = (place: number, sizeBytes: number): Region => {
    const offset = Math.round(Math.min(Math.max(0, place - sizeBytes / 2), oldSizeBytes - sizeBytes))
    return { offset, sizeBytes }
  }
  if (Math.abs(middle - other) <= halfBytes) return [around((middle + other) / 2, dictionaryBytes)]
  return [around(Math.min(middle, other), halfBytes), around(Math.max(middle, other), halfBytes)]
}

async function* anchors(
  { file, sizeBytes }: StoredFile,
  bits: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly key: number; readonly offset: number }> {
  const descriptor = open(file)
  const buffer = Buffer.allocUnsafeSlow(windowBytes + readBytes)
  const state = new AnchorScan(buffer, bits)
  try {
    for (let position = 0; position < sizeBytes; ) {
      const filled = fs.readSync(descriptor, buffer, windowBytes, readBytes, position)
      if (filled === 0) return
      for (const { key, at } of state.scan(windowBytes + filled)) yield { key, offset: position + at - windowBytes }
      position += filled
      buffer.copy(buffer, 0, filled, filled + windowBytes)
      await setImmediate()
      signal?.throwIfAborted()
    }
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Rolls over one buffer after the other. What stands before the first byte counts as zeros: two files are sampled alike. */
class AnchorScan {
  readonly #buffer: Buffer
  readonly #mask: number
  #hash = 0

  constructor(buffer: Buffer, bits: number) {
    this.#buffer = buffer.fill(0, 0, windowBytes)
    this.#mask = -1 << (32 - bits)
  }

  /** The anchors up to `end`; `key` holds 20 bits of the window's hash and four bytes out of the window. */
  scan(end: number): { readonly key: number; readonly at: number }[] {
    const buffer = this.#buffer
    const mask = this.#mask
    const anchors: { readonly key: number; readonly at: number }[] = []
    let hash = this.#hash
    for (let at = windowBytes; at < end; at += 1) {
      hash = ((hash << 1) + gear[buffer[at]!]!) | 0
      if ((hash & mask) === 0) anchors.push({ key: (hash & 0xfffff) * 2 ** 32 + buffer.readUInt32LE(at - 20), at })
    }
    this.#hash = hash
    return anchors
  }
}

/** 256 words whose bits look random. They only decide where to look: a change of them changes no format. */
const gear = Int32Array.from({ length: 256 }, (_, byte) => {
  const mixed = Math.imul((byte + 1) ^ ((byte + 1) << 16), 0x7feb352d)
  const again = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b)
  return again ^ (again >>> 16)
})

function open(file: string): number {
  try {
    return fs.openSync(file, 'r')
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
