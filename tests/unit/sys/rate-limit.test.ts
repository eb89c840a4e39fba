import { expect, it } from 'vitest'
import { RateLimit } from '../../../src/sys/rate-limit.ts'

/** A clock that goes on by what is waited for, in the order in which it is. */
function madeTime() {
  let elapsedMs = 0
  const waits: number[] = []
  const tools = {
    clock: { elapsedMs: () => elapsedMs },
    wait: async (durationMs: number) => {
      waits.push(durationMs)
      const untilMs = elapsedMs + durationMs
      await Promise.resolve()
      elapsedMs = Math.max(elapsedMs, untilMs)
    },
  }
  const idle = (durationMs: number) => {
    elapsedMs += durationMs
  }
  return { tools, waits, elapsedMs: () => elapsedMs, idle }
}

async function* piecesOf(...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const [index, sizeBytes] of sizes.entries()) yield Buffer.alloc(sizeBytes, index)
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const collected: Uint8Array[] = []
  for await (const piece of pieces) collected.push(piece)
  return Buffer.concat(collected)
}

it('hands on the same bytes, no faster than it may', async () => {
  const time = madeTime()
  const limit = new RateLimit(1000, time.tools)
  expect(await collect(limit.limit(piecesOf(1500, 0, 500, 1)))).toEqual(await collect(piecesOf(1500, 0, 500, 1)))
  // The last byte waits for the 2000 before it.
  expect(time.elapsedMs()).toBeCloseTo(2000)
  expect(Math.max(...time.waits)).toBeLessThanOrEqual(250)
})

it('is shared by all transfers', async () => {
  const time = madeTime()
  const limit = new RateLimit(1000, time.tools)
  await Promise.all([1, 2, 3].map(() => collect(limit.limit(piecesOf(250, 250, 250, 250)))))
  expect(time.elapsedMs()).toBeCloseTo(2750)
})

it('saves nothing up while nothing is sent', async () => {
  const time = madeTime()
  const limit = new RateLimit(1000, time.tools)
  await collect(limit.limit(piecesOf(250)))
  time.idle(60_000)
  await collect(limit.limit(piecesOf(1000)))
  expect(time.elapsedMs()).toBeCloseTo(60_750)
})

it('stops with its reader and with whoever asks', async () => {
  const stop = new AbortController()
  const limit = new RateLimit(1)
  const waiting = collect(limit.limit(piecesOf(10), stop.signal))
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})
