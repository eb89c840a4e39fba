import { crc32, deflateRawSync, gunzipSync } from 'node:zlib'
import { expandOptions } from './expand-options.ts'
import type { IndexForm, Piece } from './forms.ts'

/** Of a member as we write it: ten fixed bytes, the length of the extra field, and one subfield with the member's size. */
const headerBytes = 20
const trailerBytes = 8
/** Marks our subfield in the extra field: `Cu`, for Cutover. */
const subfield = Buffer.from('Cu')

/**
 * One gzip member for each piece. Readers take a file of several members as one text.
 *
 * Shape: the size of each member stands in a subfield of its header, so that members are found without decoding them.
 * Source: RFC 1952 §2.2 (members), §2.3.1.1 (extra field).
 */
export const gzipForm: IndexForm = {
  extension: '.gz',
  mediaType: 'application/gzip',
  compress: async texts => texts.map(compress),
  // A gzip file has a member at least.
  join: pieces => Buffer.concat((pieces.length === 0 ? [compress(Buffer.alloc(0))] : pieces).map(({ bytes }) => bytes)),
  walk,
  expand: piece => gunzipSync(piece.bytes, expandOptions(piece)),
}

function compress(text: Buffer): Piece {
  const deflated = deflateRawSync(text, { level: 9 })
  const header = Buffer.alloc(headerBytes)
  // Method deflate, an extra field, no time, the slowest compression, no system.
  header.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 2, 255])
  header.writeUInt16LE(headerBytes - 12, 10)
  header.set(subfield, 12)
  header.writeUInt16LE(4, 14)
  header.writeUInt32LE(headerBytes + deflated.byteLength + trailerBytes, 16)
  const trailer = Buffer.alloc(trailerBytes)
  trailer.writeUInt32LE(crc32(text), 0)
  trailer.writeUInt32LE(text.byteLength, 4)
  return { bytes: Buffer.concat([header, deflated, trailer]), plainSizeBytes: text.byteLength }
}

function walk(file: Buffer): readonly Piece[] | undefined {
  const pieces: Piece[] = []
  for (let at = 0; at < file.byteLength; ) {
    if (at + headerBytes > file.byteLength || !file.subarray(at + 12, at + 14).equals(subfield)) return undefined
    const end = at + file.readUInt32LE(at + 16)
    if (end < at + headerBytes + trailerBytes || end > file.byteLength) return undefined
    pieces.push({ bytes: file.subarray(at, end), plainSizeBytes: file.readUInt32LE(end - 4) })
    at = end
  }
  return pieces.filter(piece => piece.plainSizeBytes > 0)
}
