import { expect, it } from 'vitest'
import { decide } from '../../../../src/gate/machine/decide.ts'

it.each([
  ['pass', 'up', 'forward', 'forward'],
  ['pass', 'down', 'hold', 'hold'],
  ['pass', 'absent', 'backoff', 'backoff'],
  ['hold', 'up', 'hold', 'healthy'],
  ['hold', 'down', 'hold', 'healthy'],
  ['hold', 'absent', 'hold', 'healthy'],
  ['backoff', 'up', 'backoff', 'healthy'],
  ['backoff', 'absent', 'backoff', 'healthy'],
  ['drain', 'up', 'backoff', 'backoff'],
] as const)('in mode %s with the service %s: %s, and %s for a health check', (mode, service, usual, health) => {
  expect(decide(mode, service, false)).toBe(usual)
  expect(decide(mode, service, true)).toBe(health)
})
