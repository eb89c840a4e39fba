import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { type OpenedBody, open } from '../sys/http.ts'
import type { PayloadManifest, Segment } from './manifest.ts'

/** One segment with its verified compressed bytes. */
export interface FetchedSegment {
  readonly segment: Segment
  readonly bytes: Uint8Array
}

/**
 * A place that segments can be read from. Wrappers have the same shape: see {@link fallbackSource}.
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
  /** `http:`, `https:` or `file:`: any envelope of the release. */
  readonly url: string
  /** Where the segments start in it, as the release record says. */
  readonly payloadOffset: number
  readonly manifest: PayloadManifest
  /** How often a stretch is asked for when the answer breaks off. */
  readonly attempts?: number
  readonly idleTimeoutMs?: number
}

/**
 * Read segments from one envelope by ranges; adjacent ones in one request.
 *
 * Errors: SEGMENT_MISSING (no such file), SEGMENT_SHORT (broke off in every attempt), SEGMENT_DIGEST (other bytes: not asked
 * for again, for a mirror that sends them once is not to be trusted), HTTP_FAILED.
 */
export function openSegmentSource(options: SourceOptions): SegmentSource {
  return new EnvelopeSource(options)
}

class EnvelopeSource implements SegmentSource {
  readonly #options: SourceOptions
  fetchedBytes = 0

  constructor(options: SourceOptions) {
    this.#options = options
  }

  describe(): string {
    return this.#options.url
  }

  async *read(segments: readonly Segment[], signal?: AbortSignal): AsyncGenerator<FetchedSegment> {
    const attempts = this.#options.attempts ?? 3
    let failures = 0
    let next = 0
    while (next < segments.length) {
      const run = adjacent(segments, next)
      try {
        for await (const fetched of this.#readRun(run, segments.slice(next), signal)) {
          yield fetched
          next += 1
          failures = 0
        }
      } catch (caught) {
        failures += 1
        if (signal?.aborted || !isInterrupted(caught) || failures >= attempts) throw caught
      }
    }
  }

  /** Ask for one run; a server without ranges sends the whole, and then all `segments` are taken from it. */
  async *#readRun(
    run: readonly Segment[],
    segments: readonly Segment[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<FetchedSegment> {
    const start = this.#options.payloadOffset + run[0]!.offset
    const last = run.at(-1)!
    const opened = await this.#open({ start, end: this.#options.payloadOffset + last.offset + last.sizeBytes }, signal)
    const isWhole = opened.status === 200
    const cursor = new BodyCursor(opened.body, isWhole ? 0 : start, sizeBytes => {
      this.fetchedBytes += sizeBytes
    })
    try {
      for (const segment of isWhole ? segments : run) {
        const bytes = await cursor.take(this.#options.payloadOffset + segment.offset, segment.sizeBytes)
        if (bytes === undefined) throw this.#shortError(segment)
        this.#verify(segment, bytes)
        yield { segment, bytes }
      }
    } finally {
      await cursor.close()
    }
  }

  async #open(range: { readonly start: number; readonly end: number }, signal?: AbortSignal): Promise<OpenedBody> {
    const { url, idleTimeoutMs } = this.#options
    const opened = await open(url, {
      range,
      ...(signal === undefined ? {} : { signal }),
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    })
    if (opened !== undefined) return opened
    throw new ReleaseError('SEGMENT_MISSING', `${url} does not exist`, { details: { url } })
  }

  #verify(segment: Segment, bytes: Uint8Array): void {
    const found = digestOf(bytes)
    if (found === segment.digest) return
    const { url } = this.#options
    const message = `${url} sent segment ${segment.index} with ${found}, expected ${segment.digest}`
    throw new ReleaseError('SEGMENT_DIGEST', message, { details: { url, segment: segment.index, found } })
  }

  #shortError(segment: Segment): ReleaseError {
    const { url } = this.#options
    const message = `${url} ended inside segment ${segment.index}, expected ${segment.sizeBytes} bytes of it`
    return new ReleaseError('SEGMENT_SHORT', message, { details: { url, segment: segment.index } })
  }
}

/** Read forward in a body, keeping no more than what was asked for. */
class BodyCursor {
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #count: (sizeBytes: number) => void
  #piece: Uint8Array = new Uint8Array(0)
  #position: number

  constructor(body: AsyncIterable<Uint8Array>, position: number, count: (sizeBytes: number) => void) {
    this.#pieces = body[Symbol.asyncIterator]()
    this.#position = position
    this.#count = count
  }

  /** The bytes at an offset, or undefined when the body ends before their end. */
  async take(offset: number, sizeBytes: number): Promise<Buffer | undefined> {
    const bytes = Buffer.allocUnsafe(sizeBytes)
    let filled = 0
    while (filled < sizeBytes) {
      if (this.#piece.byteLength === 0 && !(await this.#advance())) return undefined
      const skipped = Math.min(offset + filled - this.#position, this.#piece.byteLength)
      const taken = this.#piece.subarray(skipped, skipped + sizeBytes - filled)
      bytes.set(taken, filled)
      filled += taken.byteLength
      this.#position += skipped + taken.byteLength
      this.#piece = this.#piece.subarray(skipped + taken.byteLength)
    }
    return bytes
  }

  /** Let go of the connection. */
  async close(): Promise<void> {
    await this.#pieces.return?.()
  }

  async #advance(): Promise<boolean> {
    const result = await this.#pieces.next()
    if (result.done === true) return false
    this.#piece = result.value
    this.#count(result.value.byteLength)
    return true
  }
}

function adjacent(segments: readonly Segment[], start: number): readonly Segment[] {
  let end = start + 1
  while (end < segments.length && segments[end]!.index === segments[end - 1]!.index + 1) end += 1
  return segments.slice(start, end)
}

function isInterrupted(caught: unknown): boolean {
  return caught instanceof ReleaseError && (caught.code === 'SEGMENT_SHORT' || caught.code === 'HTTP_FAILED')
}
