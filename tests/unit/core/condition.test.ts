import { describe, expect, it } from 'vitest'
import { type Finding, judge, renderFindings, worst } from '../../../src/core/condition.ts'

describe('findings', () => {
  const fine: Finding = { name: 'gate', condition: 'ok', text: 'requests pass', measures: [] }
  const full: Finding = {
    name: 'space',
    condition: 'critical',
    text: '97 % used | of all\nthere is',
    measures: [{ name: 'used', value: 97, unit: '%', warning: 85, critical: 95 }],
  }

  it('are told as a monitoring plugin does: what is not well, the measures, then each', () => {
    expect(renderFindings('NOTES', '1.1.4 is active', [fine, full])).toBe(
      [
        'NOTES CRITICAL: space: 97 % used / of all there is | used=97%;85;95',
        'gate OK: requests pass',
        'space CRITICAL: 97 % used / of all there is',
      ].join('\n'),
    )
    expect(renderFindings('NOTES', '1.1.4 is active', [fine])).toBe(
      'NOTES OK: 1.1.4 is active | \ngate OK: requests pass',
    )
  })

  it('are as bad as the worst of them', () => {
    expect(worst([])).toBe('ok')
    expect(worst(['ok', 'unknown'])).toBe('unknown')
    expect(worst(['warning', 'unknown', 'ok'])).toBe('warning')
    expect(worst(['warning', 'critical', 'unknown'])).toBe('critical')
  })

  it('are judged from the limit on', () => {
    const limits = { warning: 5, critical: 9 }
    expect([4, 5, 8, 9, 10].map(value => judge(value, limits))).toEqual([
      'ok',
      'warning',
      'warning',
      'critical',
      'critical',
    ])
  })
})
