import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { type Opened, type OpenedBody, type OpenOptions, open } from '../sys/http.ts'
import { isPassingFailure, Perseverance, type RetryTools } from '../sys/retry.ts'
import { BodyCursor } from './body-cursor.ts'
import type { PayloadManifest, Segment } from './manifest.ts'
import { endOf, planRuns, usualGapBytes } from './runs.ts'
import type { WholeFile } from './whole-file.ts'

/** One segment with its verified compressed bytes. */
export interface FetchedSegment {
  readonly segment: Segment
  readonly bytes: Uint8Array
}

/**
 * A place that segments can be read from. Wrappers have the same shape: see {@link fallbackSource}, {@link parallelSource}.
 *
 * Post: `read` yields the segments asked for, in that order, each with the digest of the manifest.
 */
export interface SegmentSource {
  /** Pre: `segments` ascend by index, each once. */
  readonly read: (segments: readonly Segment[], signal?: AbortSignal) => AsyncIterable<FetchedSegment>
  /** Name the place for people. */
  readonly describe: () => string
  /** The payload bytes that have come so far, those that were thrown away included. */
  readonly fetchedBytes: number
}

export interface SourceOptions {
  /** `http:`, `https:`, `file:` or `bundle:`: any envelope of the release. With `open` it is only what people are told. */
  readonly url: string
  /** Where the segments start in it, as the release record says. */
  readonly payloadOffset: number
  readonly manifest: PayloadManifest
  /** Open the envelope, as sys/http.ts opens addresses. */
  readonly open?: ((options: OpenOptions) => Promise<Opened>) | undefined
  /**
   * Where all of it is kept when its server sends it only whole. Pre: the signal of `read` ends what is still coming then; without it, who
   * reads twice from such a server fetches twice.
   */
  readonly whole?: WholeFile | undefined
  /** How often a stretch is asked for when the answer breaks off; a file of this machine is read once. */
  readonly attempts?: number
  readonly idleTimeoutMs?: number
  readonly retryTools?: RetryTools | undefined
}

/**
 * Read segments from one envelope by ranges; those that are next to each other in one request.
 *
 * Errors: SEGMENT_MISSING (no such file), SEGMENT_SHORT (broke off in every attempt), SEGMENT_DIGEST (other bytes: not asked
 * for again, for a mirror that sends them once is not to be trusted), those of opening it.
 */
export function openSegmentSource(options: SourceOptions): SegmentSource {
  return new EnvelopeSource(options)
}

/** An answer to be read: from where, and which segments are in it. */
interface Answered {
  readonly opened: OpenedBody
  readonly start: number
  readonly segments: readonly Segment[]
}

/** What a server does with a range; `unknown` until it was asked. */
type Answering = 'unknown' | 'ranges' | 'whole'

class EnvelopeSource implements SegmentSource {
  readonly #options: SourceOptions
  #answering: Answering = 'unknown'
  /** Settled when an answer has begun that others wait for. */
  #asking: Promise<void> | undefined
  /** The other bytes than were signed that it has sent. */
  #lie: ReleaseError | undefined
  fetchedBytes = 0

  constructor(options: SourceOptions) {
    this.#options = options
  }

  describe(): string {
    return this.#options.url
  }

  async *read(segments: readonly Segment[], signal?: AbortSignal): AsyncGenerator<FetchedSegment> {
    const reading = new Reading(this.#options, signal)
    while (reading.next < segments.length) {
      const kept = this.#keptSegment(segments[reading.next]!)
      if (kept !== undefined) {
        yield kept
        reading.next += 1
        continue
      }
      try {
        for await (const fetched of this.#fetch(segments.slice(reading.next), reading)) {
          yield fetched
          reading.next += 1
        }
      } catch (caught) {
        await reading.afterFailure(caught)
      }
    }
  }

  /** What an earlier run, or another reader, has fetched of the whole. */
  #keptSegment(segment: Segment): FetchedSegment | undefined {
    const { whole, payloadOffset } = this.#options
    const bytes = whole?.read(payloadOffset + segment.offset, segment.sizeBytes)
    return bytes !== undefined && digestOf(bytes) === segment.digest ? { segment, bytes } : undefined
  }

  async *#fetch(segments: readonly Segment[], reading: Reading): AsyncGenerator<FetchedSegment> {
    while (this.#asking !== undefined) await this.#asking
    if (this.#lie !== undefined) throw this.#lie
    const { whole } = this.#options
    const isComing = whole !== undefined && (whole.isReceiving || whole.receivedBytes >= this.#at(segments[0]!, 'end'))
    const answer = isComing ? 'kept' : await this.#ask(segments, reading)
    if (answer === 'kept') return yield* this.#readKept(segments[0]!, whole!)
    yield* this.#readBody(answer, reading)
  }

  /** Ask for the next run, or for the whole where nothing less is to be had; that is received at once, for all. */
  async #ask(segments: readonly Segment[], reading: Reading): Promise<Answered | 'kept'> {
    const { whole } = this.#options
    const [run = []] = planRuns(segments, { gapBytes: usualGapBytes, mostBytes: Number.POSITIVE_INFINITY })
    const isWhole = whole !== undefined && this.#answering === 'whole'
    const start = isWhole ? whole.receivedBytes : this.#at(run[0]!) + reading.partialBytes(run[0]!)
    const asked = Promise.withResolvers<void>()
    // Nobody else asks while it is not known what the server does with ranges, or when the whole is to come.
    if (this.#answering !== 'ranges') this.#asking = asked.promise
    try {
      const opened = await this.#open({ start, end: isWhole ? this.#end : this.#at(run.at(-1)!, 'end') }, reading)
      if (this.#answering === 'unknown') this.#answering = opened.status === 206 ? 'ranges' : 'whole'
      if (opened.status === 206 && !isWhole) return { opened, start, segments: run }
      // From the whole, all that is wanted is taken.
      if (whole === undefined) return { opened, start: 0, segments }
      if (whole.isReceiving) await closeBody(opened)
      else whole.receive(opened.body, opened.status === 206 ? start : 0, sizeBytes => this.#count(sizeBytes, reading))
      return 'kept'
    } finally {
      if (this.#asking === asked.promise) this.#asking = undefined
      asked.resolve()
    }
  }

  async *#readBody({ opened, start, segments }: Answered, reading: Reading): AsyncGenerator<FetchedSegment> {
    const cursor = new BodyCursor(opened.body, start, sizeBytes => this.#count(sizeBytes, reading))
    try {
      for (const segment of segments) {
        const partial = reading.partialOf(segment)
        if (!(await cursor.fill(this.#at(segment), partial))) throw this.#shortError(segment)
        this.#verify(segment, partial.bytes)
        yield { segment, bytes: partial.bytes }
      }
    } finally {
      await cursor.close()
    }
  }

  async *#readKept(segment: Segment, whole: WholeFile): AsyncGenerator<FetchedSegment> {
    await whole.until(this.#at(segment, 'end'))
    const bytes = whole.read(this.#at(segment), segment.sizeBytes)
    if (bytes === undefined) throw this.#shortError(segment)
    this.#verify(segment, bytes)
    yield { segment, bytes }
  }

  /** Errors: SEGMENT_MISSING, those of opening it. */
  async #open(range: { readonly start: number; readonly end: number }, { signal }: Reading): Promise<OpenedBody> {
    const { url, idleTimeoutMs } = this.#options
    const asked = this.#options.open ?? ((options: OpenOptions) => open(url, options))
    const opened = await asked({
      range,
      ...(signal === undefined ? {} : { signal }),
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    })
    if (opened !== undefined) return opened
    throw new ReleaseError('SEGMENT_MISSING', `${url} does not exist`, { details: { url } })
  }

  #count(sizeBytes: number, reading: Reading): void {
    this.fetchedBytes += sizeBytes
    reading.arrived(sizeBytes)
  }

  #at(segment: Segment, side: 'start' | 'end' = 'start'): number {
    return this.#options.payloadOffset + (side === 'start' ? segment.offset : endOf(segment))
  }

  /** Where the last segment ends. */
  get #end(): number {
    return this.#options.payloadOffset + this.#options.manifest.segmentsSizeBytes
  }

  #verify(segment: Segment, bytes: Uint8Array): void {
    const found = digestOf(bytes)
    if (found === segment.digest) return
    const { url, whole } = this.#options
    const message = `${url} sent segment ${segment.index} with ${found}, expected ${segment.digest}`
    this.#lie = new ReleaseError('SEGMENT_DIGEST', message, { details: { url, segment: segment.index, found } })
    whole?.discard(this.#lie)
    throw this.#lie
  }

  #shortError(segment: Segment): ReleaseError {
    const { url } = this.#options
    const message = `${url} ended inside segment ${segment.index}, expected ${segment.sizeBytes} bytes of it`
    return new ReleaseError('SEGMENT_SHORT', message, { details: { url, segment: segment.index } })
  }
}

/** A segment of which some has come. */
interface Partial {
  readonly segment: Segment
  readonly bytes: Buffer
  filledBytes: number
}

/** How far one reader has come, through as many answers as it takes. */
class Reading {
  readonly signal: AbortSignal | undefined
  readonly #perseverance: Perseverance
  #partial: Partial | undefined
  /** The index in the list of what is wanted. */
  next = 0

  constructor(options: SourceOptions, signal: AbortSignal | undefined) {
    this.signal = signal
    const usualAttempts = options.url.startsWith('file:') ? 1 : 3
    this.#perseverance = new Perseverance(options.attempts ?? usualAttempts, options.retryTools)
  }

  arrived(sizeBytes: number): void {
    this.#perseverance.arrived(sizeBytes)
  }

  partialOf(segment: Segment): Partial {
    if (this.#partial?.segment !== segment) {
      this.#partial = { segment, bytes: Buffer.allocUnsafe(segment.sizeBytes), filledBytes: 0 }
    }
    return this.#partial
  }

  partialBytes(segment: Segment): number {
    return this.#partial?.segment === segment ? this.#partial.filledBytes : 0
  }

  /** Errors: what was caught, when asking again would be of no use. */
  async afterFailure(caught: unknown): Promise<void> {
    if (this.signal?.aborted || !isInterruption(caught)) throw caught
    await this.#perseverance.afterFailure(caught, this.signal)
  }
}

/** Tell whether something broke off, and may be gone on with at the same place. */
export function isInterruption(caught: unknown): caught is ReleaseError {
  if (!(caught instanceof ReleaseError)) return false
  return caught.code === 'SEGMENT_SHORT' || caught.code === 'REGISTRY_UNAVAILABLE' || isPassingFailure(caught)
}

/** Let go of a body that nobody reads. */
async function closeBody({ body }: OpenedBody): Promise<void> {
  await body[Symbol.asyncIterator]().return?.()
}
