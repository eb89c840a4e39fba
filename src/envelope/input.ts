import fs from 'node:fs'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'
import { type Digest, Digester } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { frameHeader } from '../payload/codec.ts'
import type { Codec } from '../payload/manifest.ts'

/** A stretch of a file. */
export interface FileRange {
  readonly file: string
  readonly offset: number
  readonly sizeBytes: number
}

/** Open for reading what is a file: a pipe would be waited for, and a device never ends. Errors: FILE_IO. */
function openFile(file: string): number {
  const { O_RDONLY, O_NONBLOCK } = fs.constants
  try {
    const descriptor = fs.openSync(file, O_RDONLY | O_NONBLOCK)
    if (fs.fstatSync(descriptor).isFile()) return descriptor
    fs.closeSync(descriptor)
  } catch (caught) {
    throw toReleaseError(caught)
  }
  throw new ReleaseError('FILE_IO', `${file} is no regular file`, { details: { path: file } })
}

/** Read a stretch of a file, or as much of it as is there. Errors: FILE_IO. */
export function readRange({ file, offset, sizeBytes }: FileRange): Buffer {
  try {
    const descriptor = openFile(file)
    try {
      const bytes = Buffer.alloc(sizeBytes)
      return bytes.subarray(0, fs.readSync(descriptor, bytes, 0, sizeBytes, offset))
    } finally {
      fs.closeSync(descriptor)
    }
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

/** Digest a whole file with one buffer. Errors: FILE_IO. */
export function fileDigest(file: string): Digest {
  const digester = new Digester()
  try {
    const descriptor = openFile(file)
    try {
      const buffer = Buffer.allocUnsafeSlow(1024 * 1024)
      for (let read = -1; read !== 0; ) {
        read = fs.readSync(descriptor, buffer, 0, buffer.byteLength, null)
        digester.update(buffer.subarray(0, read))
      }
    } finally {
      fs.closeSync(descriptor)
    }
  } catch (caught) {
    throw toReleaseError(caught)
  }
  return digester.digest()
}

/**
 * Decompress a stretch of a file, handing on the bytes as they come.
 *
 * Post: the whole stretch was one zstd frame, for dpkg reads no second one, or a run of gzip members.
 * Errors: ENVELOPE_MISMATCH, FILE_IO.
 */
export async function decompressRange(
  range: FileRange,
  codec: Codec['name'],
  take: (bytes: Buffer) => void,
): Promise<void> {
  if (range.sizeBytes === 0) throw streamError(range, 'holds no bytes to decompress')
  if (codec === 'zstd') assertOneFrame(range)
  const chunkSize = 1024 * 1024
  const source = fs.createReadStream(range.file, {
    start: range.offset,
    end: range.offset + range.sizeBytes - 1,
    highWaterMark: chunkSize,
  })
  const decoder = codec === 'zstd' ? zlib.createZstdDecompress({ chunkSize }) : zlib.createGunzip({ chunkSize })
  try {
    await pipeline(source, decoder, async chunks => {
      for await (const bytes of chunks) take(bytes as Buffer)
    })
  } catch (caught) {
    if (caught instanceof ReleaseError) throw caught
    if (caught instanceof Error && 'errno' in caught && 'syscall' in caught) throw toReleaseError(caught)
    throw streamError(range, `does not decompress: ${(caught as Error).message}`, caught)
  }
}

/** Walk a frame from block to block. Source: RFC 8878 §3.1.1.2. */
function assertOneFrame(range: FileRange): void {
  const descriptor = openFile(range.file)
  const end = range.offset + range.sizeBytes
  const header = frameHeader('zstd')
  const bytes = Buffer.alloc(header.byteLength)
  try {
    fs.readSync(descriptor, bytes, 0, header.byteLength, range.offset)
    if (!bytes.equals(header)) throw streamError(range, `begins with ${bytes.toString('hex')}`)
    let at = range.offset + header.byteLength
    for (let isLast = false; !isLast; ) {
      if (fs.readSync(descriptor, bytes, 0, 3, at) < 3 || at + 3 > end)
        throw streamError(range, 'ends inside its frame')
      const block = bytes.readUIntLE(0, 3)
      isLast = (block & 1) === 1
      const isRunLength = ((block >> 1) & 3) === 1
      at += 3 + (isRunLength ? 1 : block >> 3)
    }
    if (at !== end) throw streamError(range, `has a frame that ends at byte ${at}, expected ${end}`)
  } finally {
    fs.closeSync(descriptor)
  }
}

function streamError(range: FileRange, problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('ENVELOPE_MISMATCH', `${range.file} ${problem}`, { cause, details: { path: range.file } })
}
