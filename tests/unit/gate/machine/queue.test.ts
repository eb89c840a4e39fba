import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Held, HoldQueue } from '../../../../src/gate/machine/queue.ts'

const limits = { requests: 3, bytes: 100, ageMs: 1000 }

describe('HoldQueue', () => {
  it('turns the newest away when the count is reached, never one that waits', () => {
    const queue = new HoldQueue<string>(limits)
    for (const name of ['a', 'b', 'c']) expect(queue.offer(name, 1, 0)).toBeDefined()
    expect(queue.offer('d', 1, 0)).toBeUndefined()
    expect(queue.take(9).map(held => held.item)).toEqual(['a', 'b', 'c'])
  })

  it('turns the newest away when the bytes are reached', () => {
    const queue = new HoldQueue<string>(limits)
    queue.offer('a', 60, 0)
    expect(queue.offer('b', 41, 0)).toBeUndefined()
    expect(queue.offer('c', 40, 0)).toBeDefined()
  })

  it('holds nothing when it may hold nothing', () => {
    expect(new HoldQueue({ requests: 0, bytes: 0, ageMs: 0 }).offer('a', 0, 0)).toBeUndefined()
  })

  it('makes room when a client hangs up, once', () => {
    const queue = new HoldQueue<string>(limits)
    const held = queue.offer('a', 100, 0)!
    expect(queue.abandon(held)).toBe(true)
    expect(queue.abandon(held)).toBe(false)
    expect(queue.sizeBytes).toBe(0)
    expect(queue.offer('b', 100, 0)).toBeDefined()
  })

  it('hands back those that waited too long, and says when the next will have', () => {
    const queue = new HoldQueue<string>(limits)
    queue.offer('a', 1, 0)
    queue.offer('b', 1, 500)
    expect(queue.nextExpiryMs()).toBe(1000)
    expect(queue.takeExpired(999)).toEqual([])
    expect(queue.takeExpired(1000).map(held => held.item)).toEqual(['a'])
    expect(queue.nextExpiryMs()).toBe(1500)
    queue.take(1)
    expect(queue.nextExpiryMs()).toBeUndefined()
  })

  it('puts one back at the place of its age, even when it is full', () => {
    const queue = new HoldQueue<string>(limits)
    queue.offer('a', 1, 0)
    queue.offer('b', 1, 10)
    const [a, b] = queue.take(2) as [Held<string>, Held<string>]
    for (const name of ['c', 'd', 'e']) queue.offer(name, 1, 20)
    queue.putBack(b)
    queue.putBack(a)
    expect(queue.take(9).map(held => held.item)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('keeps its bounds and its order, whatever happens', () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('offer' as const), sizeBytes: fc.nat(60) }),
      fc.record({ kind: fc.constant('take' as const), count: fc.nat(3) }),
      fc.record({ kind: fc.constant('abandon' as const), index: fc.nat(5) }),
      fc.record({ kind: fc.constant('expire' as const) }),
    )
    fc.assert(
      fc.property(fc.array(operation), operations => {
        const queue = new HoldQueue<number>(limits)
        let model: Held<number>[] = []
        let nowMs = 0
        for (const step of operations) {
          nowMs += 100
          if (step.kind === 'offer') {
            const held = queue.offer(nowMs, step.sizeBytes, nowMs)
            if (held !== undefined) model.push(held)
          } else if (step.kind === 'take') {
            expect(queue.take(step.count)).toEqual(model.splice(0, step.count))
          } else if (step.kind === 'abandon') {
            const gone = model[step.index]
            if (gone !== undefined) expect(queue.abandon(gone)).toBe(true)
            model = model.filter(held => held !== gone)
          } else {
            const expired = queue.takeExpired(nowMs)
            expect(expired).toEqual(model.filter(held => nowMs - held.arrivedMs >= limits.ageMs))
            model = model.filter(held => !expired.includes(held))
          }
          expect(queue.length).toBe(model.length)
          expect(queue.length).toBeLessThanOrEqual(limits.requests)
          expect(queue.sizeBytes).toBe(model.reduce((sum, held) => sum + held.sizeBytes, 0))
          expect(queue.sizeBytes).toBeLessThanOrEqual(limits.bytes)
        }
      }),
    )
  })
})
