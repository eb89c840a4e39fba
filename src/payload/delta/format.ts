import zlib from 'node:zlib'
import { canonicalJson } from '../../core/canonical-json.ts'
import type { Digest } from '../../core/digest.ts'

/** A file of the earlier release that content is compressed against, or copied from. `path` is relative to the payload's root. */
export interface DeltaBase {
  readonly path: string
  readonly sizeBytes: number
  readonly digest: Digest
}

/** A stretch of a base; `base` is its place in the list of bases. */
export interface BaseRange {
  readonly base: number
  readonly offset: number
  readonly sizeBytes: number
}

/**
 * A stretch of the new content, compressed alone.
 *
 * Units: bytes; `sizeBytes` is compressed, `contentSizeBytes` is not. `dictionary` is what it was compressed against.
 */
export interface DeltaPiece {
  readonly sizeBytes: number
  readonly digest: Digest
  readonly contentSizeBytes: number
  readonly dictionary: readonly BaseRange[]
}

/**
 * What a delta pack holds: how the files come to be that are new or changed since an earlier release.
 *
 * Shape: `files` are written from the content of the pieces, one file's after the other's, in the order of the manifest; a piece
 * may hold several small files or a part of a large one. `copies` have the content of a base. What is in neither has the same content
 * in both releases, under the same path; its mode is the manifest's. Unknown members are kept.
 */
export interface DeltaIndex {
  readonly schema: 1
  readonly name: string
  readonly version: string
  /** The version that it starts from. */
  readonly from: string
  /** Digests of both manifests as canonical JSON. */
  readonly fromManifest: Digest
  readonly toManifest: Digest
  /** The library and its version, such as `zstd 1.5.7`: a pack is deterministic for one version only. */
  readonly encoder: string
  readonly bases: readonly DeltaBase[]
  readonly copies: readonly { readonly path: string; readonly base: number }[]
  readonly files: readonly string[]
  readonly pieces: readonly DeltaPiece[]
  /** What makes the later manifest of the earlier one, so that it need not be fetched: see manifest-patch.ts. */
  readonly manifest?: string
}

/** What a delta pack is published as. */
export const deltaMediaType = 'application/vnd.cutover.delta.v1'

/** The content of a piece at most: with {@link dictionaryBytes} it bounds the memory of whoever makes or applies a delta pack. */
export const pieceBytes = 4 * 1024 * 1024
/** What a piece is compressed against at most. */
export const dictionaryBytes = 2 * pieceBytes

/** A compressed piece is never longer than this. Source: ZSTD_COMPRESSBOUND is below 1/128 for pieces of this size. */
export const largestPieceBytes = pieceBytes + 64 * 1024
/** The largest index that is unpacked. */
export const largestIndexBytes = 64 * 1024 * 1024

/** What a delta pack starts with; the digit is the format's version. */
export const deltaMagic = Buffer.from('cutover-delta 1\n')
/** The magic number and the size of the compressed index, 32 bits, little-endian; index and pieces follow. */
export const deltaHeaderBytes = deltaMagic.byteLength + 4

/** Name the delta pack from one version to another. */
export function deltaFileName(name: string, version: string, from: string): string {
  return `${name}-${version}.from-${from}.delta`
}

/** Write what stands before the pieces: header and index. */
export function deltaHead(index: DeltaIndex): Buffer {
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: 12 }
  const compressed = zlib.zstdCompressSync(Buffer.from(canonicalJson(index)), { params })
  const sizeBytes = Buffer.alloc(4)
  sizeBytes.writeUInt32LE(compressed.byteLength)
  return Buffer.concat([deltaMagic, sizeBytes, compressed])
}
