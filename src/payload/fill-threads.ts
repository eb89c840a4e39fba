import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { ReleaseError } from '../core/error.ts'
import type { FillOrder, FillReport, FillSettings } from './fill-thread.ts'
import type { Filled, Filler } from './filler.ts'
import type { PlannedGroup } from './plan.ts'

/** How many groups a thread has before it: one that it fills, and one so that it never waits for the next. */
const groupsAhead = 2

/** The program of a thread: package.json says where it is, for it has one place in the sources and another in what is shipped. */
const program = createRequire(import.meta.url).resolve('#fill-thread')

/**
 * Fill segments in threads.
 *
 * Groups are given out in order, each to the thread that is free first, and every thread fills its groups in order: so the thread that fills the
 * segment that is wanted next has nothing but earlier ones in its other buffers, and never waits for ever.
 */
export class FillThreads implements Filler {
  readonly #groups: readonly PlannedGroup[]
  readonly #threads: readonly Worker[]
  readonly #arrived = new Map<number, Filled[]>()
  #given = 0
  #failure: unknown
  #news = Promise.withResolvers<void>()

  constructor(groups: readonly PlannedGroup[], settings: FillSettings, threadCount: number) {
    this.#groups = groups
    this.#threads = Array.from({ length: threadCount }, () => this.#start(settings))
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

  /** End with an error: whoever waits for a segment gets it. */
  fail(failure: unknown): void {
    this.#failure ??= failure
    this.#tell()
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(thread => thread.terminate()))
  }

  #start(settings: FillSettings): Worker {
    const thread = new Worker(program, { workerData: settings })
    thread.on('message', (report: FillReport) => this.#take(thread, report))
    thread.on('error', caught => this.fail(caught))
    return thread
  }

  #give(thread: Worker): void {
    const group = this.#groups[this.#given]
    if (group === undefined) return
    post(thread, { kind: 'group', index: this.#given, json: JSON.stringify(group) })
    this.#given += 1
  }

  #take(thread: Worker, report: FillReport): void {
    if (report.kind === 'failed') {
      const { code, message, ...options } = report.error
      this.fail(new ReleaseError(code, message, options))
      return
    }
    const { group, segment, buffer } = report
    const filled = { segment, buffer: Buffer.from(buffer), giveBack: () => post(thread, { kind: 'buffer', buffer }) }
    const arrived = this.#arrived.get(group)
    if (arrived === undefined) this.#arrived.set(group, [filled])
    else arrived.push(filled)
    if (segment.isLastOfGroup) this.#give(thread)
    this.#tell()
  }

  async #next(group: number): Promise<Filled> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
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

function post(thread: Worker, order: FillOrder): void {
  thread.postMessage(order, order.kind === 'buffer' ? [order.buffer] : [])
}
