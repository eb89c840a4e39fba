import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileBypass, withoutBypassCookie } from '../../../../src/gate/front/bypass.ts'
import type { BypassSettings } from '../../../../src/gate/front/settings.ts'
import { exchangeOf } from './exchanges.ts'

const token = 'b7c2-secret'

function bypasses(
  settings: Partial<BypassSettings>,
  fields: Record<string, string>,
  remoteAddress = '192.0.2.7',
): boolean {
  const origin = { remoteAddress, remotePort: 1, peerAddress: remoteAddress, isSecure: false }
  return compileBypass({ networks: [], ...settings })(exchangeOf({ fields, origin }))
}

describe('who bypasses', () => {
  it.each([
    ['shows the token in the field', { 'x-cutover-bypass': token }, true],
    ['shows another', { 'x-cutover-bypass': `${token}x` }, false],
    ['shows a part of it', { 'x-cutover-bypass': token.slice(0, -1) }, false],
    ['shows none', {}, false],
    ['shows it in the cookie', { cookie: `a=b; cutover-bypass=${token}; c=d` }, true],
    ['shows it in the second of two', { cookie: `cutover-bypass=old; cutover-bypass=${token}` }, true],
    ['shows it in a cookie of another name', { cookie: `x-cutover-bypass=${token}` }, false],
    ['names the cookie only', { cookie: 'cutover-bypass' }, false],
  ] as const)('%s: %o is %s', (_name, fields, passes) => {
    expect(bypasses({ token }, fields)).toBe(passes)
  })

  it('needs a token: an empty one, or none, lets nobody pass', () => {
    for (const empty of ['', undefined]) {
      expect(bypasses({ token: empty }, { 'x-cutover-bypass': '', cookie: 'cutover-bypass=' })).toBe(false)
    }
  })

  it('comes from a network, also as IPv4 written as IPv6', () => {
    const networks = ['192.0.2.0/24', '2001:db8::/32']
    expect(bypasses({ networks }, {})).toBe(true)
    expect(bypasses({ networks }, {}, '::ffff:192.0.2.9')).toBe(true)
    expect(bypasses({ networks }, {}, '198.51.100.1')).toBe(false)
  })
})

describe('the token’s cookie', () => {
  it.each([
    ['a=b; cutover-bypass=x; c=d', 'a=b; c=d'],
    ['cutover-bypass=x', undefined],
    ['cutover-bypass=x;cutover-bypass=y', undefined],
    ['a=cutover-bypass', 'a=cutover-bypass'],
    ['a=b;c=d', 'a=b;c=d'],
  ])('is taken out of %s', (cookies, left) => {
    expect(withoutBypassCookie(cookies)).toBe(left)
  })

  it('never goes on, and the others always do', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(name, fc.constant('cutover-bypass')), name)), pairs => {
        const left = withoutBypassCookie(pairs.map(([key, value]) => `${key}=${value}`).join(' ; ')) ?? ''
        const kept = pairs.filter(([key]) => key !== 'cutover-bypass').map(([key, value]) => `${key}=${value}`)
        expect(
          left
            .split(';')
            .map(pair => pair.trim())
            .filter(Boolean),
        ).toEqual(kept)
      }),
    )
  })
})
