import { expect, it } from 'vitest'
import { defaultLifetimesDays, expiryReport } from '../../../../src/repository/tuf/expiry.ts'
import { firstRoot } from '../../../../src/repository/tuf/root.ts'
import { emptyTufState } from '../../../../src/repository/tuf/state.ts'
import { verifyRoot } from '../../../../src/trust/root.ts'
import { memorySigning } from './signing.ts'

const dayMs = 86_400_000
const { signing } = memorySigning(Date.parse('2026-01-01T00:00:00Z'))
const empty = emptyTufState(verifyRoot(firstRoot(signing), 'test'))
const at = (days: number, version = 1) => ({ version, expiresMs: signing.nowMs + days * dayMs })

it.each([
  [30, 30, 'ok'],
  [30, 14, 'ok'],
  [30, 13.9, 'soon'],
  [365, 122, 'ok'],
  [365, 121, 'soon'],
  [7, 3, 'ok'],
  [7, 2, 'soon'],
  [7, 0, 'expired'],
  [7, -1, 'expired'],
] as const)('of a lifetime of %d days, %d left are %s', (lifetime, left, level) => {
  const lifetimesDays = { ...defaultLifetimesDays, timestamp: lifetime }
  const state = { ...empty, timestamp: { ...at(left), digest: undefined } }
  const report = expiryReport(state, new Map(), { nowMs: signing.nowMs, lifetimesDays })
  expect(report.find(({ role }) => role === 'timestamp')).toMatchObject({ level, daysLeft: Math.floor(left) })
})

it('names the roles of applications, and leaves out what was never made', () => {
  const roles = new Map([
    ['application-notes', at(3)],
    ['application-new', at(0, 0)],
  ])
  const report = expiryReport(empty, roles, signing)
  expect(report.map(({ role, level }) => [role, level])).toEqual([
    ['root', 'ok'],
    ['application-notes', 'soon'],
  ])
})
