import { expect, it } from 'vitest'
import { failuresInARow, restartPauseMs } from '../../../src/service/restart.ts'

it('waits 0.1 s, then twice as long each time, up to 10 s', () => {
  const pauses = [1, 2, 3, 4, 7, 8, 50, 5000].map(restartPauseMs)
  expect(pauses).toEqual([100, 200, 400, 800, 6400, 10_000, 10_000, 10_000])
})

it('counts from one again after a service has run for a while', () => {
  expect(failuresInARow(4, 9999)).toBe(5)
  expect(failuresInARow(4, 10_000)).toBe(1)
})
