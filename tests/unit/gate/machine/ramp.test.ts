import fc from 'fast-check'
import { expect, it } from 'vitest'
import { releaseAllowance } from '../../../../src/gate/machine/ramp.ts'

it('lets one go at once, the rate in the first second, twice as many in the next', () => {
  expect(releaseAllowance(0, 200)).toBe(1)
  expect(releaseAllowance(500, 200)).toBe(101)
  expect(releaseAllowance(1000, 200)).toBe(201)
  expect(releaseAllowance(2000, 200)).toBe(601)
  expect(releaseAllowance(3000, 200)).toBe(1401)
})

it('never falls, and is a whole number until it is beyond counting', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 39_000 }),
      fc.nat(1000),
      fc.integer({ min: 1, max: 1000 }),
      (ms, more, rate) => {
        const allowance = releaseAllowance(ms, rate)
        expect(Number.isSafeInteger(allowance)).toBe(true)
        expect(releaseAllowance(ms + more, rate)).toBeGreaterThanOrEqual(allowance)
      },
    ),
  )
  expect(releaseAllowance(3_600_000, 1)).toBe(Number.POSITIVE_INFINITY)
})
