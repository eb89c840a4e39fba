import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { retryAfterSeconds, softFields, spreadSeconds } from '../../../../src/gate/answers/retry-after.ts'

const below1 = fc.double({ min: 0, max: 0.999_999, noNaN: true })
const settings = fc.record({
  retryAfter: fc.integer({ min: 1, max: 86_400 }),
  jitter: fc.double({ min: 0, max: 10, noNaN: true }),
  clients: fc.nat(10_000_000),
  perSecond: fc.integer({ min: 1, max: 100_000 }),
})

describe('when to come back', () => {
  it('is an integer from the base upwards, within the spread', () => {
    fc.assert(
      fc.property(settings, below1, (each, random) => {
        const seconds = retryAfterSeconds(each, () => random)
        expect(Number.isSafeInteger(seconds)).toBe(true)
        expect(seconds).toBeGreaterThanOrEqual(each.retryAfter)
        expect(seconds).toBeLessThanOrEqual(each.retryAfter + spreadSeconds(each))
      }),
    )
  })

  it('is spread over at least 5 seconds even when it is short', () => {
    expect(retryAfterSeconds({ retryAfter: 1, jitter: 0 }, () => 0)).toBe(1)
    expect(retryAfterSeconds({ retryAfter: 1, jitter: 0 }, () => 0.999)).toBe(6)
  })

  it('is spread by how many clients there are, so that no more come per second than can be taken back', () => {
    const many = { retryAfter: 30, jitter: 0.2, clients: 100_000, perSecond: 250 }
    expect(spreadSeconds(many)).toBe(400)
    expect(spreadSeconds({ ...many, clients: 100 })).toBe(6)
    expect(spreadSeconds({ ...many, clients: 0 })).toBe(6)
    fc.assert(
      fc.property(settings, each => {
        expect(each.clients / spreadSeconds(each)).toBeLessThanOrEqual(each.perSecond)
      }),
    )
  })
})

it('the fields of the soft phase tell to stay away for as long as it lasts and a little more, under both names', () => {
  const told = softFields({ retryAfter: 30, jitter: 0 }, 12_300, () => 0)
  expect(told).toEqual(['X-Weave-Backoff', '43', 'X-Backoff', '43'])
})
