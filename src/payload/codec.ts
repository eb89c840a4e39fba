import zlib from 'node:zlib'
import { segmentRoomBytes } from './chunk.ts'
import type { Codec } from './manifest.ts'

/** Name the codec with the library of this process. Source: ZSTD_versionString, zlibVersion as Node reports them. */
export function codecOf(name: Codec['name'], level: number): Codec {
  if (name === 'zstd') return { name, level, encoder: `zstd ${process.versions.zstd}` }
  return { name, level: Math.min(level, 9), encoder: `zlib ${process.versions.zlib}` }
}

/** The window of every zstd payload: 8 MiB, the most that a decoder has to support, and more than any segment needs. */
const windowLog = 23

/** Counts up with every change of what {@link openEncoder} makes of the same bytes at the same level: what was kept before is of no use then. */
export const segmentFormat = 1

/**
 * What stands before the first segment in every envelope.
 *
 * Shape: for zstd the frame's magic number, a descriptor without content size, checksum or dictionary, and the window.
 * Source: RFC 8878 §3.1.1.1.
 */
export function frameHeader(codec: Codec['name']): Buffer {
  return codec === 'zstd' ? Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3]) : Buffer.alloc(0)
}

/**
 * What stands after the last segment in every envelope: the tar's two zero blocks and the end of the frame.
 *
 * Shape: for zstd one last block of 1024 times zero; for gzip a member. Source: RFC 8878 §3.1.1.2 (RLE_Block).
 */
export function frameEnd(codec: Codec): Buffer {
  if (codec.name === 'gzip') return zlib.gzipSync(Buffer.alloc(1024), { level: codec.level })
  const header = (1024 << 3) | (1 << 1) | 1
  return Buffer.from([header & 0xff, (header >> 8) & 0xff, header >> 16, 0])
}

/** Turn segments back into a frame that any decoder reads: header, segments, an empty last block. */
export function loneFrame(codec: Codec, bytes: Uint8Array): Uint8Array {
  return codec.name === 'zstd' ? Buffer.concat([frameHeader(codec.name), bytes, Buffer.from([1, 0, 0])]) : bytes
}

/** A compressor of one segment after the other. */
export interface Encoder {
  /** Compress a segment alone. Pre: one at a time; `bytes` stay as they are until it resolves. */
  readonly encode: (bytes: Uint8Array) => Promise<Buffer>
  readonly close: () => void
}

/** Open a compressor. Post: the output for a segment depends on its bytes, the level and the library's version only. */
export function openEncoder(codec: Codec): Promise<Encoder> {
  return codec.name === 'zstd' ? openZstdEncoder(codec.level) : Promise.resolve(gzipEncoder(codec.level))
}

/**
 * Multi-threaded zstd (`nbWorkers`, even 1) starts each job without history and without repeat offsets, and a flush ends a
 * job: so every flush makes a run of blocks that decode without what stands before them. `overlapLog` 1 turns off the
 * history that jobs otherwise share; the job size is more than any segment, whatever the level. The first job has the frame
 * header in front of it and may use repeat offsets: one byte spends it.
 */
async function openZstdEncoder(level: number): Promise<Encoder> {
  const { constants } = zlib
  const stream = zlib.createZstdCompress({
    flush: constants.ZSTD_e_flush,
    chunkSize: 1024 * 1024,
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: windowLog,
      [constants.ZSTD_c_nbWorkers]: 1,
      [constants.ZSTD_c_overlapLog]: 1,
      [constants.ZSTD_c_jobSize]: segmentRoomBytes,
    },
  })
  let pieces: Buffer[] = []
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  const encode = (bytes: Uint8Array) =>
    new Promise<Buffer>((resolve, reject) => {
      stream.once('error', reject)
      stream.write(bytes, caught => {
        stream.off('error', reject)
        if (caught != null) return reject(caught)
        resolve(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))
        pieces = []
      })
    })
  await encode(Buffer.alloc(1))
  return { encode, close: () => stream.destroy() }
}

function gzipEncoder(level: number): Encoder {
  const encode = (bytes: Uint8Array) =>
    new Promise<Buffer>((resolve, reject) => {
      zlib.gzip(bytes, { level, chunkSize: 1024 * 1024 }, (caught, result) =>
        caught === null ? resolve(result) : reject(caught),
      )
    })
  return { encode, close: () => {} }
}
