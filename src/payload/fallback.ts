import { ReleaseError } from '../core/error.ts'
import type { Segment } from './manifest.ts'
import type { FetchedSegment, SegmentSource } from './source.ts'

/**
 * Read from the first source, and what it fails to give from the next ones.
 *
 * A source that failed is not asked again, whether its bytes were wrong or it broke off. `onFailure` hears of each.
 * Errors: the last source's own, when all have failed.
 */
export function fallbackSource(
  sources: readonly [SegmentSource, ...SegmentSource[]],
  onFailure: (source: SegmentSource, error: ReleaseError) => void = () => {},
): SegmentSource {
  let current = 0
  return {
    describe: () => sources.map(source => source.describe()).join(', else '),
    get fetchedBytes() {
      return sources.reduce((sum, source) => sum + source.fetchedBytes, 0)
    },
    async *read(segments: readonly Segment[], signal?: AbortSignal): AsyncGenerator<FetchedSegment> {
      let next = 0
      while (next < segments.length) {
        const source = sources[current]!
        try {
          for await (const fetched of source.read(segments.slice(next), signal)) {
            yield fetched
            next += 1
          }
        } catch (caught) {
          if (signal?.aborted || !(caught instanceof ReleaseError) || current + 1 === sources.length) throw caught
          onFailure(source, caught)
          current += 1
        }
      }
    },
  }
}
