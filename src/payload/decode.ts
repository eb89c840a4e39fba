import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { loneFrame } from './codec.ts'
import type { Codec, Segment } from './manifest.ts'

const zstdDecompress = promisify(zlib.zstdDecompress)
const gunzip = promisify(zlib.gunzip)

/**
 * Decompress one segment alone into its stretch of the tar.
 *
 * Post: exactly `segment.tarSizeBytes` bytes with `segment.tarDigest`; no more memory than that, whatever the bytes say.
 * Errors: SEGMENT_DECODE.
 */
export async function decodeSegment(codec: Codec, bytes: Uint8Array, segment: Segment): Promise<Buffer> {
  const tar = await decompress(codec, bytes, segment)
  if (tar.byteLength !== segment.tarSizeBytes) {
    throw decodeError(segment, `it holds ${tar.byteLength} bytes of tar, expected ${segment.tarSizeBytes}`)
  }
  const found = digestOf(tar)
  if (found !== segment.tarDigest) throw decodeError(segment, `its tar has ${found}, expected ${segment.tarDigest}`)
  return tar
}

async function decompress(codec: Codec, bytes: Uint8Array, segment: Segment): Promise<Buffer> {
  const options = { maxOutputLength: segment.tarSizeBytes, chunkSize: Math.max(64, segment.tarSizeBytes) }
  try {
    return codec.name === 'zstd' ? await zstdDecompress(loneFrame(codec, bytes), options) : await gunzip(bytes, options)
  } catch (caught) {
    throw decodeError(segment, `it does not decompress: ${(caught as Error).message}`, caught)
  }
}

function decodeError(segment: Segment, reason: string, cause?: unknown): ReleaseError {
  return new ReleaseError('SEGMENT_DECODE', `segment ${segment.index} cannot be read: ${reason}`, {
    cause,
    details: { segment: segment.index },
  })
}
