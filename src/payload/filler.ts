import { segmentRoomBytes } from './chunk.ts'
import { type FilledBuffer, fillGroup } from './fill.ts'
import type { Codec } from './manifest.ts'
import type { PlannedGroup } from './plan.ts'
import { openCache, type SegmentCachePlace } from './segment-cache.ts'

/** What filling a payload's segments depends on. Plain data: it is sent to threads. */
export interface FillSettings {
  readonly mtimeSeconds: number
  readonly withMd5: boolean
  readonly codec: Codec
  readonly cachePlace: SegmentCachePlace | undefined
}

/** A filled segment. `giveBack` lets its buffer be filled again. */
export interface Filled extends FilledBuffer {
  readonly giveBack: () => void
}

/** Whatever fills the segments of a payload: this thread, or {@link FillThreads}. */
export interface Filler {
  /** The segments in order. Errors: PAYLOAD_CHANGED, FILE_IO, the reason given to {@link fail}. */
  readonly segments: () => AsyncIterable<Filled>
  /** End with an error: whoever waits for a segment gets it. */
  readonly fail: (reason: unknown) => void
}

/** Fill segments in this thread, as they are asked for: a few megabytes are done sooner than threads are started. */
export function inlineFiller(groups: readonly PlannedGroup[], settings: FillSettings): Filler {
  const free: Buffer[] = []
  const take = () => Promise.resolve(free.pop() ?? Buffer.allocUnsafeSlow(segmentRoomBytes))
  const options = { ...settings, cache: openCache(settings), take }
  let failure: { readonly reason: unknown } | undefined
  return {
    segments: async function* () {
      for (const group of groups) {
        for await (const filled of fillGroup(group, options)) {
          if (failure !== undefined) throw failure.reason
          yield { ...filled, giveBack: () => free.push(filled.buffer) }
        }
      }
    },
    fail: reason => {
      failure ??= { reason }
    },
  }
}
