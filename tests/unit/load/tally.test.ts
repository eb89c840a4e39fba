import { describe, expect, it } from 'vitest'
import { Tally } from '../../../scripts/load/tally.ts'

describe('Tally', () => {
  it('counts each outcome apart, by the second in which requests ended', () => {
    let nowMs = 5000
    const tally = new Tally(() => nowMs)
    const first = tally.begin('GET /notes')
    const second = tally.begin('POST /notes')
    const third = tally.begin('GET /notes')
    nowMs += 300
    first({ kind: 'answered' })
    nowMs += 2000
    second({ kind: 'failed', reason: 'ECONNRESET' })
    third({ kind: 'backed-off' })
    expect(tally.counts()).toEqual({ sent: 3, answered: 1, backedOff: 1, failed: 1, retried: 0 })
    expect(tally.failures()).toEqual([{ atMs: 2300, request: 'POST /notes', reason: 'ECONNRESET' }])
    expect(tally.timeline()).toEqual([
      { second: 0, answered: 1, backedOff: 0, failed: 0, longestMs: 300 },
      { second: 1, answered: 0, backedOff: 0, failed: 0, longestMs: 0 },
      { second: 2, answered: 0, backedOff: 1, failed: 1, longestMs: 2300 },
    ])
  })

  it('finds the median, the 99th of a hundred and the longest', () => {
    let nowMs = 0
    const tally = new Tally(() => nowMs)
    for (let durationMs = 1; durationMs <= 200; durationMs += 1) {
      const end = tally.begin('GET /notes')
      nowMs += durationMs
      end({ kind: 'answered' })
    }
    expect(tally.latency()).toEqual({ p50Ms: 100, p99Ms: 198, longestMs: 200 })
  })
})
