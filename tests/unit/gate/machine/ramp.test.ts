import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { advanceRamp, rampAllowance, startRamp } from '../../../../src/gate/machine/ramp.ts'

/** What may have been released after each of some times, asked in that order; `recent` is the latency that is seen at each. */
function allowances(times: readonly number[], perSecond: number, latencyMs?: number, recent?: readonly number[]) {
  let ramp = startRamp({ perSecond, latencyMs }, 5000)
  return times.map((ms, index) => {
    ramp = advanceRamp(ramp, 5000 + ms, { perSecond, latencyMs }, recent?.[index])
    return rampAllowance(ramp, 5000 + ms)
  })
}

describe('a ramp', () => {
  it('lets one go at once, the rate in the first second, twice as many in the next', () => {
    expect(allowances([0, 500, 1000, 2000, 3000], 200)).toEqual([1, 101, 201, 601, 1401])
  })

  it('comes to the same whether it is asked every moment or once', () => {
    const often = Array.from({ length: 701 }, (_, index) => index * 10)
    expect(allowances(often, 7).at(-1)).toBe(allowances([7000], 7)[0])
  })

  it('never falls, and is a whole number', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(10_000)),
        fc.integer({ min: 1, max: 1000 }),
        fc.array(fc.nat(50)),
        (steps, rate, seen) => {
          let ms = 0
          const found = allowances(
            steps.map(step => {
              ms += step
              return ms
            }),
            rate,
            20,
            seen,
          )
          expect(found.every(Number.isSafeInteger)).toBe(true)
          expect(found).toEqual(found.toSorted((a, b) => a - b))
        },
      ),
    )
    expect(allowances([3_600_000], 1)[0]).toBeGreaterThan(1e15)
  })

  it('keeps its rate while answers take longer than the version should, and doubles again afterwards', () => {
    const times = [0, 1000, 2000, 3000, 4000]
    expect(allowances(times, 100, 50, [0, 60, 60, 50, 10])).toEqual([1, 101, 201, 301, 501])
    // Nothing seen is no reason to wait.
    expect(allowances(times, 100, 50)).toEqual(allowances(times, 100))
  })
})
