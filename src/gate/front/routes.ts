/** How requests are shared out between the live release and one beside it that is looked at. */
export interface Routing {
  /** The share of the clients that get the release beside, 0 to 1; those who ask for it get it at any rate. */
  readonly share: number
  /** The cookie that keeps a client with the release it met: `old` or `new`. */
  readonly cookie: string
  readonly cookieSeconds: number
  /** What makes one trial choose other addresses than the next; anything that is its own. */
  readonly salt: string
}

/** What is known of who sends a request. */
export interface RoutedRequest {
  /** The field Cookie. */
  readonly cookies: string | undefined
  /** Undefined where nobody knows. */
  readonly address: string | undefined
}

/** Which release a request goes to, and what its client is to remember. */
export interface Route {
  readonly isBeside: boolean
  /** The value of a field Set-Cookie; undefined for a client that has one. */
  readonly setCookie: string | undefined
}

/**
 * Choose the release of a request.
 *
 * Pure but for `random`, from 0 to 1. A client that has the cookie stays where it was, whatever the share. One that takes cookies and has none of ours is
 * drawn; one that shows no cookie may never take any and is chosen by its address: always alike, and when the share grows nobody goes back.
 */
export function chooseRoute({ cookies, address }: RoutedRequest, routing: Routing, random: () => number): Route {
  const known = cookies === undefined ? undefined : cookieOf(cookies, routing.cookie)
  if (known === 'new' || known === 'old') return { isBeside: known === 'new', setCookie: undefined }
  const place = cookies === undefined && address !== undefined ? placeOf(`${routing.salt} ${address}`) : random()
  const isBeside = place < routing.share
  return { isBeside, setCookie: cookieText(routing, isBeside ? 'new' : 'old') }
}

function cookieText({ cookie, cookieSeconds }: Routing, value: 'old' | 'new'): string {
  return `${cookie}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${cookieSeconds}`
}

/** The value of a cookie, of several the first. Source: RFC 6265 §5.4. */
function cookieOf(cookies: string, name: string): string | undefined {
  for (const pair of cookies.split(';')) {
    const equals = pair.indexOf('=')
    if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}

/** A number from 0 to 1 that follows from a text, spread evenly. Source: FNV-1a with the last mixing of MurmurHash3. */
function placeOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
