import zlib from 'node:zlib'
import { canonicalJson, type Json } from '../core/canonical-json.ts'
import { type Digest, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { namePattern } from '../core/name.ts'
import { isRelativePath } from '../core/relative-path.ts'
import { isVersion } from '../core/version.ts'
import { largestSegmentBytes } from './chunk.ts'
import { EntryOrder, linkProblem, type PayloadEntry } from './entry.ts'
import { Fields } from './fields.ts'
import { tarBlockBytes, tarEndBytes } from './tar.ts'

/** How the tar is compressed: `zstd` is one frame with independent segments, `gzip` a member per segment. */
export interface Codec {
  readonly name: 'zstd' | 'gzip'
  readonly level: number
  /** The library and its version, such as `zstd 1.5.7`: output is deterministic for one version only. */
  readonly encoder: string
}

/**
 * A stretch of the payload that can be fetched, verified and decoded alone.
 *
 * Units: bytes. `offset` counts from the first byte of the payload's segments, so that an envelope only has to state where
 * those start; `tarOffset` counts in the uncompressed tar.
 */
export interface Segment {
  readonly index: number
  readonly offset: number
  readonly sizeBytes: number
  readonly digest: Digest
  readonly tarOffset: number
  readonly tarSizeBytes: number
  readonly tarDigest: Digest
}

/**
 * One entry of the payload, in tar order (folders before their content, entries in byte order, all symlinks last).
 *
 * Shape: `path` is relative to the payload's root; the folder of the root itself is not listed. `mode` holds permission bits only.
 * `tarOffset` is where a file's content starts in the uncompressed tar; its segments are those that overlap it.
 */
export type FileEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | {
      readonly type: 'file'
      readonly path: string
      readonly mode: number
      readonly sizeBytes: number
      readonly digest: Digest
      readonly tarOffset: number
      readonly firstSegment: number
      readonly lastSegment: number
    }
  | { readonly type: 'symlink'; readonly path: string; readonly linkTarget: string }

/**
 * What a payload consists of: enough to fetch any part of it from any envelope and to verify every file.
 *
 * Shape: stored as canonical JSON (`NAME-VERSION.manifest.json`); parsed by {@link parseManifest}; unknown members are kept.
 */
export interface PayloadManifest {
  readonly schema: 1
  readonly name: string
  readonly version: string
  /** Seconds since 1970; the modification time of every file. */
  readonly sourceDateEpoch: number
  /** Where the payload lives on a file system in packages and images, such as `opt/notes`; an installation in a prefix strips it. */
  readonly root: string
  readonly codec: Codec
  /** The compressed segments, one after the other, without any frame header or end. */
  readonly segmentsSizeBytes: number
  /** The uncompressed tar with its two final zero blocks, as the tarball and the image's layer hold it: the digest is the layer's diff_id. */
  readonly tar: { readonly sizeBytes: number; readonly digest: Digest }
  readonly segments: readonly Segment[]
  readonly files: readonly FileEntry[]
  /** The recipe's parts that a server needs (`node`, `environments`) as written; read by recipe/node.ts. */
  readonly recipe: Json
}

/** The largest manifest that a reader unpacks: some two million files. */
const largestManifestBytes = 512 * 1024 * 1024
const mostFiles = 2_000_000
/** A terabyte in the smallest segments that are made. */
const mostSegments = 250_000
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** Write a manifest as canonical JSON: what its digest in records and annotations is taken of. */
export function manifestBytes(manifest: PayloadManifest): Buffer {
  return Buffer.from(canonicalJson(manifest))
}

/** Write a manifest as it is stored and sent: canonical JSON, zstd. It is a third to a fifth of the size. */
export function compressedManifest(manifest: PayloadManifest): Buffer {
  return compressManifest(manifestBytes(manifest))
}

/** Compress the canonical JSON of a manifest as it is stored and sent. Post: the same bytes wherever zstd has the same version. */
export function compressManifest(json: Buffer): Buffer {
  return zlib.zstdCompressSync(json, { params: { [zlib.constants.ZSTD_c_compressionLevel]: 3 } })
}

/**
 * Read a manifest that came from outside, plain or compressed.
 *
 * Post: paths stay inside the root, each once and in order, below listed folders; links point inside; segments and files lie
 * where the sizes before them say. Errors: MANIFEST_INVALID, DOCUMENT_NEWER.
 */
export function parseManifest(bytes: Uint8Array): PayloadManifest {
  return checkManifest(parseJson(manifestJson(bytes)))
}

/** Accept a manifest that was parsed already, as {@link parseManifest} does. */
export function checkManifest(value: unknown): PayloadManifest {
  const fields = new Fields(value, 'MANIFEST_INVALID', 'manifest')
  if (fields.integer('schema', 1, Number.MAX_SAFE_INTEGER) > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `the manifest has schema ${fields.integer('schema', 2, 1e9)}, expected 1`)
  }
  fields.text('name', name => namePattern.test(name))
  fields.text('version', isVersion)
  fields.text('root', isRelativePath)
  fields.integer('sourceDateEpoch', 0, 8 ** 11 - 1)
  const codec = fields.object('codec')
  codec.choice('name', ['zstd', 'gzip'])
  codec.integer('level', 1, 22)
  codec.text('encoder')
  const tarSizeBytes = fields.object('tar').integer('sizeBytes', tarEndBytes, Number.MAX_SAFE_INTEGER) - tarEndBytes
  fields.object('tar').text('digest', isDigest)
  if (!fields.has('recipe')) throw fields.unexpected('recipe', 'a value')
  const segments = checkSegments(fields, tarSizeBytes)
  checkFiles(fields, tarSizeBytes, segments)
  return value as PayloadManifest
}

/** Name the segments that hold a file's content; for an empty file, the one that holds its header. */
export function segmentsOfContent(
  segments: readonly Segment[],
  tarOffset: number,
  sizeBytes: number,
): { readonly firstSegment: number; readonly lastSegment: number } {
  const firstSegment = segmentAt(segments, sizeBytes === 0 ? tarOffset - 1 : tarOffset)
  return { firstSegment, lastSegment: sizeBytes === 0 ? firstSegment : segmentAt(segments, tarOffset + sizeBytes - 1) }
}

function segmentAt(segments: readonly Segment[], tarOffset: number): number {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (segments[middle]!.tarOffset <= tarOffset) low = middle
    else high = middle - 1
  }
  return low
}

/** Unpack a manifest that may be compressed, without reading it. Errors: MANIFEST_INVALID. */
export function manifestJson(bytes: Uint8Array): Buffer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!buffer.subarray(0, 4).equals(zstdMagic)) return buffer
  try {
    return zlib.zstdDecompressSync(buffer, { maxOutputLength: largestManifestBytes, chunkSize: unpackedAtOnce(buffer) })
  } catch (caught) {
    throw new ReleaseError('MANIFEST_INVALID', 'the manifest does not decompress', { cause: caught })
  }
}

/** Most manifests fit: in the pieces that zlib takes by itself, unpacking one takes ten times as long. */
function unpackedAtOnce(compressed: Buffer): number {
  return Math.min(Math.max(64 * 1024, compressed.byteLength * 6), 16 * 1024 * 1024)
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (caught) {
    throw new ReleaseError('MANIFEST_INVALID', 'the manifest is not JSON', { cause: caught })
  }
}

function checkSegments(fields: Fields, tarSizeBytes: number): Segment[] {
  const segments: Segment[] = []
  let offset = 0
  let tarOffset = 0
  for (const [segment, index] of fields.objects('segments', mostSegments)) {
    segment.integer('index', index, index)
    segment.integer('offset', offset, offset)
    segment.integer('tarOffset', tarOffset, tarOffset)
    segment.text('digest', isDigest)
    segment.text('tarDigest', isDigest)
    const sizeBytes = segment.integer('sizeBytes', 1, largestSegmentBytes)
    const tarBytes = segment.integer('tarSizeBytes', 1, largestSegmentBytes)
    segments.push({ index, offset, tarOffset, sizeBytes, tarSizeBytes: tarBytes } as Segment)
    offset += sizeBytes
    tarOffset += tarBytes
  }
  fields.integer('segmentsSizeBytes', offset, offset)
  if (tarOffset !== tarSizeBytes)
    throw fields.error(`has segments of ${tarOffset} bytes of tar, expected ${tarSizeBytes}`)
  return segments
}

function checkFiles(fields: Fields, tarSizeBytes: number, segments: readonly Segment[]): void {
  const order = new EntryOrder()
  let tarOffset = 0
  for (const [file] of fields.objects('files', mostFiles)) {
    const entry = payloadEntry(file)
    const problem = order.problem(entry)
    if (problem !== undefined) throw file.error(`cannot be accepted: ${problem}`)
    if (entry.type === 'symlink') {
      const unsafe = linkProblem(entry.path, entry.linkTarget)
      if (unsafe !== undefined) throw file.error(`cannot be accepted: ${unsafe}`)
    }
    if (entry.type === 'file') tarOffset = checkContent(file, entry.sizeBytes, { tarOffset, tarSizeBytes, segments })
  }
}

function payloadEntry(file: Fields): PayloadEntry {
  const type = file.choice('type', ['directory', 'file', 'symlink'])
  const path = file.text('path')
  if (type === 'symlink') return { type, path, linkTarget: file.text('linkTarget') }
  const mode = file.integer('mode', 0, 0o777)
  if (type === 'directory') return { type, path, mode }
  return { type, path, mode, sizeBytes: file.integer('sizeBytes', 0, Number.MAX_SAFE_INTEGER) }
}

/** Check where a file's content lies, and return where the next one's may start. */
function checkContent(
  file: Fields,
  sizeBytes: number,
  tar: { readonly tarOffset: number; readonly tarSizeBytes: number; readonly segments: readonly Segment[] },
): number {
  file.text('digest', isDigest)
  // A header of at least one block stands before the content.
  const tarOffset = file.integer('tarOffset', tar.tarOffset + tarBlockBytes, tar.tarSizeBytes - sizeBytes)
  const expected = segmentsOfContent(tar.segments, tarOffset, sizeBytes)
  file.integer('firstSegment', expected.firstSegment, expected.firstSegment)
  file.integer('lastSegment', expected.lastSegment, expected.lastSegment)
  return tarOffset + sizeBytes
}
