import { expect, it } from 'vitest'
import { ReleaseLatency } from '../../../../src/gate/machine/release-latency.ts'

it('knows the median of what was answered within a second, and nothing of nothing', () => {
  const latency = new ReleaseLatency()
  expect(latency.recentMs(0)).toBeUndefined()
  for (const [fromMs, untilMs] of [
    [0, 10],
    [0, 30],
    [100, 120],
  ] as const)
    latency.answered(latency.released(fromMs), untilMs)
  expect(latency.recentMs(200)).toBe(20)
  expect(latency.recentMs(1100)).toBe(20)
  expect(latency.recentMs(1120)).toBeUndefined()
})

it('counts those that wait for an answer, so that a version that is stuck is a slow one', () => {
  const latency = new ReleaseLatency()
  const stuck = [latency.released(0), latency.released(100)]
  expect(latency.recentMs(5000)).toBe(4900)
  for (const each of stuck) latency.forget(each)
  expect(latency.recentMs(5000)).toBeUndefined()
})

it('counts an answer once', () => {
  const latency = new ReleaseLatency()
  const released = latency.released(0)
  latency.forget(released)
  latency.answered(released, 10)
  expect(latency.recentMs(20)).toBeUndefined()
})
