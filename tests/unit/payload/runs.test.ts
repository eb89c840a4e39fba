import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { Segment } from '../../../src/payload/manifest.ts'
import { endOf, planRuns } from '../../../src/payload/runs.ts'

const digest = digestOf('')

/** Segments one after the other, of these sizes. */
function segmentsOf(sizes: readonly number[]): Segment[] {
  let offset = 0
  return sizes.map((sizeBytes, index) => {
    const segment = { index, offset, sizeBytes, digest, tarOffset: 0, tarSizeBytes: 1, tarDigest: digest }
    offset += sizeBytes
    return segment
  })
}

const indexesOf = (runs: readonly (readonly Segment[])[]) => runs.map(run => run.map(({ index }) => index))
const pick = (segments: readonly Segment[], ...indexes: number[]) => indexes.map(index => segments[index]!)

describe('planRuns', () => {
  const segments = segmentsOf([100, 10, 100, 50, 100])
  const unbounded = Number.POSITIVE_INFINITY

  it.each([
    ['next to each other', [0, 1, 2], { gapBytes: 0, mostBytes: unbounded }, [[0, 1, 2]]],
    ['apart', [0, 2, 4], { gapBytes: 0, mostBytes: unbounded }, [[0], [2], [4]]],
    ['nearly next to each other', [0, 2, 4], { gapBytes: 10, mostBytes: unbounded }, [[0, 2], [4]]],
    ['more than fits into a request', [0, 1, 2, 3, 4], { gapBytes: 0, mostBytes: 110 }, [[0, 1], [2], [3], [4]]],
    ['each larger than a request', [0, 1], { gapBytes: 0, mostBytes: 1 }, [[0], [1]]],
    ['none', [], { gapBytes: 0, mostBytes: unbounded }, []],
  ])('puts together what is %s', (_, wanted, limits, expected) => {
    expect(indexesOf(planRuns(pick(segments, ...wanted), limits))).toEqual(expected)
  })

  it('keeps all, in order, within the limits, whatever is wanted', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 40 })
    const limits = fc.record({
      gapBytes: fc.integer({ min: 0, max: 2000 }),
      mostBytes: fc.integer({ min: 1, max: 5000 }),
    })
    fc.assert(
      fc.property(sizes, fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), limits, (given, isWanted, limit) => {
        const wanted = segmentsOf(given).filter(({ index }) => isWanted[index])
        const runs = planRuns(wanted, limit)
        expect(runs.flat()).toEqual(wanted)
        for (const run of runs) {
          const spanBytes = endOf(run.at(-1)!) - run[0]!.offset
          if (run.length > 1) expect(spanBytes).toBeLessThanOrEqual(limit.mostBytes)
          run.slice(1).forEach((segment, at) => {
            expect(segment.offset - endOf(run[at]!)).toBeLessThanOrEqual(limit.gapBytes)
          })
        }
      }),
    )
  })
})
