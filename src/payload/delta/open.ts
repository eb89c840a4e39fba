import fs from 'node:fs'
import zlib from 'node:zlib'
import { type Digest, digestOf, isDigest } from '../../core/digest.ts'
import { ReleaseError, toReleaseError } from '../../core/error.ts'
import { isRelativePath } from '../../core/relative-path.ts'
import { isVersion } from '../../core/version.ts'
import { Fields } from '../fields.ts'
import { manifestBytes, type PayloadManifest } from '../manifest.ts'
import { isPayloadFile, type PayloadFile } from '../payload-file.ts'
import {
  type DeltaBase,
  type DeltaIndex,
  deltaHeaderBytes,
  deltaMagic,
  dictionaryBytes,
  largestIndexBytes,
  largestPieceBytes,
  pieceBytes,
} from './format.ts'

/** A delta pack whose index has been read and found sound. */
export interface Delta {
  readonly index: DeltaIndex
  /** Read a compressed piece, verified. Errors: DELTA_INVALID, FILE_IO. */
  readonly readPiece: (piece: number) => Buffer
}

/** A delta pack that belongs to a manifest. */
export interface OpenedDelta extends Delta {
  /** The files that its pieces hold, in their order. */
  readonly files: readonly PayloadFile[]
  /** The files that are copied, each from a base of the same digest. */
  readonly copies: readonly { readonly file: PayloadFile; readonly base: DeltaBase }[]
}

/**
 * Read the index of a delta pack: a file, or bytes.
 *
 * Post: sizes, ranges and paths are within bounds, and the file is as long as its pieces say. Errors: DELTA_INVALID, DOCUMENT_NEWER, FILE_IO.
 */
export function readDelta(from: string | Uint8Array): Delta {
  const stored = storedBytes(from)
  const head = stored.read(0, deltaHeaderBytes)
  if (head.byteLength < deltaHeaderBytes || !head.subarray(0, deltaMagic.byteLength).equals(deltaMagic)) {
    throw invalid('does not begin as one')
  }
  const indexSizeBytes = head.readUInt32LE(deltaMagic.byteLength)
  if (deltaHeaderBytes + indexSizeBytes > stored.sizeBytes) throw invalid('ends inside its index')
  if (indexSizeBytes > largestIndexBytes) throw invalid(`has an index of ${indexSizeBytes} bytes`)
  const index = parseIndex(stored.read(deltaHeaderBytes, indexSizeBytes))
  const offsets: number[] = []
  let end = deltaHeaderBytes + indexSizeBytes
  for (const { sizeBytes } of index.pieces) {
    offsets.push(end)
    end += sizeBytes
  }
  if (end !== stored.sizeBytes) throw invalid(`has ${stored.sizeBytes} bytes, expected ${end}`)
  const readPiece = (piece: number) => {
    const { sizeBytes, digest } = index.pieces[piece]!
    const bytes = stored.read(offsets[piece]!, sizeBytes)
    const found = digestOf(bytes)
    if (found !== digest) throw invalid(`has piece ${piece} with ${found}, expected ${digest}`)
    return bytes
  }
  return { index, readPiece }
}

/**
 * Open a delta pack that leads to a release. `found` is the digest of its manifest as canonical JSON, for who has it.
 *
 * Post: it writes nothing but files of the manifest, each once, and holds as many bytes as they have, in no more pieces than they need.
 * Errors: those of {@link readDelta}; DELTA_INVALID also when it was made for another manifest.
 */
export function openDelta(
  from: string | Uint8Array,
  manifest: PayloadManifest,
  found: Digest = digestOf(manifestBytes(manifest)),
): OpenedDelta {
  const delta = readDelta(from)
  const { index } = delta
  if (index.toManifest !== found) throw invalid(`leads to the manifest ${index.toManifest}, expected ${found}`)
  const byPath = new Map(manifest.files.filter(isPayloadFile).map(file => [file.path, file]))
  const take = (path: string): PayloadFile => {
    const file = byPath.get(path)
    if (file === undefined) throw invalid(`writes ${path}, which is no file of the release or was written before`)
    byPath.delete(path)
    return file
  }
  const files = index.files.map(take)
  const contentBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const piecesBytes = index.pieces.reduce((sum, piece) => sum + piece.contentSizeBytes, 0)
  if (contentBytes !== piecesBytes) throw invalid(`holds ${piecesBytes} bytes of content, expected ${contentBytes}`)
  const mostPieces = files.reduce((sum, file) => sum + Math.ceil(file.sizeBytes / pieceBytes), 0)
  // Each may have a whole dictionary read.
  if (index.pieces.length > mostPieces) {
    throw invalid(`has ${index.pieces.length} pieces, expected ${mostPieces} at most`)
  }
  const copies = index.copies.map(copy => ({ file: take(copy.path), base: index.bases[copy.base]! }))
  const other = copies.find(({ file, base }) => file.digest !== base.digest || file.sizeBytes !== base.sizeBytes)
  if (other !== undefined) throw invalid(`copies ${other.file.path} from ${other.base.path}, which is another content`)
  return { ...delta, files, copies }
}

function parseIndex(compressed: Buffer): DeltaIndex {
  const value = parseJson(unpack(compressed))
  const fields = new Fields(value, 'DELTA_INVALID', 'delta')
  const schema = fields.integer('schema', 1, Number.MAX_SAFE_INTEGER)
  if (schema > 1) throw new ReleaseError('DOCUMENT_NEWER', `the delta pack has schema ${schema}, expected 1`)
  fields.text('name')
  for (const name of ['version', 'from']) fields.text(name, isVersion)
  for (const name of ['fromManifest', 'toManifest']) fields.text(name, isDigest)
  fields.text('encoder')
  const bases = checkBases(fields)
  for (const [copy] of fields.objects('copies')) {
    copy.text('path', isRelativePath)
    copy.integer('base', 0, bases.length - 1)
  }
  for (const path of fields.texts('files')) if (!isRelativePath(path)) throw fields.error('names an unsafe path')
  for (const [piece] of fields.objects('pieces')) checkPiece(piece, bases)
  fields.optionalText('manifest')
  return value as DeltaIndex
}

function checkBases(fields: Fields): readonly { readonly sizeBytes: number }[] {
  const bases: { readonly sizeBytes: number }[] = []
  const paths = new Set<string>()
  for (const [base] of fields.objects('bases')) {
    // Each is read as a whole before anything is written: once is enough.
    paths.add(base.text('path', path => isRelativePath(path) && !paths.has(path)))
    base.text('digest', isDigest)
    bases.push({ sizeBytes: base.integer('sizeBytes', 0, Number.MAX_SAFE_INTEGER) })
  }
  return bases
}

function checkPiece(piece: Fields, bases: readonly { readonly sizeBytes: number }[]): void {
  piece.integer('sizeBytes', 1, largestPieceBytes)
  piece.integer('contentSizeBytes', 1, pieceBytes)
  piece.text('digest', isDigest)
  let leftBytes = dictionaryBytes
  for (const [range] of piece.objects('dictionary')) {
    const base = bases[range.integer('base', 0, bases.length - 1)]!
    const offset = range.integer('offset', 0, base.sizeBytes)
    leftBytes -= range.integer('sizeBytes', 1, Math.min(leftBytes, base.sizeBytes - offset))
  }
}

function unpack(compressed: Buffer): Buffer {
  try {
    const params = { [zlib.constants.ZSTD_d_windowLogMax]: Math.log2(largestIndexBytes) }
    return zlib.zstdDecompressSync(compressed, { maxOutputLength: largestIndexBytes, params })
  } catch (caught) {
    throw invalid('has an index that does not decompress', caught)
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (caught) {
    throw invalid('has an index that is not JSON', caught)
  }
}

/** Bytes that can be read in parts; what is behind the end is left out. */
interface StoredBytes {
  readonly sizeBytes: number
  readonly read: (offset: number, sizeBytes: number) => Buffer
}

function storedBytes(from: string | Uint8Array): StoredBytes {
  if (typeof from !== 'string') {
    const bytes = Buffer.from(from.buffer, from.byteOffset, from.byteLength)
    return { sizeBytes: bytes.byteLength, read: (offset, sizeBytes) => bytes.subarray(offset, offset + sizeBytes) }
  }
  try {
    return { sizeBytes: fs.statSync(from).size, read: (offset, sizeBytes) => readPart(from, offset, sizeBytes) }
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function readPart(file: string, offset: number, sizeBytes: number): Buffer {
  try {
    const descriptor = fs.openSync(file, 'r')
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

function invalid(problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('DELTA_INVALID', `the delta pack ${problem}`, { cause })
}
