import os from 'node:os'
import { ThreadPool } from '../sys/thread-pool.ts'
import type { LocalFile } from './local-file.ts'
import type { TreeAnswer, TreeOrder } from './tree-thread.ts'
import { openTreeWriter, type SegmentContent, type TreeSettings, type TreeWriter } from './tree-writer.ts'

/** Below it a tree is written sooner than threads are started. */
const threadsFrom = { files: 1500, sizeBytes: 24 * 1024 * 1024 }
/** More would only wait for the file system. Each costs some 30 MiB. */
const mostThreads = 2
/** Segments that a thread has before it: one that it writes, and those that keep it from waiting while others are fetched. */
const segmentsAhead = 3

/** Write a tree by threads where there is enough of it, else in this thread. Whoever opens it closes it. */
export function openWriterFor(
  expected: { readonly files: number; readonly sizeBytes: number },
  settings: TreeSettings,
): TreeWriter {
  const isMuch = expected.files >= threadsFrom.files || expected.sizeBytes >= threadsFrom.sizeBytes
  const threads = Math.min(os.availableParallelism(), mostThreads)
  return isMuch && threads > 1 ? new TreeThreads(threads, settings) : openTreeWriter(settings)
}

/** A thread, and what it has been given: it answers in order. */
interface Lane {
  readonly pool: ThreadPool<TreeOrder, TreeAnswer>
  readonly given: Promise<TreeAnswer>[]
}

/**
 * Threads that write one tree together.
 *
 * Each segment goes to the thread that has least to do, but for one that goes on with a file: that follows the segment before it.
 */
export class TreeThreads implements TreeWriter {
  readonly #lanes: readonly Lane[]
  #last: Lane
  #failure: { readonly reason: unknown } | undefined
  #closing: Promise<void> | undefined

  constructor(threads: number, settings: TreeSettings) {
    this.#lanes = Array.from({ length: threads }, () => ({ pool: new ThreadPool('#tree-thread', 1), given: [] }))
    this.#last = this.#lanes[0]!
    for (const lane of this.#lanes) this.#give(lane, { kind: 'settings', settings })
  }

  place(files: readonly LocalFile[]): Promise<TreeAnswer> {
    return this.#give(this.#freest(), { kind: 'place', json: JSON.stringify(files) })
  }

  async write({ files, ...content }: SegmentContent): Promise<void> {
    const goesOn = files[0]!.firstSegment < content.segment.index
    const lane = goesOn ? this.#last : this.#freest()
    this.#last = lane
    while (lane.given.length >= segmentsAhead) await lane.given[0]
    if (this.#failure !== undefined) throw this.#failure.reason
    this.#give(lane, { kind: 'segment', ...content, json: JSON.stringify(files) })
  }

  async finish(): Promise<void> {
    for (const { given } of this.#lanes) await Promise.all(given)
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const lane of this.#lanes) this.#give(lane, { kind: 'close' })
    await Promise.allSettled(this.#lanes.flatMap(({ given }) => given))
    await Promise.all(this.#lanes.map(({ pool }) => pool.close()))
  }

  #freest(): Lane {
    return this.#lanes.reduce((free, lane) => (lane.given.length < free.given.length ? lane : free))
  }

  #give(lane: Lane, order: TreeOrder): Promise<TreeAnswer> {
    const answer = lane.pool.ask(order)
    lane.given.push(answer)
    const taken = () => void lane.given.splice(lane.given.indexOf(answer), 1)
    answer.then(taken, reason => {
      // Thrown by the call that comes next.
      this.#failure ??= { reason }
      taken()
    })
    return answer
  }
}
