import type { Json } from '../core/canonical-json.ts'
import { type Digest, Digester, digestOf } from '../core/digest.ts'
import type { Tree } from '../core/tree.ts'
import { codecOf } from './codec.ts'
import { type Lanes, openLanes } from './encode.ts'
import { BufferPool, type FilledTar, fillSegments } from './fill.ts'
import { type Codec, type FileEntry, type PayloadManifest, type Segment, segmentsOfContent } from './manifest.ts'
import { type PlannedGroup, planGroups } from './plan.ts'
import type { SegmentSink } from './sink.ts'
import { tarEndBytes } from './tar.ts'

export interface PackOptions {
  readonly tree: Tree
  readonly name: string
  readonly version: string
  /** The modification time of everything, seconds since 1970. */
  readonly sourceDateEpoch: number
  /** zstd when absent. */
  readonly codec?: Codec['name']
  readonly level: number
  /** What the manifest tells servers: see recipe/node.ts. */
  readonly recipe: Json
  /** Each gets every segment, compressed once, in order. */
  readonly sinks: readonly SegmentSink[]
  readonly onProgress?: (doneTarBytes: number, totalTarBytes: number) => void
  readonly signal?: AbortSignal
}

/** Segments that are filled and not yet handed out: one for each lane, one waiting for each, which bounds memory. */
const segmentsInFlight = 4

/**
 * Turn a tree into a payload: one deterministic tar, cut into segments, each compressed once and handed to all sinks.
 *
 * Post: the bytes depend on the tree, `sourceDateEpoch`, codec, level and the library's version; not on cores, time or user.
 * Memory is bounded by a few segments, whatever the size of the tree. Each file is read once.
 * Errors: PAYLOAD_ENTRY, PAYLOAD_LINK, PAYLOAD_CHANGED, FILE_IO; a sink's own; the signal's reason.
 */
export async function packPayload(options: PackOptions): Promise<PayloadManifest> {
  const groups = planGroups(options.tree)
  const codec = codecOf(options.codec ?? 'zstd', options.level)
  const lanes = await openLanes(codec)
  try {
    const packed = await packSegments(groups, lanes, options)
    return {
      schema: 1,
      name: options.name,
      version: options.version,
      sourceDateEpoch: options.sourceDateEpoch,
      root: options.tree.root,
      codec,
      segmentsSizeBytes: packed.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0),
      tar: packed.tar,
      segments: packed.segments,
      files: options.tree.entries.map(entry => fileEntry(entry, packed)),
      recipe: options.recipe,
    }
  } finally {
    lanes.close()
  }
}

interface Packed {
  readonly segments: readonly Segment[]
  readonly tar: PayloadManifest['tar']
  readonly files: ReadonlyMap<string, { readonly digest: Digest; readonly tarOffset: number }>
}

interface InFlight {
  readonly filled: FilledTar
  readonly tarDigest: Digest
  readonly encoded: Promise<Buffer>
}

async function packSegments(groups: readonly PlannedGroup[], lanes: Lanes, options: PackOptions): Promise<Packed> {
  const totalTarBytes = groups.reduce((sum, group) => sum + group.tarSizeBytes, 0)
  const files = new Map<string, { readonly digest: Digest; readonly tarOffset: number }>()
  const segments: Segment[] = []
  const inFlight: InFlight[] = []
  const tar = new Digester()
  const pool = new BufferPool()
  const emitFirst = async () => {
    const { filled, tarDigest, encoded } = inFlight.shift()!
    const bytes = await encoded
    const segment = nextSegment(segments.at(-1), { bytes, tarDigest, tarSizeBytes: filled.sizeBytes })
    for (const sink of options.sinks) await sink.segment?.(segment, bytes)
    segments.push(segment)
    pool.give(filled.buffer)
    options.onProgress?.(segment.tarOffset + segment.tarSizeBytes, totalTarBytes)
  }
  const source = fillSegments(groups, {
    mtimeSeconds: options.sourceDateEpoch,
    pool,
    onFile: (path, file) => files.set(path, file),
    onContent: (path, bytes, isLast) => {
      for (const sink of options.sinks) sink.content?.(path, bytes, isLast)
    },
  })
  for await (const filled of source) {
    options.signal?.throwIfAborted()
    if (inFlight.length === segmentsInFlight) await emitFirst()
    const bytes = filled.buffer.subarray(0, filled.sizeBytes)
    const encoded = lanes.encode(bytes)
    tar.update(bytes)
    inFlight.push({ filled, encoded, tarDigest: digestOf(bytes) })
  }
  while (inFlight.length > 0) await emitFirst()
  tar.update(Buffer.alloc(tarEndBytes))
  return { segments, files, tar: { sizeBytes: tar.sizeBytes, digest: tar.digest() } }
}

function nextSegment(
  previous: Segment | undefined,
  next: { readonly bytes: Uint8Array; readonly tarDigest: Digest; readonly tarSizeBytes: number },
): Segment {
  return {
    index: previous === undefined ? 0 : previous.index + 1,
    offset: previous === undefined ? 0 : previous.offset + previous.sizeBytes,
    sizeBytes: next.bytes.byteLength,
    digest: digestOf(next.bytes),
    tarOffset: previous === undefined ? 0 : previous.tarOffset + previous.tarSizeBytes,
    tarSizeBytes: next.tarSizeBytes,
    tarDigest: next.tarDigest,
  }
}

function fileEntry(entry: Tree['entries'][number], packed: Packed): FileEntry {
  if (entry.type === 'directory') return { type: entry.type, path: entry.path, mode: entry.mode }
  if (entry.type === 'symlink') return { type: entry.type, path: entry.path, linkTarget: entry.linkTarget }
  const { path, mode, sizeBytes } = entry
  const { digest, tarOffset } = packed.files.get(path)!
  const place = segmentsOfContent(packed.segments, tarOffset, sizeBytes)
  return { type: 'file', path, mode, sizeBytes, digest, tarOffset, ...place }
}
