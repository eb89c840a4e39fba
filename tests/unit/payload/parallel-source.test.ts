import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { ReleaseError } from '../../../src/core/error.ts'
import type { Segment } from '../../../src/payload/manifest.ts'
import { parallelSource } from '../../../src/payload/parallel-source.ts'
import type { SegmentSource } from '../../../src/payload/source.ts'

const digest = digestOf('')
const segments: Segment[] = Array.from({ length: 12 }, (_, index) => ({
  index,
  offset: index * 10,
  sizeBytes: 10,
  digest,
  tarOffset: index * 10,
  tarSizeBytes: 10,
  tarDigest: digest,
}))

/** A source whose requests are answered when the test says so. */
class HeldSource implements SegmentSource {
  readonly asked: number[][] = []
  readonly ended: number[] = []
  fetchedBytes = 0
  readonly #held = new Map<number, () => void>()
  failsAt: number | undefined

  describe(): string {
    return 'held'
  }

  /** Answer the request that begins with a segment. */
  release(first: number): void {
    this.#held.get(first)!()
  }

  async *read(wanted: readonly Segment[], signal?: AbortSignal) {
    const first = wanted[0]!.index
    this.asked.push(wanted.map(({ index }) => index))
    try {
      await new Promise<void>((resolve, reject) => {
        this.#held.set(first, resolve)
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
      for (const segment of wanted) {
        if (segment.index === this.failsAt) throw new ReleaseError('SEGMENT_SHORT', 'gone')
        this.fetchedBytes += segment.sizeBytes
        yield { segment, bytes: Buffer.alloc(10) }
      }
    } finally {
      this.ended.push(first)
    }
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

describe('parallelSource', () => {
  it('asks for a few stretches at once, and yields in order whatever is answered first', async () => {
    const held = new HeldSource()
    const found: number[] = []
    const parallel = parallelSource(held, { connections: 3, requestBytes: 20 })
    const reading = (async () => {
      for await (const { segment } of parallel.read(segments.slice(0, 10))) found.push(segment.index)
    })()
    await turn()
    expect(held.asked).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ])
    held.release(4)
    held.release(2)
    await turn()
    expect(found).toEqual([])
    held.release(0)
    await turn()
    expect(found).toEqual([0, 1, 2, 3, 4, 5])
    expect(held.asked.slice(3)).toEqual([
      [6, 7],
      [8, 9],
    ])
    held.release(8)
    held.release(6)
    await reading
    expect(found).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(parallel.fetchedBytes).toBe(100)
    expect(parallel.describe()).toBe('held')
  })

  it('never holds more than its requests, however slow the reader is', async () => {
    const held = new HeldSource()
    const reading = parallelSource(held, { connections: 2, requestBytes: 10 }).read(segments)[Symbol.asyncIterator]()
    const first = reading.next()
    await turn()
    held.release(0)
    held.release(1)
    await first
    await turn()
    expect(held.asked).toEqual([[0], [1], [2]])
    await reading.return?.()
    expect(held.ended.toSorted()).toEqual([0, 1, 2])
  })

  it('yields what came before a failure, and leaves nothing running', async () => {
    const held = new HeldSource()
    held.failsAt = 3
    const found: number[] = []
    const reading = (async () => {
      const parallel = parallelSource(held, { connections: 2, requestBytes: 20 })
      for await (const { segment } of parallel.read(segments)) found.push(segment.index)
    })()
    await turn()
    held.release(0)
    held.release(2)
    await expect(reading).rejects.toMatchObject({ code: 'SEGMENT_SHORT' })
    expect(found).toEqual([0, 1, 2])
    expect(held.ended.length).toBe(held.asked.length)
  })

  it('ends all requests when it is told to', async () => {
    const held = new HeldSource()
    const stop = new AbortController()
    const reading = Array.fromAsync(parallelSource(held).read(segments, stop.signal))
    await turn()
    stop.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    expect(held.ended.length).toBe(held.asked.length)
  })
})
