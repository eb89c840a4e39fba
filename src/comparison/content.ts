import zlib from 'node:zlib'
import { type ByteDifference, firstDifferenceIn, placeOf, showWindow } from './bytes.ts'
import type { BuildFacts, Difference, Pair } from './difference.ts'
import { reasonOf, reasonOfOrder } from './reason.ts'

/** Up to here a content is looked at as a whole, which tells more: what is packed in it, whether only its order changed. */
export const wholeContentBytes = 4 * 1024 * 1024
const largestUnpackedBytes = 64 * 1024 * 1024
const gzipMagic = Buffer.from([0x1f, 0x8b])

/** Say where two contents of a file first differ and why; undefined when they are equal. What is gzip is looked into. */
export function compareContents(where: string, contents: Pair<Buffer>, facts: BuildFacts): Difference | undefined {
  const unpacked = unpackBoth(contents)
  if (unpacked !== undefined && !unpacked.released.equals(unpacked.rebuilt))
    return compareContents(`${where}, unpacked`, unpacked, facts)
  const found = firstDifferenceIn(contents.released, contents.rebuilt)
  if (found === undefined) return undefined
  const why = reasonOf(found, facts) || (unpacked === undefined ? reasonOfOrder(contents) : whyPacked)
  return describeDifference(where, found, why)
}

/** Why equal content can be packed differently: the version of zlib is not written anywhere. */
export const whyPacked = `what is packed in it is equal; another zlib than ${process.versions.zlib} or another level packed it`

/** Word the first difference of a file. */
export function describeDifference(where: string, found: ByteDifference, why: string): Difference {
  return {
    where: where === '' ? placeOf(found) : `${where}, ${placeOf(found)}`,
    released: showWindow(found.released),
    rebuilt: showWindow(found.rebuilt),
    why,
  }
}

function unpackBoth({ released, rebuilt }: Pair<Buffer>): Pair<Buffer> | undefined {
  const isGzip = (bytes: Buffer) => bytes.subarray(0, 2).equals(gzipMagic)
  if (!isGzip(released) || !isGzip(rebuilt)) return undefined
  try {
    const options = { maxOutputLength: largestUnpackedBytes }
    return { released: zlib.gunzipSync(released, options), rebuilt: zlib.gunzipSync(rebuilt, options) }
  } catch {
    // It only looks like gzip, or is too large to be looked into: its bytes say enough.
    return undefined
  }
}
