import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Admission,
  recoveryAllowance,
  recoveryRate,
  runningShaping,
  softShare,
} from '../../../../src/gate/machine/shaping.ts'

describe('the soft phase', () => {
  const soft = { lastsMs: 60_000, share: 0.5 }

  it('begins with nobody and ends with its share, evenly', () => {
    expect([0, 30_000, 60_000, 90_000].map(ms => softShare(ms, soft))).toEqual([0, 0.25, 0.5, 0.5])
    expect(softShare(5, { lastsMs: 0, share: 1 })).toBe(0)
  })

  it('is as far as the clock says, within its bounds', () => {
    const shaping = { kind: 'soft', sinceMs: 1000, endsAtMs: 5000, share: 1 } as const
    expect(runningShaping(shaping, 2000)).toEqual({ kind: 'soft', elapsedMs: 1000, lastsMs: 4000, share: 1 })
    expect(runningShaping(shaping, -1e9).elapsedMs).toBe(0)
    expect(runningShaping(shaping, 1e9).elapsedMs).toBe(4000)
  })
})

describe('the recovery', () => {
  const recovery = { lastsMs: 60_000, perSecond: 100 }

  it('admits its rate in the first second and ten times that in the last', () => {
    expect(recoveryAllowance(1000, recovery)).toBeCloseTo(107.5)
    expect(recoveryAllowance(60_000, recovery) - recoveryAllowance(59_000, recovery)).toBeCloseTo(992.5)
    expect(recoveryAllowance(61_000, recovery) - recoveryAllowance(60_000, recovery)).toBeCloseTo(1000)
  })

  it('has at each moment the rate at which its allowance grows', () => {
    expect([0, 30_000, 60_000, 90_000].map(ms => recoveryRate(ms, recovery))).toEqual([100, 550, 1000, 1000])
    for (const ms of [10, 20_000, 59_000, 70_000]) {
      const grown = recoveryAllowance(ms + 1, recovery) - recoveryAllowance(ms - 1, recovery)
      expect(grown * 500).toBeCloseTo(recoveryRate(ms, recovery))
    }
  })

  it('admits no more than its allowance and a tenth of a second, and all that comes slowly', () => {
    fc.assert(
      fc.property(
        fc.record({ lastsMs: fc.integer({ min: 1, max: 600_000 }), perSecond: fc.integer({ min: 1, max: 1000 }) }),
        fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 300 }),
        (settings, gaps) => {
          const admission = new Admission(settings, 0)
          let nowMs = 0
          let admitted = 0
          for (const gapMs of gaps) {
            nowMs += gapMs
            const isLate = gapMs > 1000 / settings.perSecond
            const isIn = admission.admits(nowMs)
            if (isLate) expect(isIn).toBe(true)
            if (isIn) admitted += 1
          }
          expect(admitted).toBeLessThanOrEqual(1 + recoveryAllowance(nowMs, settings))
        },
      ),
    )
  })

  it('saves nothing up while nobody comes', () => {
    const admission = new Admission(recovery, 0)
    const admitted = Array.from({ length: 1000 }, () => admission.admits(30_000)).filter(Boolean).length
    // A tenth of a second of the 550 per second that hold in the middle.
    expect(admitted).toBeGreaterThan(50)
    expect(admitted).toBeLessThan(60)
  })
})
