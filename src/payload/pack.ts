import type { Json } from '../core/canonical-json.ts'
import type { Tree } from '../core/tree.ts'
import { type Assembled, Assembly } from './assembly.ts'
import { codecOf } from './codec.ts'
import { openLanes } from './encode.ts'
import { FillThreads } from './fill-threads.ts'
import { type Filler, type FillSettings, inlineFiller } from './filler.ts'
import { type Codec, type FileEntry, type PayloadManifest, segmentsOfContent } from './manifest.ts'
import { contentOffsets, type PlannedGroup, planGroups } from './plan.ts'
import { openCache, type SegmentCachePlace } from './segment-cache.ts'
import type { SegmentSink } from './sink.ts'

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
  /** Take MD5 sums of the files too, for a Debian package. */
  readonly withMd5?: boolean
  /** Where compressed segments are kept for the next time; nowhere when absent. */
  readonly cache?: SegmentCachePlace | undefined
  /** Threads that read and digest, if any were worth starting; when absent, some that are started here when they are worth it. */
  readonly threads?: FillThreads
  /** How many segments are compressed at once; by the number of cores when absent. */
  readonly lanes?: number
  readonly onProgress?: (doneTarBytes: number, totalTarBytes: number) => void
  readonly signal?: AbortSignal
}

/** What packing has made, beside what the sinks got. */
export interface PackedPayload {
  readonly manifest: PayloadManifest
  /** MD5 sums of the files by path; empty unless they were asked for. */
  readonly md5sums: ReadonlyMap<string, string>
}

/**
 * Turn a tree into a payload: one deterministic tar, cut into segments, each compressed once and handed to all sinks.
 *
 * Post: the bytes depend on the tree, `sourceDateEpoch`, codec, level and the library's version; not on cores, time, user or the cache.
 * Memory is bounded by some segments for each core, whatever the size of the tree.
 * Errors: PAYLOAD_ENTRY, PAYLOAD_LINK, PAYLOAD_CHANGED, FILE_IO; a sink's own; the signal's reason.
 */
export async function packPayload(options: PackOptions): Promise<PackedPayload> {
  const groups = planGroups(options.tree)
  const codec = codecOf(options.codec ?? 'zstd', options.level)
  const assembled = await packSegments(groups, codec, options)
  const { segments, tar } = assembled
  const manifest: PayloadManifest = {
    schema: 1,
    name: options.name,
    version: options.version,
    sourceDateEpoch: options.sourceDateEpoch,
    root: options.tree.root,
    codec,
    segmentsSizeBytes: segments.reduce((sum, segment) => sum + segment.sizeBytes, 0),
    tar,
    segments,
    files: fileEntries(options.tree, contentOffsets(groups), assembled),
    recipe: options.recipe,
  }
  return { manifest, md5sums: md5sumsByPath(options.tree, assembled) }
}

async function packSegments(groups: readonly PlannedGroup[], codec: Codec, options: PackOptions): Promise<Assembled> {
  const { withMd5 = false, cache, signal } = options
  signal?.throwIfAborted()
  const settings: FillSettings = { mtimeSeconds: options.sourceDateEpoch, withMd5, codec, cachePlace: cache }
  const threads = options.threads ?? new FillThreads()
  if (options.threads === undefined) threads.expect(tarBytes(groups))
  const filler = threads.areStarted ? threads.fill(groups, settings) : inlineFiller(groups, settings)
  const abort = () => filler.fail(signal?.reason)
  signal?.addEventListener('abort', abort)
  try {
    return await assemble(filler, { settings, totalTarBytes: tarBytes(groups), options })
  } finally {
    signal?.removeEventListener('abort', abort)
    if (options.threads === undefined) await threads.close()
  }
}

async function assemble(
  filler: Filler,
  packing: { readonly settings: FillSettings; readonly totalTarBytes: number; readonly options: PackOptions },
): Promise<Assembled> {
  const { settings, totalTarBytes, options } = packing
  const lanes = await openLanes(settings.codec, options.lanes)
  try {
    const assembly = new Assembly({
      lanes,
      cache: openCache(settings),
      sinks: options.sinks,
      onSegment: segment => options.onProgress?.(segment.tarOffset + segment.tarSizeBytes, totalTarBytes),
    })
    for await (const filled of filler.segments()) await assembly.add(filled)
    return await assembly.finish()
  } finally {
    lanes.close()
  }
}

function md5sumsByPath(tree: Tree, { md5s }: Assembled): ReadonlyMap<string, string> {
  const sums = new Map<string, string>()
  if (md5s.length === 0) return sums
  for (const entry of tree.entries) if (entry.type === 'file') sums.set(entry.path, md5s[sums.size]!)
  return sums
}

function tarBytes(groups: readonly PlannedGroup[]): number {
  return groups.reduce((sum, group) => sum + group.tarSizeBytes, 0)
}

/** Say of each entry what it is and where. Members come in the order of canonical JSON, which is then written without sorting them. */
function fileEntries(tree: Tree, offsets: readonly number[], { segments, digests }: Assembled): FileEntry[] {
  let index = 0
  return tree.entries.map(entry => {
    const { type, path } = entry
    if (type === 'directory') return { mode: entry.mode, path, type }
    if (type === 'symlink') return { linkTarget: entry.linkTarget, path, type }
    const { mode, sizeBytes } = entry
    const [digest, tarOffset] = [digests[index]!, offsets[index]!]
    index += 1
    const { firstSegment, lastSegment } = segmentsOfContent(segments, tarOffset, sizeBytes)
    return { digest, firstSegment, lastSegment, mode, path, sizeBytes, tarOffset, type }
  })
}
