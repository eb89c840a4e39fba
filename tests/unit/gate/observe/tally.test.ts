import { expect, it } from 'vitest'
import { finalCounters, newTally, sumCounters } from '../../../../src/gate/observe/tally.ts'

it('adds counts up and keeps the longest hold', () => {
  const one = { ...newTally(), held: 2, longestHoldMs: 5, heldNow: 1 }
  const two = { ...newTally(), held: 3, longestHoldMs: 9 }
  expect(sumCounters([one, two])).toEqual({ ...newTally(), held: 5, longestHoldMs: 9, heldNow: 1 })
})

it('counts nothing as present in a gate that is gone', () => {
  const counters = { ...newTally(), requests: 4, inFlight: 1, streams: 1, heldNow: 1, heldBytes: 1 }
  expect(finalCounters(counters)).toEqual({ ...newTally(), requests: 4 })
})
