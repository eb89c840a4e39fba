import type { Segment } from './manifest.ts'

/** How segments are put together into requests. Units: bytes. */
export interface RunLimits {
  /** As much between two segments is fetched and thrown away, for asking again takes longer. */
  readonly gapBytes: number
  /** As much is asked for at once, but at least one segment. */
  readonly mostBytes: number
}

/**
 * What is worth throwing away: at 10 Mbit/s the time of a round trip of 26 ms. No segment of files that did not change is so small, but for the
 * last of a payload.
 */
export const usualGapBytes = 32 * 1024

/**
 * Put segments together that are next to each other, or nearly so.
 *
 * Pre: they ascend by index, each once. Post: all of them, in their order. Pure.
 */
export function planRuns(segments: readonly Segment[], limits: RunLimits): readonly (readonly Segment[])[] {
  const runs: Segment[][] = []
  for (const segment of segments) {
    const run = runs.at(-1)
    const last = run?.at(-1)
    const isNear = last !== undefined && segment.offset - endOf(last) <= limits.gapBytes
    if (run !== undefined && isNear && endOf(segment) - run[0]!.offset <= limits.mostBytes) run.push(segment)
    else runs.push([segment])
  }
  return runs
}

/** Where a segment ends, counted like its offset. */
export function endOf({ offset, sizeBytes }: Segment): number {
  return offset + sizeBytes
}
