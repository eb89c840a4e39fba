import { expect, it } from 'vitest'
import { isInward, isLoopback } from '../../../src/core/loopback.ts'

const hostOf = (host: string) => new URL(`http://${host}/`).hostname

it.each([
  'localhost',
  'localhost.',
  'printer.localhost',
  '127.0.0.1',
  '2130706433',
  '0x7f.1',
  '0',
  '169.254.169.254',
  '[::1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:169.254.169.254]',
  '[fe80::1]',
])('%s is for this machine alone', host => {
  expect(isInward(hostOf(host))).toBe(true)
})

it.each(['example.org', '127.example.org', '10.0.0.1', '192.0.2.1', '[2001:db8::1]', '[::ffff:10.0.0.1]'])(
  '%s is elsewhere',
  host => {
    expect(isInward(hostOf(host))).toBe(false)
    expect(isLoopback(hostOf(host))).toBe(false)
  },
)
