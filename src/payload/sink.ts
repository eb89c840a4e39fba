import type { Segment } from './manifest.ts'

/** Take what packing produces, as it comes and in order: each compressed segment once. */
export interface SegmentSink {
  readonly segment: (segment: Segment, bytes: Uint8Array) => void | Promise<void>
}
