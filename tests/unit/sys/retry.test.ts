import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRetryAfter, retryDelayMs } from '../../../src/sys/retry.ts'

describe('the wait before another attempt', () => {
  it('doubles up to a limit', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 20].map(attempt => retryDelayMs(attempt, undefined, 0))
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000])
  })

  it('is never shorter than what the server asks for, and told of when that is too long', () => {
    const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 240_000 }),
        fraction,
        (at, askedMs, random) => {
          const delayMs = retryDelayMs(at, askedMs, random)
          if (askedMs > 120_000) expect(delayMs).toBeUndefined()
          else expect(delayMs).toBeGreaterThanOrEqual(askedMs)
        },
      ),
    )
  })
})

it.each([
  ['0', 0],
  ['120', 120_000],
  ['Fri, 02 Jan 2026 00:00:30 GMT', 30_000],
  ['Friday, 02-Jan-26 00:00:30 GMT', undefined],
  ['Thu, 01 Jan 2026 00:00:00 GMT', 0],
  ['-5', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After %j is %j ms', (header, expected) => {
  expect(parseRetryAfter(header, Date.UTC(2026, 0, 2))).toBe(expected)
})
