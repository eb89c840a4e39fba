import { createHash, timingSafeEqual } from 'node:crypto'
import { compileNetworks } from '../edge/trust.ts'
import type { Exchange } from './exchange.ts'
import type { BypassSettings } from './settings.ts'

/** The field that shows the token, in lower case. It is for the gate and never sent on. */
export const bypassField = 'x-cutover-bypass'

/** The cookie that shows the token, for browsers. It is taken out of the field Cookie before that is sent on. */
export const bypassCookie = 'cutover-bypass'

/** Whether a request comes from somebody who may look at the application while others wait. */
export type Bypass = (exchange: Exchange) => boolean

/** Make ready to ask. A token is compared in constant time: how long that takes says nothing about it. */
export function compileBypass({ token, networks }: BypassSettings): Bypass {
  const listed = networks.length === 0 ? undefined : compileNetworks(networks)
  // An empty token would be shown by an empty field.
  const expected = token === undefined || token === '' ? undefined : digest(token)
  const shows = (text: string | undefined) =>
    expected !== undefined && text !== undefined && timingSafeEqual(digest(text), expected)
  return exchange => {
    if (listed?.includes(exchange.origin.remoteAddress) === true) return true
    if (expected === undefined) return false
    if (shows(exchange.field(bypassField))) return true
    const cookies = exchange.field('cookie')
    return cookies?.includes(bypassCookie) === true && cookiePairs(cookies).some(pair => shows(tokenOf(pair)))
  }
}

/** Take the token out of the value of a field Cookie; undefined when nothing is left of it. Source: RFC 6265 §5.4. */
export function withoutBypassCookie(cookies: string): string | undefined {
  if (!cookies.includes(bypassCookie)) return cookies
  const kept = cookiePairs(cookies).filter(pair => tokenOf(pair) === undefined)
  return kept.length === 0 ? undefined : kept.join('; ')
}

function cookiePairs(cookies: string): string[] {
  return cookies
    .split(';')
    .map(pair => pair.trim())
    .filter(pair => pair !== '')
}

function tokenOf(pair: string): string | undefined {
  const equals = pair.indexOf('=')
  return equals >= 0 && pair.slice(0, equals).trim() === bypassCookie ? pair.slice(equals + 1).trim() : undefined
}

/** Of one length whatever is compared. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
