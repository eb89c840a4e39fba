import os from 'node:os'
import { segmentRoomBytes } from './chunk.ts'
import { type FilledBuffer, fillGroup } from './fill.ts'
import type { FillSettings } from './fill-thread.ts'
import type { PlannedGroup } from './plan.ts'
import { SegmentCache } from './segment-cache.ts'

/** A filled segment. `giveBack` lets its buffer be filled again. */
export interface Filled extends FilledBuffer {
  readonly giveBack: () => void
}

/** Whatever fills the segments of a payload. */
export interface Filler {
  /** The segments in order. Errors: PAYLOAD_CHANGED, FILE_IO, the reason given to {@link fail}. */
  readonly segments: () => AsyncIterable<Filled>
  /** End with an error: whoever waits for a segment gets it. */
  readonly fail: (reason: unknown) => void
  readonly close: () => Promise<void>
}

/** Below it a payload is filled sooner than threads are started. */
const threadsFromTarBytes = 24 * 1024 * 1024
/** Two keep up with the compressors of most machines. Each costs some 30 MiB, and packing is to take less than 300. */
const mostThreads = 2
/** One that is filled, and one that is compressed meanwhile. */
const buffersPerThread = 2

/** Decide how many threads fill a payload; none when it is done sooner without. What comes out does not depend on it. */
export function threadsFor(groups: readonly PlannedGroup[]): number {
  const tarSizeBytes = groups.reduce((sum, group) => sum + group.tarSizeBytes, 0)
  return tarSizeBytes < threadsFromTarBytes ? 0 : Math.min(os.availableParallelism(), mostThreads, groups.length)
}

/** Begin to fill segments, in threads or, when there are to be none, as they are asked for. */
export async function openFiller(
  groups: readonly PlannedGroup[],
  settings: Omit<FillSettings, 'buffers'>,
  threads: number,
): Promise<Filler> {
  if (threads === 0) return inlineFiller(groups, settings)
  const { FillThreads } = await import('./fill-threads.ts')
  return new FillThreads(groups, { ...settings, buffers: buffersPerThread }, threads)
}

function inlineFiller(groups: readonly PlannedGroup[], settings: Omit<FillSettings, 'buffers'>): Filler {
  const free: Buffer[] = []
  const cache = settings.cache === undefined ? undefined : new SegmentCache(settings.cache, settings)
  const take = () => Promise.resolve(free.pop() ?? Buffer.allocUnsafeSlow(segmentRoomBytes))
  let failure: { readonly reason: unknown } | undefined
  return {
    segments: async function* () {
      for (const group of groups) {
        for await (const filled of fillGroup(group, { ...settings, cache, take })) {
          if (failure !== undefined) throw failure.reason
          yield { ...filled, giveBack: () => free.push(filled.buffer) }
        }
      }
    },
    fail: reason => {
      failure ??= { reason }
    },
    close: () => Promise.resolve(),
  }
}
