import { type Digest, Digester, digestOf } from '../core/digest.ts'
import type { Lanes } from './encode.ts'
import type { FilledSegment } from './fill.ts'
import type { Filled } from './filler.ts'
import type { PayloadManifest, Segment } from './manifest.ts'
import type { SegmentCache, StoredSegment } from './segment-cache.ts'
import type { SegmentSink } from './sink.ts'
import { tarEndBytes } from './tar.ts'

/** What all segments together have come to; `digests` and `md5s` are those of the files, in order. */
export interface Assembled {
  readonly segments: readonly Segment[]
  readonly tar: PayloadManifest['tar']
  readonly digests: readonly Digest[]
  readonly md5s: readonly string[]
}

export interface AssemblyOptions {
  readonly lanes: Lanes
  readonly cache: SegmentCache | undefined
  readonly sinks: readonly SegmentSink[]
  /** Told of every segment that was handed out. */
  readonly onSegment: (segment: Segment) => void
}

interface InFlight {
  readonly segment: FilledSegment
  readonly compressed: Promise<StoredSegment>
}

/**
 * Compress segments side by side and hand them out one after the other.
 *
 * Pre: they are added in order. At most two for each lane are held; beyond that {@link add} waits.
 */
export class Assembly {
  readonly #options: AssemblyOptions
  readonly #inFlight: InFlight[] = []
  readonly #tar = new Digester()
  readonly #segments: Segment[] = []
  readonly #digests: Digest[] = []
  readonly #md5s: string[] = []
  #kept: Promise<void> | undefined

  constructor(options: AssemblyOptions) {
    this.#options = options
  }

  /** Take the next segment. Errors: a sink's own. */
  async add(filled: Filled): Promise<void> {
    const { segment } = filled
    const compressed = this.#compress(filled)
    // Whoever hands it out hears of a failure; until then it is nobody's.
    compressed.catch(() => undefined)
    for (const digest of segment.sums.digests) this.#digests.push(digest)
    for (const md5 of segment.sums.md5s) this.#md5s.push(md5)
    this.#inFlight.push({ segment, compressed })
    if (this.#inFlight.length > 2 * this.#options.lanes.count) await this.#handOut()
  }

  /** Hand out the rest. Post: what the cache is to keep is there. */
  async finish(): Promise<Assembled> {
    while (this.#inFlight.length > 0) await this.#handOut()
    await this.#kept
    this.#tar.update(Buffer.alloc(tarEndBytes))
    const tar = { sizeBytes: this.#tar.sizeBytes, digest: this.#tar.digest() }
    if (this.#kept !== undefined) await this.#options.cache?.prune()
    return { segments: this.#segments, tar, digests: this.#digests, md5s: this.#md5s }
  }

  /** Post: the buffer is free again, whether or not the segments before were handed out. */
  async #compress({ buffer, segment, giveBack }: Filled): Promise<StoredSegment> {
    const { tarSizeBytes, sums, stored } = segment
    const tar = buffer.subarray(0, tarSizeBytes)
    const compressing = stored === undefined ? this.#options.lanes.encode(tar) : undefined
    this.#tar.update(tar)
    const bytes = await compressing
    giveBack()
    return bytes === undefined ? stored! : { bytes, digest: digestOf(bytes), sums }
  }

  async #handOut(): Promise<void> {
    const { segment: filled, compressed } = this.#inFlight.shift()!
    const ready = await compressed
    const segment = this.#next(filled, ready)
    for (const sink of this.#options.sinks) await sink.segment(segment, ready.bytes)
    this.#segments.push(segment)
    this.#options.onSegment(segment)
    if (filled.cacheKey === undefined || filled.stored !== undefined) return
    // One at a time: a slow disk slows packing, and does not fill the memory.
    await this.#kept
    this.#kept = this.#options.cache?.write(filled.cacheKey, ready)
  }

  #next({ tarSizeBytes, tarDigest }: FilledSegment, { bytes, digest }: StoredSegment): Segment {
    const previous = this.#segments.at(-1)
    const index = this.#segments.length
    const offset = previous === undefined ? 0 : previous.offset + previous.sizeBytes
    const tarOffset = previous === undefined ? 0 : previous.tarOffset + previous.tarSizeBytes
    return { index, offset, sizeBytes: bytes.byteLength, digest, tarOffset, tarSizeBytes, tarDigest }
  }
}
