import type { Segment } from './manifest.ts'
import { planRuns, usualGapBytes } from './runs.ts'
import type { FetchedSegment, SegmentSource } from './source.ts'

/** How much is fetched at once: with `requestBytes` it bounds the memory. */
export interface ParallelLimits {
  readonly connections: number
  readonly requestBytes: number
}

/** Source: measured by scripts/bench/fetch.ts. */
export const usualParallel: ParallelLimits = { connections: 4, requestBytes: 8 * 1024 * 1024 }

/**
 * Read from a source with several requests at once, in the order that was asked for.
 *
 * Post: what was fetched before a failure is yielded before it is thrown; nothing runs any more when a reader is done. Memory: `connections`
 * requests and the one whose segments are being taken.
 */
export function parallelSource(source: SegmentSource, limits: ParallelLimits = usualParallel): SegmentSource {
  return {
    describe: source.describe,
    get fetchedBytes() {
      return source.fetchedBytes
    },
    async *read(segments: readonly Segment[], signal?: AbortSignal): AsyncGenerator<FetchedSegment> {
      const stop = new AbortController()
      const signals = signal === undefined ? [stop.signal] : [signal, stop.signal]
      const runs = planRuns(segments, { gapBytes: usualGapBytes, mostBytes: limits.requestBytes })
      const waiting = runs.values()
      const ahead: Promise<Collected>[] = []
      const fillUp = () => {
        while (ahead.length < limits.connections) {
          const run = waiting.next()
          if (run.done === true) return
          ahead.push(collect(source.read(run.value, AbortSignal.any(signals))))
        }
      }
      try {
        for (fillUp(); ahead.length > 0; ) {
          const { fetched, failure } = await ahead.shift()!
          if (failure === undefined) fillUp()
          yield* fetched
          if (failure !== undefined) throw failure.caught
        }
      } finally {
        stop.abort(new Error('no longer wanted'))
        await Promise.all(ahead)
      }
    },
  }
}

/** What came of one request, before it may have failed. */
interface Collected {
  readonly fetched: readonly FetchedSegment[]
  readonly failure: { readonly caught: unknown } | undefined
}

async function collect(reading: AsyncIterable<FetchedSegment>): Promise<Collected> {
  const fetched: FetchedSegment[] = []
  try {
    for await (const segment of reading) fetched.push(segment)
    return { fetched, failure: undefined }
  } catch (caught) {
    return { fetched, failure: { caught } }
  }
}
