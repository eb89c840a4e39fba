import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideWindow, parseWindow } from '../../../src/core/maintenance-window.ts'

const at = (day: number, hours: number, minutes: number) => new Date(2026, 10, day, hours, minutes).getTime()

describe('a daily window', () => {
  it.each([
    ['02:00', '04:00', at(5, 3, 0), { kind: 'open', closesAtMs: at(5, 4, 0) }],
    ['02:00', '04:00', at(5, 1, 59), { kind: 'closed', opensAtMs: at(5, 2, 0) }],
    ['02:00', '04:00', at(5, 4, 0), { kind: 'closed', opensAtMs: at(6, 2, 0) }],
    ['23:00', '04:00', at(5, 23, 30), { kind: 'open', closesAtMs: at(6, 4, 0) }],
    ['23:00', '04:00', at(5, 3, 59), { kind: 'open', closesAtMs: at(5, 4, 0) }],
    ['23:00', '04:00', at(5, 12, 0), { kind: 'closed', opensAtMs: at(5, 23, 0) }],
    ['22:00', undefined, at(5, 23, 0), { kind: 'open', closesAtMs: at(6, 0, 0) }],
    [undefined, '04:00', at(5, 5, 0), { kind: 'closed', opensAtMs: at(6, 0, 0) }],
  ])('from %s to %s', (notBefore, notAfter, nowMs, expected) => {
    expect(decideWindow(parseWindow(notBefore, notAfter)!, nowMs)).toEqual(expected)
  })

  it('opens or closes after now, within two days, whatever its ends', () => {
    const time = fc
      .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
      .map(ends => ends.map(part => String(part).padStart(2, '0')).join(':'))
    fc.assert(
      fc.property(time, time, fc.integer({ min: 0, max: 4e12 }), (from, to, nowMs) => {
        const state = decideWindow(parseWindow(from, to)!, nowMs)
        const nextMs = state.kind === 'open' ? state.closesAtMs : state.opensAtMs!
        expect(nextMs).toBeGreaterThan(nowMs)
        expect(nextMs - nowMs).toBeLessThanOrEqual(49 * 3_600_000)
      }),
    )
  })
})

describe('a window between two moments', () => {
  const window = parseWindow('2026-11-21T02:00:00Z', '2026-11-21T04:00:00+01:00')!

  it.each([
    ['2026-11-21T01:59:59Z', { kind: 'closed', opensAtMs: Date.parse('2026-11-21T02:00:00Z') }],
    ['2026-11-21T02:59:59Z', { kind: 'open', closesAtMs: Date.parse('2026-11-21T03:00:00Z') }],
    ['2026-11-21T03:00:00Z', { kind: 'closed', opensAtMs: undefined }],
  ])('at %s', (now, expected) => {
    expect(decideWindow(window, Date.parse(now))).toEqual(expected)
  })

  it.each([
    ['24:00', undefined],
    ['2:00', undefined],
    ['2026-11-21T02:00:00', undefined],
    ['2026-13-21T02:00:00Z', undefined],
    ['02:00', '2026-11-21T02:00:00Z'],
    ['2026-11-21T02:00:00Z', '2026-11-21T01:00:00Z'],
  ])('does not understand %s and %s', (notBefore, notAfter) => {
    expect(parseWindow(notBefore, notAfter)).toBeUndefined()
  })
})
