import { createRequire } from 'node:module'
import os from 'node:os'
import { SHARE_ENV, Worker } from 'node:worker_threads'
import { ReleaseError } from '../core/error.ts'
import { segmentRoomBytes } from './chunk.ts'
import type { FillOrder, FillReport, FillThreadData } from './fill-thread.ts'
import type { Filled, Filler, FillSettings } from './filler.ts'
import type { PlannedGroup } from './plan.ts'

/** Below it a payload is filled sooner than threads are started. */
const threadsFromBytes = 16 * 1024 * 1024
/** Two keep up with the compressors of most machines. Each costs some 30 MiB, and packing is to take less than 300. */
const mostThreads = 2
/** One that is filled, and one that is compressed meanwhile. */
const buffersPerThread = 2
/** How many groups a thread has before it: one that it fills, and one so that it never waits for the next. */
const groupsAhead = 2

interface Thread {
  readonly worker: Worker
  readonly buffers: readonly Buffer[]
}

/**
 * Threads that fill segments, for one packing after the other.
 *
 * They start when enough is expected to be worth it, so that whoever collects a large tree has them ready when it is complete.
 */
export class FillThreads {
  readonly #threads: Thread[] = []
  #expectedBytes = 0
  #filling: ThreadFiller | undefined
  #failure: { readonly reason: unknown } | undefined

  /** Learn that so many bytes more will have to be packed. */
  expect(sizeBytes: number): void {
    this.#expectedBytes += sizeBytes
    if (this.areStarted || this.#expectedBytes < threadsFromBytes) return
    // The compressors and the main thread keep the other core busy.
    this.start(Math.min(Math.max(1, os.availableParallelism() - 1), mostThreads))
  }

  /** Have at least so many threads. */
  start(count: number): void {
    while (this.#threads.length < count) this.#threads.push(this.#startThread())
  }

  /** Whether there are any. */
  get areStarted(): boolean {
    return this.#threads.length > 0
  }

  /** Fill groups. Pre: there are threads, and what was filled before was taken to its end. */
  fill(groups: readonly PlannedGroup[], settings: FillSettings): Filler {
    const filler = new ThreadFiller(groups, this.#threads)
    this.#filling = filler
    if (this.#failure !== undefined) filler.fail(this.#failure.reason)
    for (const thread of this.#threads) post(thread, { kind: 'settings', settings })
    filler.begin()
    return filler
  }

  /** End all threads, whatever they are doing. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #startThread(): Thread {
    // package.json says where it is, for it has one place in the sources and another in what is shipped.
    const program = createRequire(import.meta.url).resolve('#fill-thread')
    const shared = Array.from({ length: buffersPerThread }, () => new SharedArrayBuffer(segmentRoomBytes))
    const data: FillThreadData = { buffers: shared }
    const thread = {
      worker: new Worker(program, { workerData: data, env: SHARE_ENV }),
      buffers: shared.map(each => Buffer.from(each)),
    }
    thread.worker.on('message', (report: FillReport) => this.#filling?.take(thread, report))
    thread.worker.on('error', reason => {
      this.#failure = { reason }
      this.#filling?.fail(reason)
    })
    return thread
  }
}

/**
 * What the threads do of one packing.
 *
 * Groups are given out in order, each to the thread that is free first, and every thread fills its groups in order: so the thread that fills the
 * segment that is wanted next has nothing but earlier ones in its other buffers, and never waits for ever.
 */
class ThreadFiller implements Filler {
  readonly #groups: readonly PlannedGroup[]
  readonly #threads: readonly Thread[]
  readonly #arrived = new Map<number, Filled[]>()
  #given = 0
  #failure: { readonly reason: unknown } | undefined
  #news = Promise.withResolvers<void>()

  constructor(groups: readonly PlannedGroup[], threads: readonly Thread[]) {
    this.#groups = groups
    this.#threads = threads
  }

  begin(): void {
    for (let round = 0; round < groupsAhead; round += 1) {
      for (const thread of this.#threads) this.#give(thread)
    }
  }

  async *segments(): AsyncGenerator<Filled> {
    for (const index of this.#groups.keys()) {
      for (let isLast = false; !isLast; ) {
        const filled = await this.#next(index)
        isLast = filled.segment.isLastOfGroup
        yield filled
      }
      this.#arrived.delete(index)
    }
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#tell()
  }

  take(thread: Thread, report: FillReport): void {
    if (report.kind === 'failed') {
      const { code, message, ...options } = report.error
      this.fail(new ReleaseError(code, message, options))
      return
    }
    const { group, segment, buffer } = report
    const giveBack = () => post(thread, { kind: 'free', buffer })
    const arrived = this.#arrived.get(group) ?? []
    arrived.push({ segment, buffer: thread.buffers[buffer]!, giveBack })
    this.#arrived.set(group, arrived)
    if (segment.isLastOfGroup) this.#give(thread)
    this.#tell()
  }

  #give(thread: Thread): void {
    const index = this.#given
    const group = this.#groups[index]
    if (group === undefined) return
    this.#given += 1
    post(thread, { kind: 'group', index, json: JSON.stringify(group) })
  }

  async #next(group: number): Promise<Filled> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason
      const filled = this.#arrived.get(group)?.shift()
      if (filled !== undefined) return filled
      await this.#news.promise
    }
  }

  #tell(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers()
  }
}

function post({ worker }: Thread, order: FillOrder): void {
  worker.postMessage(order)
}
