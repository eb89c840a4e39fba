import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { ErrorCode } from '../core/codes.ts'
import { type ErrorDetails, toReleaseError } from '../core/error.ts'
import { segmentRoomBytes } from './chunk.ts'
import { type FilledSegment, fillGroup } from './fill.ts'
import type { Codec } from './manifest.ts'
import type { PlannedGroup } from './plan.ts'
import { SegmentCache, type SegmentCachePlace } from './segment-cache.ts'

/** What a thread is started with. */
export interface FillSettings {
  readonly mtimeSeconds: number
  readonly withMd5: boolean
  readonly codec: Codec
  readonly cache: SegmentCachePlace | undefined
  /** How many buffers it may have in use. */
  readonly buffers: number
}

/** What a thread is told: a group to fill, as JSON, which costs less than a clone; or a buffer that is free again. */
export type FillOrder =
  | { readonly kind: 'group'; readonly index: number; readonly json: string }
  | { readonly kind: 'buffer'; readonly buffer: ArrayBuffer }

/** What a thread tells: a segment with the buffer that its tar is in, or the error that it ends with. */
export type FillReport =
  | { readonly kind: 'segment'; readonly group: number; readonly segment: FilledSegment; readonly buffer: ArrayBuffer }
  | { readonly kind: 'failed'; readonly error: SentError }

/** A ReleaseError as it crosses threads. */
export interface SentError {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  readonly details: ErrorDetails
  readonly cause: unknown
}

/**
 * Fill segments for the main thread: groups one after the other in the order they come, into buffers that go there and back.
 *
 * Post: it goes on until the thread is terminated.
 */
function runFillThread(port: MessagePort, { mtimeSeconds, withMd5, codec, cache, buffers }: FillSettings): void {
  const free: Buffer[] = []
  let unmadeBuffers = buffers
  let wake = () => {}
  const take = async (): Promise<Buffer> => {
    const buffer = free.pop()
    if (buffer !== undefined) return buffer
    if (unmadeBuffers > 0) {
      unmadeBuffers -= 1
      return Buffer.allocUnsafeSlow(segmentRoomBytes)
    }
    await new Promise<void>(resolve => {
      wake = resolve
    })
    return take()
  }
  const kept = cache === undefined ? undefined : new SegmentCache(cache, { codec, withMd5 })
  const fill = async (index: number, group: PlannedGroup) => {
    for await (const { segment, buffer } of fillGroup(group, { mtimeSeconds, withMd5, cache: kept, take })) {
      const report = { kind: 'segment', group: index, segment, buffer: buffer.buffer as ArrayBuffer } as const
      const stored = segment.stored === undefined ? [] : [segment.stored.bytes.buffer as ArrayBuffer]
      send(port, report, [report.buffer, ...stored])
    }
  }
  let work = Promise.resolve()
  port.on('message', (order: FillOrder) => {
    if (order.kind === 'buffer') {
      free.push(Buffer.from(order.buffer))
      wake()
      return
    }
    work = work
      .then(() => fill(order.index, JSON.parse(order.json) as PlannedGroup))
      .catch(caught => {
        const { code, message, hint, details, cause } = toReleaseError(caught)
        send(port, { kind: 'failed', error: { code, message, hint, details, cause } })
      })
  })
}

function send(port: MessagePort, report: FillReport, transferred: readonly ArrayBuffer[] = []): void {
  port.postMessage(report, [...transferred])
}

// The file is a thread's program, and a part of the bundle that can be loaded like the others.
if (parentPort !== null) runFillThread(parentPort, workerData as FillSettings)
