import type { Answer } from '../answers/answer.ts'
import { bypassCookie, withoutBypassCookie } from '../front/bypass.ts'
import { fieldBits } from './field-names.ts'
import type { Fields } from './fields.ts'
import type { AnswerHead, RequestHead } from './message.ts'
import type { Peer } from './peer.ts'

/** Fields that belong to one connection only. Source: RFC 9110 §7.6.1. */
const hopByHop =
  fieldBits.connection |
  fieldBits.keepAlive |
  fieldBits.proxyConnection |
  fieldBits.te |
  fieldBits.transferEncoding |
  fieldBits.upgrade |
  fieldBits.http2Settings

/** Fields that say where a request came from; only a trusted peer's are believed. */
const forwarding =
  fieldBits.forwarded | fieldBits.forwardedFor | fieldBits.forwardedHost | fieldBits.forwardedProto | fieldBits.realIp

/** Of those, the ones that a gateway continues instead of passing them on. */
const continued = fieldBits.forwarded | fieldBits.forwardedFor

/** Fields that nobody may strip by naming them in `Connection`: framing and routing depend on them. */
const unstrippable = fieldBits.contentLength | fieldBits.host | fieldBits.expect

/** Fields that may not be in trailers: framing, routing and who somebody is are settled before a body. Source: RFC 9110 §6.5.1. */
const notInTrailers =
  hopByHop |
  forwarding |
  fieldBits.contentLength |
  fieldBits.host |
  fieldBits.expect |
  fieldBits.trailer |
  fieldBits.contentType |
  fieldBits.cookie |
  fieldBits.bypass |
  fieldBits.lookalike

/**
 * Write the head of the request to the application: hop-by-hop fields out, Via and X-Forwarded-* in, all others as they came.
 *
 * What a trusted peer says of the original client is believed (a TLS terminator in front), what others say is replaced. Ours are added after
 * fields named in `Connection` are removed, so that no client can strip them.
 * Source: RFC 9110 §7.6.1 (Connection), §7.6.3 (Via), §10.1.4 (TE); RFC 7239 §4 (Forwarded).
 */
export function requestHeadText(head: RequestHead, peer: Peer): string {
  const { fields, host } = head
  const believed = peer.isTrusted ? fields.bits & forwarding : 0
  const cookies = cookiesWithToken(fields)
  const dropped =
    hopByHop |
    fieldBits.host |
    fieldBits.lookalike |
    fieldBits.bypass |
    (cookies === undefined ? 0 : fieldBits.cookie) |
    (peer.isTrusted ? continued : forwarding) |
    droppedExpect(head)
  let text = `${head.method} ${head.target} HTTP/1.1\r\nHost: ${host}\r\n${keptLines(fields, dropped)}`
  if (cookies !== undefined) text += cookieLine(withoutBypassCookie(cookies))
  text += framingLines(head)
  text += believed === 0 && head.httpVersion === '1.1' ? peer.lines : forwardingLines(head, peer)
  if (host !== '' && (believed & fieldBits.forwardedHost) === 0) text += `X-Forwarded-Host: ${host}\r\n`
  return `${text}\r\n`
}

/** The cookies of a request, when the token that lets some pass while others wait is among them: the application is not to learn it. */
function cookiesWithToken(fields: Fields): string | undefined {
  if ((fields.bits & fieldBits.cookie) === 0) return undefined
  const cookies = fields.get('cookie')
  return cookies?.includes(bypassCookie) === true ? cookies : undefined
}

function cookieLine(cookies: string | undefined): string {
  return cookies === undefined ? '' : `Cookie: ${cookies}\r\n`
}

/** What goes into the head of an answer besides what the application said. */
export interface AnswerChanges {
  readonly closes: boolean
  /** The body is put into chunks of ours, or passed on in the application's. */
  readonly isChunked: boolean
  /** Name, value, name, value. */
  readonly added: readonly string[]
}

/** Write the head of the answer to a client of HTTP/1: hop-by-hop fields out, those of our own connection in. */
export function answerHeadText(head: AnswerHead, { closes, isChunked, added }: AnswerChanges): string {
  // A 204 or an interim answer has no length: some clients would wait for a body.
  const hasLength = head.status !== 204 && head.status >= 200
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`
  text += keptLines(head.fields, hasLength ? hopByHop : hopByHop | fieldBits.contentLength)
  for (let index = 0; index + 1 < added.length; index += 2) text += `${added[index]}: ${added[index + 1]}\r\n`
  if (head.framing.kind === 'tunnel') {
    text += `Connection: Upgrade\r\nUpgrade: ${head.fields.valueOf(fieldBits.upgrade) ?? ''}\r\n`
  } else if (closes) text += 'Connection: close\r\n'
  if (isChunked) text += 'Transfer-Encoding: chunked\r\n'
  return `${text}\r\n`
}

/** Write the head of an answer of the gate's own. */
export function ownHeadText(answered: Answer, closes: boolean): string {
  let text = `HTTP/1.1 ${answered.status} ${answered.reason}\r\n`
  for (const [name, value] of answered.headers) text += `${name}: ${value}\r\n`
  return closes && !answered.closes ? `${text}Connection: close\r\n\r\n` : `${text}\r\n`
}

/** Write the fields of an answer that are passed on to a client of HTTP/2: name, value, names in lower case. */
export function answerFields(head: AnswerHead): readonly (readonly [string, string])[] {
  return keptFields(head.fields, hopByHop | fieldBits.host)
}

/** Write the trailers that are passed on, as lines. */
export function trailerLines(trailers: Fields): string {
  return keptLines(trailers, notInTrailers)
}

/** The same as names and values. */
export function trailerFields(trailers: Fields): readonly (readonly [string, string])[] {
  return keptFields(trailers, notInTrailers)
}

function keptFields(fields: Fields, dropped: number): readonly (readonly [string, string])[] {
  const named = namedByConnection(fields)
  const kept: [string, string][] = []
  for (let index = 0; index < fields.count; index += 1) {
    if (!isDropped(fields, index, dropped, named)) kept.push([fields.name(index).toLowerCase(), fields.value(index)])
  }
  return kept
}

/** Lines that stay, cut out of the text in as few pieces as can be. */
function keptLines(fields: Fields, dropped: number): string {
  const named = namedByConnection(fields)
  if ((fields.bits & dropped) === 0 && named === undefined) return fields.text.slice(fields.start, fields.end)
  let kept = ''
  let runStart = fields.start
  for (let index = 0; index < fields.count; index += 1) {
    if (!isDropped(fields, index, dropped, named)) continue
    const start = fields.lineStart(index)
    if (start > runStart) kept += fields.text.slice(runStart, start)
    runStart = fields.lineEnd(index)
  }
  return runStart < fields.end ? kept + fields.text.slice(runStart, fields.end) : kept
}

function isDropped(fields: Fields, index: number, dropped: number, named: ReadonlySet<string> | undefined): boolean {
  const bit = fields.bit(index)
  if ((bit & dropped) !== 0) return true
  return named !== undefined && (bit & unstrippable) === 0 && named.has(fields.name(index).toLowerCase())
}

/** Options that name no field, or one that is dropped anyway. */
const plainOptions: ReadonlySet<string> = new Set(['', 'close', 'keep-alive', 'upgrade', 'te', 'http2-settings'])

function namedByConnection(fields: Fields): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined
  for (const option of fields.connectionOptions()) {
    if (plainOptions.has(option)) continue
    named ??= new Set()
    named.add(option)
  }
  return named
}

/** One that is not understood as an expectation (HTTP/1.0, or without a body) is not passed on as one. */
function droppedExpect(head: RequestHead): number {
  return head.expectsContinue ? 0 : fieldBits.expect
}

/** Methods for which no body is the usual case, so that its absence needs no `Content-Length: 0`. Source: RFC 9110 §8.6. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

function framingLines(head: RequestHead): string {
  if (head.upgrade !== undefined) return `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`
  let text = ''
  if (head.framing.kind === 'chunked') text = 'Transfer-Encoding: chunked\r\n'
  else if ((head.fields.bits & fieldBits.contentLength) === 0 && !bodiless.has(head.method)) {
    text = 'Content-Length: 0\r\n'
  }
  return wantsTrailers(head) ? `${text}TE: trailers\r\nConnection: TE\r\n` : text
}

function wantsTrailers(head: RequestHead): boolean {
  if ((head.fields.bits & fieldBits.te) === 0) return false
  return head.fields
    .get('te')!
    .toLowerCase()
    .split(',')
    .some(coding => coding.trim() === 'trailers')
}

/** The lines that say where a request came from, where they depend on the request. */
function forwardingLines({ fields, httpVersion }: RequestHead, peer: Peer): string {
  const isBelieved = peer.isTrusted
  const chain = isBelieved ? fields.get('x-forwarded-for') : undefined
  const forwarded = isBelieved ? fields.get('forwarded') : undefined
  let text = `Via: ${httpVersion} cutover\r\n${peer.forwardedFor(chain)}`
  if (forwarded !== undefined) text += peer.forwarded(forwarded)
  if (!isBelieved || (fields.bits & fieldBits.forwardedProto) === 0) text += peer.protoLine
  return text
}
