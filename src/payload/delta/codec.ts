import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { largestPieceBytes } from './format.ts'

const { constants } = zlib
const compress = promisify(zlib.zstdCompress)
const decompress = promisify(zlib.zstdDecompress)

/**
 * A table for more places than the level would have, for most of what is to be found is in the dictionary: with the level's own a
 * Node binary against the one before it takes five times as much. A table of twice the size saves 0.4 % of it for a quarter more time.
 */
const encodeParameters = {
  [constants.ZSTD_c_compressionLevel]: 6,
  [constants.ZSTD_c_windowLog]: 24,
  [constants.ZSTD_c_hashLog]: 22,
}

/** The largest window that a piece may ask for. */
const decodeParameters = { [constants.ZSTD_d_windowLogMax]: 24 }

/** Compress a piece against a dictionary. Post: the bytes depend on both and the library's version alone. */
export function compressPiece(content: Uint8Array, dictionary: Uint8Array): Promise<Buffer> {
  return compress(content, { dictionary, chunkSize: largestPieceBytes, params: encodeParameters })
}

/** Decompress a piece into at most `contentSizeBytes` bytes. Errors: those of zlib. */
export function decompressPiece(bytes: Uint8Array, dictionary: Uint8Array, contentSizeBytes: number): Promise<Buffer> {
  return decompress(bytes, {
    dictionary,
    maxOutputLength: contentSizeBytes,
    chunkSize: Math.max(64, contentSizeBytes),
    params: decodeParameters,
  })
}
