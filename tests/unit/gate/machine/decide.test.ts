import { expect, it } from 'vitest'
import { decide } from '../../../../src/gate/machine/decide.ts'

it.each([
  ['pass', 'up', 'forward', 'forward', 'forward'],
  ['pass', 'down', 'hold', 'hold', 'hold'],
  ['pass', 'absent', 'backoff', 'backoff', 'backoff'],
  ['hold', 'up', 'hold', 'healthy', 'forward'],
  ['hold', 'down', 'hold', 'healthy', 'hold'],
  // Between the old version and the new one there is none for a moment.
  ['hold', 'absent', 'hold', 'healthy', 'hold'],
  ['backoff', 'up', 'backoff', 'healthy', 'forward'],
  ['backoff', 'down', 'backoff', 'healthy', 'hold'],
  ['backoff', 'absent', 'backoff', 'healthy', 'backoff'],
  ['drain', 'up', 'backoff', 'backoff', 'backoff'],
  ['drain', 'down', 'backoff', 'backoff', 'backoff'],
  ['drain', 'absent', 'backoff', 'backoff', 'backoff'],
] as const)(
  'in mode %s with the service %s: %s, %s for a health check, %s for who bypasses',
  (mode, service, ...all) => {
    expect([
      decide(mode, service, { isHealthPath: false, isBypassing: false }),
      decide(mode, service, { isHealthPath: true, isBypassing: false }),
      decide(mode, service, { isHealthPath: false, isBypassing: true }),
    ]).toEqual(all)
  },
)
