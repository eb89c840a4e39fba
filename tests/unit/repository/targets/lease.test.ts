import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Lease } from '../../../../src/repository/target.ts'
import {
  type LeaseRecord,
  type LeaseStore,
  type LeaseTimes,
  type LeaseView,
  parseLeaseRecord,
  takeLease,
} from '../../../../src/repository/targets/lease.ts'
import { systemTransferTools, type TransferTools } from '../../../../src/repository/targets/tools.ts'
import { delay } from '../../../../src/sys/clock.ts'

const times: LeaseTimes = { holdMs: 60_000, renewMs: 15_000, takeoverMs: 90_000, pollMs: 1000 }
const tools: TransferTools = { ...systemTransferTools, random: () => 0.5 }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface Server {
  number: number
  record: LeaseRecord | undefined
  writtenMs: number
}

/** A server that numbers leases, and publishers that reach it after a while each time. */
function storeOf(
  server: Server,
  latencyMs: () => { readonly thereMs: number; readonly backMs: number },
): LeaseStore<number> {
  const request = async <T>(work: () => T): Promise<T> => {
    const { thereMs, backMs } = latencyMs()
    await delay(thereMs)
    const answer = work()
    await delay(backMs)
    return answer
  }
  const view = (): LeaseView<number> | undefined =>
    server.number === 0
      ? undefined
      : {
          place: server.number,
          record: server.record,
          mark: `${server.number} ${server.record?.beat}`,
          idleMs: Date.now() - server.writtenMs,
        }
  const put = (number: number, record: LeaseRecord) => {
    if (number === server.number) Object.assign(server, { record, writtenMs: Date.now() })
    return number
  }
  return {
    look: () => request(view),
    claim: (after, record) =>
      request(() => {
        const number = (after?.place ?? 0) + 1
        if (number <= server.number) return undefined
        Object.assign(server, { number, record: undefined, writtenMs: Date.now() })
        return put(number, record)
      }),
    write: (place, record) => request(() => put(place, record)),
  }
}

const newServer = (): Server => ({ number: 0, record: undefined, writtenMs: 0 })
const atOnce = () => ({ thereMs: 0, backMs: 0 })

function take(store: LeaseStore<number>, waitMs: number, clock = tools.clock): Promise<Lease> {
  return takeLease({
    name: 'a target',
    command: 'a test',
    options: { waitMs },
    store,
    times,
    tools: { ...tools, clock },
  })
}

/** Let a promise settle however long it takes by the clock that stands still. */
async function settle<T>(promise: Promise<T>): Promise<T> {
  let isDone = false
  const watched = promise.finally(() => {
    isDone = true
  })
  watched.catch(() => undefined)
  while (!isDone) await vi.advanceTimersByTimeAsync(1000)
  return watched
}

const isHeld = (lease: Lease): boolean => {
  try {
    lease.assertHeld()
    return true
  } catch (caught) {
    expect(caught).toMatchObject({ code: 'REPOSITORY_CHANGED' })
    return false
  }
}

describe('a lease', () => {
  it('is held as long as it is renewed, and free at once when it is given back', async () => {
    const store = storeOf(newServer(), atOnce)
    const lease = await settle(take(store, 0))
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(isHeld(lease)).toBe(true)
    await expect(settle(take(store, 10_000))).rejects.toMatchObject({ code: 'LOCKED' })
    await settle(lease.release())
    expect(isHeld(lease)).toBe(false)
    expect(isHeld(await settle(take(store, 0)))).toBe(true)
  })

  it('ends when the target cannot be reached for too long, and stays ended', async () => {
    let isCut = false
    const server = newServer()
    const store = storeOf(server, atOnce)
    const cut: LeaseStore<number> = {
      ...store,
      write: (place, record) => (isCut ? Promise.reject(new Error('cut')) : store.write(place, record)),
    }
    const lease = await settle(take(cut, 0))
    isCut = true
    await vi.advanceTimersByTimeAsync(40_000)
    expect(isHeld(lease)).toBe(true)
    isCut = false
    await vi.advanceTimersByTimeAsync(100_000)
    expect(isHeld(lease)).toBe(true)
    isCut = true
    await vi.advanceTimersByTimeAsync(61_000)
    isCut = false
    await vi.advanceTimersByTimeAsync(61_000)
    expect(isHeld(lease)).toBe(false)
  })

  it.each([
    ['the wall clock', { nowMs: 61_000, elapsedMs: 0 }],
    ['the monotonic clock', { nowMs: 0, elapsedMs: 61_000 }],
  ])('ends when only %s has gone on: a machine that slept, or whose clock was set', async (_, gone) => {
    const shift = { nowMs: 0, elapsedMs: 0 }
    const clock = {
      nowMs: () => Date.now() + shift.nowMs,
      elapsedMs: () => performance.now() + shift.elapsedMs,
    }
    const lease = await settle(take(storeOf(newServer(), atOnce), 0, clock))
    expect(isHeld(lease)).toBe(true)
    Object.assign(shift, gone)
    expect(isHeld(lease)).toBe(false)
  })

  it('whose record was never written ends, too', async () => {
    const server: Server = { number: 1, record: undefined, writtenMs: 0 }
    const store = storeOf(server, atOnce)
    const blind: LeaseStore<number> = {
      ...store,
      look: async () => {
        const view = await store.look()
        return view && { ...view, idleMs: undefined }
      },
    }
    await expect(settle(take(blind, 60_000))).rejects.toMatchObject({ code: 'LOCKED' })
    expect(isHeld(await settle(take(blind, 120_000)))).toBe(true)
  })

  it('is never in two hands, however long requests and publishers stand still', async () => {
    const latency = fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 200_000 }))
    const publisher = fc.record({
      startMs: fc.integer({ min: 0, max: 300_000 }),
      workMs: fc.integer({ min: 1, max: 400_000 }),
      latencies: fc.array(fc.record({ thereMs: latency, backMs: latency }), { minLength: 1, maxLength: 12 }),
      isKilled: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(publisher, { minLength: 2, maxLength: 4 }), async publishers => {
        const server = newServer()
        const held: Lease[] = []
        let mostHolders = 0
        const count = () => {
          mostHolders = Math.max(mostHolders, held.filter(isHeld).length)
        }
        const publish = async ({ startMs, workMs, latencies, isKilled }: (typeof publishers)[number]) => {
          let requests = 0
          const next = () => latencies[requests++ % latencies.length]!
          await delay(startMs)
          const lease = await take(storeOf(server, next), 500_000).catch(() => undefined)
          if (lease === undefined) return
          held.push(lease)
          count()
          await delay(workMs)
          // One that was killed gives nothing back; here it goes on to believe, and to renew.
          if (!isKilled) await lease.release()
        }
        const all = Promise.all(publishers.map(publish))
        let isDone = false
        void all.then(() => {
          isDone = true
        })
        while (!isDone) {
          await vi.advanceTimersByTimeAsync(5000)
          count()
        }
        for (const lease of held) void lease.release()
        await vi.advanceTimersByTimeAsync(1_000_000)
        vi.clearAllTimers()
        expect(mostHolders).toBeLessThanOrEqual(1)
      }),
      { numRuns: 30 },
    )
  })
})

it('a record of a lease is read, and whatever else stands there is none', () => {
  const owner = { pid: 1, host: 'a', command: 'b', sinceMs: 2 }
  const record: LeaseRecord = { id: 'x', state: 'held', owner, beat: 3 }
  expect(parseLeaseRecord(Buffer.from(JSON.stringify(record)))).toEqual(record)
  fc.assert(fc.property(fc.uint8Array(), bytes => void parseLeaseRecord(bytes)))
  fc.assert(fc.property(fc.json(), text => void parseLeaseRecord(Buffer.from(text))))
  for (const broken of [
    { ...record, state: 'free' },
    { ...record, owner: {} },
    { ...record, beat: '1' },
    null,
    1,
    [],
  ]) {
    expect(parseLeaseRecord(Buffer.from(JSON.stringify(broken)))).toBeUndefined()
  }
})
