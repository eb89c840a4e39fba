import { describe, expect, it } from 'vitest'
import { drainLimits, gateCommand, softenCommand, withRecovery } from '../../../src/flow/serve-mode.ts'
import { gate as gateSchema } from '../../../src/recipe/schema/gate.ts'

const gate = gateSchema.parse({
  hold: { deadline: '2m', afterwards: 'pass' },
  soft: { for: '10m', share: 0.4 },
  recovery: { for: '5m', perSecond: 20 },
  drain: { timeout: '9s', streams: '1s', spread: '3s' },
})

describe('a mode that is asked for', () => {
  it('lasts as long as was said, else as the recipe says, else a minute, and never more than a day', () => {
    const lasts = (deadlineMs: number | undefined, recipe: typeof gate | undefined) => {
      const asked = { kind: 'gate', mode: 'hold', reason: '' } as const
      return gateCommand(deadlineMs === undefined ? asked : { ...asked, deadlineMs }, recipe)
    }
    expect(lasts(5000, gate)).toMatchObject({ lastsMs: 5000, by: 'installer', afterwards: 'pass' })
    expect(lasts(undefined, gate)).toMatchObject({ lastsMs: 120_000 })
    expect(lasts(undefined, undefined)).toMatchObject({ lastsMs: 60_000 })
    expect(lasts(1e12, gate)).toMatchObject({ lastsMs: 86_400_000 })
  })

  it('is whose it was said to be', () => {
    expect(gateCommand({ kind: 'gate', mode: 'pass', reason: 'x', by: 'operator' }, gate)).toEqual({
      kind: 'pass',
      reason: 'x',
      by: 'operator',
    })
  })
})

it('a soft phase is as the recipe says where nobody says otherwise', () => {
  const asked = { kind: 'soften', reason: '' } as const
  expect(softenCommand(asked, gate)).toMatchObject({ lastsMs: 600_000, share: 0.4, by: 'installer' })
  expect(softenCommand({ ...asked, lastsMs: 0, share: 1 }, gate)).toMatchObject({ lastsMs: 0, share: 1 })
  expect(softenCommand(asked, gateSchema.parse({}))).toMatchObject({ lastsMs: 300_000, share: 1 })
  expect(softenCommand(asked, undefined)).toMatchObject({ lastsMs: 300_000, share: 1 })
})

it('a recovery follows where clients were turned away and requests go through us', () => {
  const pass = { kind: 'pass', reason: '' } as const
  const recovery = { lastsMs: 300_000, perSecond: 20 }
  expect(withRecovery(pass, { kind: 'proxy', count: 1, gate })).toEqual({ ...pass, recovery })
  expect(withRecovery(pass, { kind: 'proxy', count: 0, gate })).toBe(pass)
  expect(withRecovery(pass, { kind: 'handover', count: 1, gate })).toBe(pass)
  expect(withRecovery(pass, { kind: 'proxy', count: 1, gate: gateSchema.parse({}) })).toBe(pass)
  expect(withRecovery({ kind: 'expire' }, { kind: 'proxy', count: 1, gate })).toEqual({ kind: 'expire' })
})

it('a drain is as the recipe says', () => {
  expect(drainLimits(gate.drain)).toEqual({ timeoutMs: 9000, streamsMs: 1000, spreadMs: 3000 })
})
