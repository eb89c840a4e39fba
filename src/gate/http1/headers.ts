import type { Framing } from './framing.ts'

/** Fields that belong to one connection only. Source: RFC 9110 §7.6.1. `Trailer` goes with the trailers, which are not forwarded. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Fields that a client may not strip by naming them in `Connection`: framing and routing depend on them. */
const unstrippable: ReadonlySet<string> = new Set(['content-length', 'host', 'expect'])

/** Fields that say where a request came from; only a trusted peer's are believed. */
const forwarding: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
])

/** What is known of a request besides its fields. */
export interface RequestContext {
  readonly method: string
  readonly httpVersion: string
  readonly framing: Framing
  /** The peer's address; undefined on a unix socket. */
  readonly remoteAddress: string | undefined
  /** The host of an absolute request target, which wins over the Host field. */
  readonly targetHost: string | undefined
  /** The protocol to upgrade to, when the request asks for it. */
  readonly upgrade: string | undefined
}

/**
 * Make the fields of the request to the application: hop-by-hop fields out, Via and X-Forwarded-* in, case and repetitions kept.
 *
 * What a peer on this machine says of the original client is believed (a TLS terminator in front), what others say is replaced. Ours are
 * added after fields named in `Connection` are removed, so that no client can strip them.
 * Shape: name, value, name, value. Source: RFC 9110 §7.6.1 (Connection), §7.6.3 (Via).
 */
export function requestHeaders(raw: readonly string[], context: RequestContext): string[] {
  const isTrusted = isLocalPeer(context.remoteAddress)
  const named = namedByConnection(raw)
  const out: string[] = []
  const seen: Seen = { host: context.targetHost, forwardedFor: [], forwardedHost: false, forwardedProto: false }
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!
    const lower = name.toLowerCase()
    const value = raw[index + 1]!
    if (hopByHop.has(lower) || (named.has(lower) && !unstrippable.has(lower))) continue
    if (lower === 'host') {
      seen.host ??= value
      continue
    }
    if (forwarding.has(lower) && !(isTrusted && keepForwarding(lower, value, seen))) continue
    if (lower === 'content-length' && context.framing.kind !== 'length') continue
    out.push(name, value)
  }
  addFraming(out, context)
  addForwarding(out, context, seen)
  return out
}

/** Make the fields of the answer to the client: hop-by-hop fields out, `Connection: close` in when `closes`. */
export function responseHeaders(raw: readonly string[], closes: boolean): string[] {
  const named = namedByConnection(raw)
  const out: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!
    const lower = name.toLowerCase()
    if (hopByHop.has(lower) || (named.has(lower) && !unstrippable.has(lower))) continue
    out.push(name, raw[index + 1]!)
  }
  if (closes) out.push('Connection', 'close')
  return out
}

/** Tell whether a peer is on this machine. */
export function isLocalPeer(remoteAddress: string | undefined): boolean {
  return remoteAddress === undefined || remoteAddress === '::1' || /^(?:::ffff:)?127\./.test(remoteAddress)
}

interface Seen {
  host: string | undefined
  forwardedFor: string[]
  forwardedHost: boolean
  forwardedProto: boolean
}

/** Note what a trusted peer says; true when the field is to be sent on as it is. */
function keepForwarding(lower: string, value: string, seen: Seen): boolean {
  if (lower === 'x-forwarded-for') {
    seen.forwardedFor.push(value)
    return false
  }
  if (lower === 'x-forwarded-host') seen.forwardedHost = true
  if (lower === 'x-forwarded-proto') seen.forwardedProto = true
  return true
}

const nothingNamed: ReadonlySet<string> = new Set()

function namedByConnection(raw: readonly string[]): ReadonlySet<string> {
  let named: Set<string> | undefined
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]!.length !== 10 || raw[index]!.toLowerCase() !== 'connection') continue
    named ??= new Set()
    for (const option of raw[index + 1]!.split(',')) named.add(option.trim().toLowerCase())
  }
  return named ?? nothingNamed
}

/** Methods for which no body is the usual case, so that its absence needs no `Content-Length: 0`. Source: RFC 9110 §8.6. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

function addFraming(out: string[], context: RequestContext): void {
  if (context.upgrade !== undefined) out.push('Connection', 'Upgrade', 'Upgrade', context.upgrade)
  else if (context.framing.kind === 'chunked') out.push('Transfer-Encoding', 'chunked')
  else if (context.framing.kind === 'none' && !bodiless.has(context.method)) out.push('Content-Length', '0')
}

function addForwarding(out: string[], context: RequestContext, seen: Seen): void {
  const host = seen.host ?? ''
  out.push('Host', host, 'Via', `${context.httpVersion} cutover`)
  const chain = context.remoteAddress === undefined ? seen.forwardedFor : [...seen.forwardedFor, context.remoteAddress]
  if (chain.length > 0) out.push('X-Forwarded-For', chain.join(', '))
  if (!seen.forwardedHost && host !== '') out.push('X-Forwarded-Host', host)
  if (!seen.forwardedProto) out.push('X-Forwarded-Proto', 'http')
}
