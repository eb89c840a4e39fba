import { ReleaseError } from '../core/error.ts'
import type { Segment } from './manifest.ts'
import type { FetchedSegment, SegmentSource } from './source.ts'

export interface FallbackOptions {
  /** Told of each source that is given up. */
  readonly onFailure?: (source: SegmentSource, error: ReleaseError) => void
  /** Why a source is not to be asked, for what it did elsewhere; undefined when it may be asked. */
  readonly objection?: (source: SegmentSource) => ReleaseError | undefined
}

/**
 * Read from the first source, and what it fails to give from the next ones, from where it stopped.
 *
 * A source that failed is not asked again, whether its bytes were wrong or it broke off; but the last one that is left always is. Several may
 * read at once. Errors: when all have failed that of one which sent other bytes, else the last one's own; FILE_NO_SPACE, which is no source's fault.
 */
export function fallbackSource(
  sources: readonly [SegmentSource, ...SegmentSource[]],
  { onFailure = () => {}, objection = () => undefined }: FallbackOptions = {},
): SegmentSource {
  const failed = new Set<SegmentSource>()
  let distrusted: ReleaseError | undefined
  const choose = () => sources.find(source => !failed.has(source) && objection(source) === undefined)
  const giveUp = (source: SegmentSource, caught: unknown, signal: AbortSignal | undefined): void => {
    if (signal?.aborted || !(caught instanceof ReleaseError) || caught.code === 'FILE_NO_SPACE') throw caught
    // Another reader was first to say so.
    if (failed.has(source)) return
    failed.add(source)
    if (caught.exitCode === 3) distrusted ??= caught
    if (choose() === undefined) {
      failed.delete(source)
      throw distrusted ?? caught
    }
    onFailure(source, caught)
  }
  return {
    describe: () => sources.map(source => source.describe()).join(', else '),
    get fetchedBytes() {
      return sources.reduce((sum, source) => sum + source.fetchedBytes, 0)
    },
    async *read(segments: readonly Segment[], signal?: AbortSignal): AsyncGenerator<FetchedSegment> {
      let next = 0
      while (next < segments.length) {
        const source = choose()
        if (source === undefined) throw sources.map(objection).findLast(error => error !== undefined)
        try {
          for await (const fetched of source.read(segments.slice(next), signal)) {
            yield fetched
            next += 1
          }
        } catch (caught) {
          giveUp(source, caught, signal)
        }
      }
    },
  }
}
