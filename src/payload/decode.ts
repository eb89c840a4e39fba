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
  const tar = await decompressSegment(codec, bytes, segment)
  const found = digestOf(tar)
  if (found !== segment.tarDigest) throw decodeError(segment, `its tar has ${found}, expected ${segment.tarDigest}`)
  return tar
}

/**
 * Decompress one segment alone, whose content is verified by whoever uses it.
 *
 * Post: exactly `segment.tarSizeBytes` bytes; no more memory than that, whatever the bytes say. Errors: SEGMENT_DECODE.
 */
export async function decompressSegment(codec: Codec, bytes: Uint8Array, segment: Segment): Promise<Buffer> {
  const options = decompressOptions(segment)
  try {
    const tar = codec.name === 'zstd' ? zstdDecompress(loneFrame(codec, bytes), options) : gunzip(bytes, options)
    return assertSize(await tar, segment)
  } catch (caught) {
    throw undecodable(segment, caught)
  }
}

/** Do what {@link decompressSegment} does in this thread: for a thread that has nothing else to do meanwhile. */
export function decompressSegmentSync(codec: Codec, bytes: Uint8Array, segment: Segment): Buffer {
  const options = decompressOptions(segment)
  try {
    const isZstd = codec.name === 'zstd'
    return assertSize(
      isZstd ? zlib.zstdDecompressSync(loneFrame(codec, bytes), options) : zlib.gunzipSync(bytes, options),
      segment,
    )
  } catch (caught) {
    throw undecodable(segment, caught)
  }
}

function decompressOptions({ tarSizeBytes }: Segment): {
  readonly maxOutputLength: number
  readonly chunkSize: number
} {
  return { maxOutputLength: tarSizeBytes, chunkSize: Math.max(64, tarSizeBytes) }
}

function assertSize(tar: Buffer, segment: Segment): Buffer {
  if (tar.byteLength === segment.tarSizeBytes) return tar
  throw decodeError(segment, `it holds ${tar.byteLength} bytes of tar, expected ${segment.tarSizeBytes}`)
}

function undecodable(segment: Segment, caught: unknown): ReleaseError {
  if (caught instanceof ReleaseError) return caught
  return decodeError(segment, `it does not decompress: ${(caught as Error).message}`, caught)
}

function decodeError(segment: Segment, reason: string, cause?: unknown): ReleaseError {
  return new ReleaseError('SEGMENT_DECODE', `segment ${segment.index} cannot be read: ${reason}`, {
    cause,
    details: { segment: segment.index },
  })
}
