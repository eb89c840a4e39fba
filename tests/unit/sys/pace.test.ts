import { expect, it } from 'vitest'
import { Pace } from '../../../src/sys/pace.ts'

const limits = { leastBytesPerSecond: 100, judgedAfterMs: 1000 }

it.each([
  ['much at once', [[1000, 5000]], undefined],
  [
    'a little now and then',
    [
      [400, 1],
      [400, 1],
      [400, 1],
    ],
    2.5,
  ],
  [
    'just enough',
    [
      [500, 50],
      [500, 50],
    ],
    undefined,
  ],
  [
    'nothing to wait for',
    [
      [0, 1],
      [0, 1],
      [0, 1],
    ],
    undefined,
  ],
  [
    'much, and then a little',
    [
      [1000, 5000],
      [1000, 10],
    ],
    10,
  ],
] as const)('a sender of %s is judged by what it sends while it is waited for', (_, arrivals, expected) => {
  const pace = new Pace(limits)
  expect(arrivals.map(([waitedMs, sizeBytes]) => pace.tooSlow(waitedMs, sizeBytes)).at(-1)).toBe(expected)
})

it('a sender may be as slow as it likes where nothing is asked of it', () => {
  expect(new Pace({ ...limits, leastBytesPerSecond: 0 }).tooSlow(60_000, 0)).toBeUndefined()
})
