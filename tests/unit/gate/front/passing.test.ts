import { expect, it } from 'vitest'
import { Passing } from '../../../../src/gate/front/passing.ts'
import { manualTimers } from '../../../support/manual-timers.ts'

const settings = { retryAfter: 30, jitter: 0 }

it('tells a rising share of good answers to stay away until after the soft phase', () => {
  const { timers, advance } = manualTimers()
  const passing = new Passing({ kind: 'soft', elapsedMs: 10_000, lastsMs: 60_000, share: 1 }, timers)
  const told = (status: number, random: number) => passing.addedFields(status, settings, () => random)
  expect(told(200, 0.9)).toEqual([])
  expect(told(204, 0.1)).toEqual(['X-Weave-Backoff', '90', 'X-Backoff', '90'])
  advance(49_000)
  expect(told(200, 0.9)[0]).toBe('X-Weave-Backoff')
  for (const status of [101, 199, 301, 404, 503]) expect(told(status, 0)).toEqual([])
  expect(passing.admits()).toBe(true)
})

it('admits in a recovery as it goes, and leaves answers alone', () => {
  const { timers, advance } = manualTimers()
  const passing = new Passing({ kind: 'recovery', elapsedMs: 0, lastsMs: 60_000, perSecond: 10 }, timers)
  expect([passing.admits(), passing.admits()]).toEqual([true, false])
  advance(100)
  expect([passing.admits(), passing.admits()]).toEqual([true, false])
  expect(passing.addedFields(200, settings, () => 0)).toEqual([])
})
