import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { expandOptions } from './expand-options.ts'
import type { IndexForm, Piece } from './forms.ts'

const magic = 0xfd2fb528
const compressionLevel = 9

/**
 * One zstd frame for each piece. apt and zstd take a file of several frames as one text (dpkg does not, but reads no indexes).
 *
 * Source: RFC 8878 §3.1.1.
 */
export const zstdForm: IndexForm = {
  extension: '.zst',
  mediaType: 'application/zstd',
  compress: async texts => texts.map(compress),
  // A zstd file has a frame at least.
  join: pieces => Buffer.concat((pieces.length === 0 ? [compress(Buffer.alloc(0))] : pieces).map(({ bytes }) => bytes)),
  walk,
  expand: piece => zstdDecompressSync(piece.bytes, expandOptions(piece)),
}

function compress(text: Buffer): Piece {
  const bytes = zstdCompressSync(text, {
    params: { [constants.ZSTD_c_compressionLevel]: compressionLevel, [constants.ZSTD_c_checksumFlag]: 1 },
    // Only with it does the frame say how long its text is.
    pledgedSrcSize: text.byteLength,
  })
  return { bytes, plainSizeBytes: text.byteLength }
}

function walk(file: Buffer): readonly Piece[] | undefined {
  const pieces: Piece[] = []
  for (let at = 0; at < file.byteLength; ) {
    const piece = frameAt(file, at)
    if (piece === undefined) return undefined
    pieces.push(piece)
    at += piece.bytes.byteLength
  }
  return pieces.filter(piece => piece.plainSizeBytes > 0)
}

function frameAt(file: Buffer, start: number): Piece | undefined {
  if (start + 6 > file.byteLength || file.readUInt32LE(start) !== magic) return undefined
  const descriptor = file[start + 4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  const sizeAt = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes
  const end = blocksEnd(file, sizeAt + sizeBytes, (descriptor & 4) === 0 ? 0 : 4)
  if (end === undefined || sizeBytes === 0 || sizeBytes === 8) return undefined
  // A size of two bytes begins to count where one byte ends.
  const plainSizeBytes = file.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
  return { bytes: file.subarray(start, end), plainSizeBytes }
}

/** Follow the headers of blocks to the last one and the checksum behind it. */
function blocksEnd(file: Buffer, start: number, checksumBytes: number): number | undefined {
  let at = start
  for (let isLast = false; !isLast; ) {
    if (at + 3 > file.byteLength) return undefined
    const header = file.readUIntLE(at, 3)
    const [type, sizeBytes] = [(header >> 1) & 3, header >> 3]
    isLast = (header & 1) === 1
    // A run is stored as its one byte.
    at += 3 + (type === 1 ? 1 : sizeBytes)
  }
  const end = at + checksumBytes
  return end > file.byteLength ? undefined : end
}
