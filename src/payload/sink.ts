import type { Segment } from './manifest.ts'

/**
 * Take what packing produces, as it comes and in order: each compressed segment once, and the content of each file.
 *
 * Pre: `bytes` are the sink's only until the call (or its promise) is over: they are used again for what follows.
 */
export interface SegmentSink {
  readonly segment?: (segment: Segment, bytes: Uint8Array) => void | Promise<void>
  /** A piece of a file, in order; `path` is relative to the payload's root. An empty file comes as one empty piece. */
  readonly content?: (path: string, bytes: Uint8Array, isLast: boolean) => void
}
