import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseRoute, type RoutedRequest, type Routing } from '../../../../src/gate/front/routes.ts'

const routing: Routing = { share: 0.1, cookie: 'cutover-canary', cookieSeconds: 60, salt: '1.1.0' }
const never = () => {
  throw new Error('nobody is to be drawn')
}

/** The same numbers in each run. Source: Park and Miller, 1988. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

const addresses = (count: number) =>
  Array.from({ length: count }, (_, at) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`)
const visitor = (address: string): RoutedRequest => ({ cookies: undefined, address })
const share = (routes: readonly { readonly isBeside: boolean }[]) =>
  routes.filter(({ isBeside }) => isBeside).length / routes.length

describe('the version of a request', () => {
  it('is the new one for about the share of the clients, by address and by drawing', () => {
    const random = seeded(6)
    for (const wanted of [0.01, 0.1, 0.5, 0.9]) {
      const asked = { ...routing, share: wanted }
      const byAddress = addresses(5000).map(address => chooseRoute(visitor(address), asked, never))
      const drawn = addresses(5000).map(address => chooseRoute({ cookies: 'theme=dark', address }, asked, random))
      // Five standard deviations.
      const chance = 5 * Math.sqrt((wanted * (1 - wanted)) / 5000)
      for (const routes of [byAddress, drawn]) expect(Math.abs(share(routes) - wanted)).toBeLessThan(chance)
    }
  })

  it('is told to its client, who stays with it whatever becomes of the share', () => {
    const client = fc.record({ address: fc.ipV4(), others: fc.constantFrom(undefined, 'a=b', 'x=old; y=new') })
    const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(client, shares, fc.nat(), ({ address, others }, [first, ...later], seed) => {
        const met = chooseRoute({ cookies: others, address }, { ...routing, share: first! }, seeded(seed + 1))
        const told = met.setCookie!.split(';', 1)[0]!
        const cookies = others === undefined ? told : `${others}; ${told}`
        for (const share of later) {
          const again = chooseRoute({ cookies, address }, { ...routing, share }, never)
          expect(again).toEqual({ isBeside: met.isBeside, setCookie: undefined })
        }
      }),
    )
  })

  it('never goes back to the old one for a client without cookies while the share grows', () => {
    fc.assert(
      fc.property(
        fc.ipV6(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (address, a, b) => {
          const at = (share: number) => chooseRoute(visitor(address), { ...routing, share }, never).isBeside
          expect(at(Math.min(a, b)) && !at(Math.max(a, b))).toBe(false)
        },
      ),
    )
  })

  it('is the new one for who asks for it, and for all or nobody at the ends', () => {
    const at = (request: RoutedRequest, share: number) => chooseRoute(request, { ...routing, share }, () => 0.999_999)
    const asking = { cookies: 'a=1; cutover-canary=new', address: undefined }
    expect(at(asking, 0)).toEqual({ isBeside: true, setCookie: undefined })
    expect(at({ cookies: 'cutover-canary=old', address: undefined }, 1).isBeside).toBe(false)
    for (const request of [visitor('192.0.2.7'), { cookies: 'a=1', address: undefined }]) {
      expect(at(request, 0).isBeside).toBe(false)
      expect(at(request, 1).isBeside).toBe(true)
    }
  })

  it('is drawn for who has another cookie, or ours with another value, and is told as a cookie that scripts do not see', () => {
    for (const cookies of [
      '',
      'xcutover-canary=new',
      'cutover-canary=newest',
      'cutover-canary',
      'a="cutover-canary=new"',
    ]) {
      const { isBeside, setCookie } = chooseRoute({ cookies, address: '192.0.2.7' }, routing, () => 0.5)
      expect(isBeside).toBe(false)
      expect(setCookie).toBe('cutover-canary=old; Path=/; HttpOnly; SameSite=Lax; Max-Age=60')
    }
    expect(chooseRoute({ cookies: 'a=1', address: undefined }, routing, () => 0.05).setCookie).toContain('=new;')
  })

  it('is chosen for other addresses in another trial', () => {
    const chosen = (salt: string) =>
      addresses(2000).filter(address => chooseRoute(visitor(address), { ...routing, salt }, never).isBeside)
    const before = new Set(chosen('1.1.0'))
    const both = chosen('1.2.0').filter(address => before.has(address))
    expect(both.length).toBeLessThan(before.size / 2)
  })
})
