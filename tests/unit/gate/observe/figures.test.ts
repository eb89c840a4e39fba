import { expect, it } from 'vitest'
import { Figures, sumFigures } from '../../../../src/gate/observe/figures.ts'
import { record } from './samples.ts'

function counted(...records: ReturnType<typeof record>[]) {
  const figures = new Figures()
  for (const each of records) figures.finished(each)
  return figures.snapshot()
}

it('counts requests by outcome and status', () => {
  const { requests } = counted(record(), record(), record({ status: 503, outcome: 'backed-off' }))
  expect(requests).toEqual([
    { outcome: 'answered', status: 200, count: 2 },
    { outcome: 'backed-off', status: 503, count: 1 },
  ])
})

it('times what the application answered, and waits of what waited', () => {
  const { durations, waits } = counted(
    record({ durationMs: 30, waitedMs: 20 }),
    record({ durationMs: 7000, waitedMs: 6000, outcome: 'abandoned', status: 499 }),
  )
  const count = (histogram: { counts: readonly number[] }) => histogram.counts.reduce((sum, each) => sum + each, 0)
  expect([count(durations), durations.sumMs]).toEqual([1, 30])
  expect([count(waits), waits.sumMs]).toEqual([2, 6020])
})

it('adds up what several gates saw', () => {
  const one = counted(record({ bypassed: true, receivedBytes: 5 }))
  const other = counted(record(), record({ isCanary: true, status: 500 }))
  expect(sumFigures([one, other])).toEqual(
    counted(record({ bypassed: true, receivedBytes: 5 }), record(), record({ isCanary: true, status: 500 })),
  )
})
