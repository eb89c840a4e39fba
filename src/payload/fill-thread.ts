import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { ErrorCode } from '../core/codes.ts'
import { type ErrorDetails, toReleaseError } from '../core/error.ts'
import { type FilledSegment, fillGroup } from './fill.ts'
import type { FillSettings } from './filler.ts'
import type { PlannedGroup } from './plan.ts'
import { openCache } from './segment-cache.ts'

/** What a thread is started with: the memory that it fills and the main thread reads, one owner at a time. */
export interface FillThreadData {
  readonly buffers: readonly SharedArrayBuffer[]
}

/**
 * What a thread is told: how the groups that follow are filled; a group, as JSON, which costs less than a clone; or that a buffer, by its
 * place in the list, is free again.
 */
export type FillOrder =
  | { readonly kind: 'settings'; readonly settings: FillSettings }
  | { readonly kind: 'group'; readonly index: number; readonly json: string }
  | { readonly kind: 'free'; readonly buffer: number }

/** What a thread tells: a segment and the buffer that its tar is in, or the error that it ends with. */
export type FillReport =
  | { readonly kind: 'segment'; readonly group: number; readonly segment: FilledSegment; readonly buffer: number }
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
 * Fill segments for the main thread: groups one after the other in the order they come.
 *
 * Post: it goes on until the thread is terminated.
 */
function runFillThread(port: MessagePort, data: FillThreadData): void {
  const buffers: readonly Buffer[] = data.buffers.map(shared => Buffer.from(shared))
  const free = [...buffers]
  let wake = () => {}
  const take = async (): Promise<Buffer> => {
    for (;;) {
      const buffer = free.pop()
      if (buffer !== undefined) return buffer
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  const send = (report: FillReport, stored?: Uint8Array) =>
    port.postMessage(report, stored === undefined ? [] : [stored.buffer as ArrayBuffer])
  const fillWith = (settings: FillSettings) => {
    const options = { ...settings, cache: openCache(settings), take }
    return async (index: number, group: PlannedGroup) => {
      for await (const { segment, buffer } of fillGroup(group, options)) {
        send({ kind: 'segment', group: index, segment, buffer: buffers.indexOf(buffer) }, segment.stored?.bytes)
      }
    }
  }
  const fail = (caught: unknown) => {
    const { code, message, hint, details, cause } = toReleaseError(caught)
    send({ kind: 'failed', error: { code, message, hint, details, cause } })
  }
  let fill: ReturnType<typeof fillWith>
  let work = Promise.resolve()
  const obey = (order: FillOrder) => {
    switch (order.kind) {
      case 'settings':
        fill = fillWith(order.settings)
        return
      case 'group':
        work = work.then(() => fill(order.index, JSON.parse(order.json) as PlannedGroup)).catch(fail)
        return
      case 'free':
        free.push(buffers[order.buffer]!)
        wake()
    }
  }
  port.on('message', obey)
}

// The file is a thread's program, and a part of the bundle that can be loaded like the others.
if (parentPort !== null) runFillThread(parentPort, workerData as FillThreadData)
