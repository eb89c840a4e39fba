import { describe, expect, it } from 'vitest'
import { WaitingRoom } from '../../../../src/gate/machine/waiting.ts'
import { manualTimers } from '../../../support/manual-timers.ts'

function waitingRoom(limits = { requests: 5000, bytes: 1e6, ageMs: 25_000 }) {
  const manual = manualTimers()
  const released: number[] = []
  const expired: number[] = []
  const room = new WaitingRoom<number>(limits, manual.timers, {
    release: held => released.push(held.item),
    expire: held => expired.push(held.item),
  })
  return { ...manual, room, released, expired }
}

describe('WaitingRoom', () => {
  it('releases oldest first on a ramp, and holds nobody back longer than it must', () => {
    const { room, released, advance } = waitingRoom()
    for (let index = 0; index < 1000; index += 1) room.offer(index, 1)
    room.startRelease({ perSecond: 200 })
    expect(released).toEqual([0])
    advance(1000)
    expect(released.length).toBeGreaterThanOrEqual(199)
    expect(released.length).toBeLessThanOrEqual(201)
    advance(1000)
    expect(released.length).toBeGreaterThanOrEqual(595)
    expect(released.length).toBeLessThanOrEqual(601)
    advance(1000)
    expect(released).toEqual(Array.from({ length: 1000 }, (_, index) => index))
  })

  it('asks how long answers take once a second, and does not double while they take long', () => {
    const manual = manualTimers()
    const latencies = [80, 20, 20]
    let released = 0
    const room = new WaitingRoom<number>({ requests: 5000, bytes: 1e6, ageMs: 25_000 }, manual.timers, {
      release: () => {
        released += 1
      },
      expire: () => {},
      recentLatencyMs: () => latencies.shift(),
    })
    for (let index = 0; index < 1000; index += 1) room.offer(index, 1)
    room.startRelease({ perSecond: 100, latencyMs: 50 })
    manual.advance(2000)
    expect(released).toBe(201)
    manual.advance(1000)
    expect(released).toBe(401)
    expect(latencies).toEqual([])
  })

  it('expires each one at its own age', () => {
    const { room, expired, advance } = waitingRoom({ requests: 9, bytes: 9, ageMs: 1000 })
    room.offer(1, 1)
    advance(400)
    room.offer(2, 1)
    advance(599)
    expect(expired).toEqual([])
    advance(1)
    expect(expired).toEqual([1])
    advance(400)
    expect(expired).toEqual([1, 2])
  })

  it('goes on holding when a release is stopped, and begins a new ramp afterwards', () => {
    const { room, released, advance } = waitingRoom()
    for (let index = 0; index < 100; index += 1) room.offer(index, 1)
    room.startRelease({ perSecond: 10 })
    advance(300)
    room.stopRelease()
    const before = released.length
    advance(10_000)
    expect(released.length).toBe(before)
    room.startRelease({ perSecond: 10 })
    expect(released.length).toBe(before + 1)
  })

  it('takes a shorter age at once when the limits change', () => {
    const { room, expired, advance } = waitingRoom()
    room.offer(1, 1)
    room.setLimits({ requests: 1, bytes: 1, ageMs: 10 })
    advance(10)
    expect(expired).toEqual([1])
  })

  it('stops when a released one cannot be sent: the hook stops the release and puts it back', () => {
    const manual = manualTimers()
    const seen: number[] = []
    const room: WaitingRoom<number> = new WaitingRoom({ requests: 9, bytes: 9, ageMs: 1e6 }, manual.timers, {
      release: held => {
        seen.push(held.item)
        room.stopRelease()
        room.putBack(held)
      },
      expire: () => {},
    })
    room.offer(1, 1)
    room.offer(2, 1)
    room.startRelease({ perSecond: 1000 })
    manual.advance(5000)
    expect(seen).toEqual([1])
    expect(room.takeAll().map(held => held.item)).toEqual([1, 2])
  })

  it('leaves no timer behind once it is empty', () => {
    const { room, pending, advance } = waitingRoom()
    room.offer(1, 1)
    room.startRelease({ perSecond: 1 })
    advance(30_000)
    expect(pending.size).toBe(0)
  })
})
