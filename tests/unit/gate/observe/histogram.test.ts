import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bucketBoundsMs, Histogram, sumHistograms } from '../../../../src/gate/observe/histogram.ts'

const times = fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }))

function counted(values: readonly number[]) {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram.snapshot()
}

it('puts each time below the first bound that it does not exceed', () => {
  fc.assert(
    fc.property(times, values => {
      const { counts } = counted(values)
      const below = (bound: number) => values.filter(value => value <= bound).length
      let sum = 0
      bucketBoundsMs.forEach((bound, bucket) => {
        sum += counts[bucket]!
        expect(sum).toBe(below(bound))
      })
      expect(sum + counts.at(-1)!).toBe(values.length)
    }),
  )
})

it('adds up to what one histogram would have counted', () => {
  fc.assert(
    fc.property(times, times, (some, others) => {
      const sum = sumHistograms([counted(some), counted(others)])
      const whole = counted([...some, ...others])
      expect(sum.counts).toEqual(whole.counts)
      expect(sum.sumMs).toBeCloseTo(whole.sumMs, 3)
    }),
  )
})
