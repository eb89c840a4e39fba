import { describe, expect, it } from 'vitest'
import { compileNetworks, isTrusted } from '../../../../src/gate/edge/trust.ts'

const local = compileNetworks(['127.0.0.0/8', '::1/128'])

describe('networks', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.255.0.9', true],
    ['128.0.0.1', false],
    ['::1', true],
    ['::2', false],
    ['::ffff:127.0.0.1', true],
    ['::ffff:7f00:1', true],
    ['::ffff:128.0.0.1', false],
    // What is no address is nobody's.
    ['localhost', false],
    ['127.0.0.1.evil.example', false],
    ['', false],
  ])('%s: %s', (address, isIncluded) => expect(local.includes(address)).toBe(isIncluded))

  it('have single addresses, and networks that cut a byte in two', () => {
    const some = compileNetworks(['192.0.2.7', '198.51.100.128/25', '2001:db8::/33', 'fe80::/10'])
    expect(['192.0.2.7', '198.51.100.200', '2001:db8:7fff::1', 'fe80::1%eth0'].map(some.includes)).not.toContain(false)
    expect(['192.0.2.8', '198.51.100.127', '2001:db8:8000::1', 'fec0::1'].map(some.includes)).not.toContain(true)
  })

  it('take everybody in when they are told so', () => {
    expect(compileNetworks(['0.0.0.0/0']).includes('203.0.113.9')).toBe(true)
    expect(compileNetworks(['0.0.0.0/0']).includes('2001:db8::1')).toBe(false)
  })
})

describe('trust', () => {
  it('goes to who is in the networks, and to a peer on a unix socket', () => {
    expect(isTrusted(local, '127.0.0.1')).toBe(true)
    expect(isTrusted(local, '203.0.113.9')).toBe(false)
    expect(isTrusted(local, undefined)).toBe(true)
    expect(isTrusted(compileNetworks([]), '127.0.0.1')).toBe(false)
  })

  it('is no bypass for who has no address', () => {
    expect(local.includes(undefined)).toBe(false)
  })
})
