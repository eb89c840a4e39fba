import { byteOf, characterBits, characterClasses } from './characters.ts'
import { fieldBits } from './field-names.ts'
import { type Fields, parseFields } from './fields.ts'
import type { Framing, RequestHead } from './message.ts'

/** Why a request is not served: the status and the words to say it with. */
export interface Refusal {
  readonly status: 400 | 414 | 417 | 431 | 501 | 505
  readonly why: string
}

/**
 * Read the head of a request, refusing whatever two parsers could read differently.
 *
 * Pre: the text is latin1, its lines end with CR LF and the empty line is its end, as gate/http1/head-reader.ts makes sure of.
 * Source: RFC 9112 §3 (request line), §3.2 (target and Host), §5 (fields), §6 (framing); RFC 9110 §10.1.1 (Expect).
 */
export function parseRequestHead(text: string, limits: { readonly fields: number }): RequestHead | Refusal {
  const line = parseRequestLine(text)
  if ('status' in line) return line
  const fields = parseFields(text, line.end)
  if (fields === undefined) return refusal(400, 'a field is malformed')
  if (fields.count > limits.fields) return refusal(431, `more than ${limits.fields} fields`)
  const host = hostOf(fields, line)
  if (host === undefined) return refusal(400, 'the Host field is missing, repeated or no host')
  const framing = framingOf(fields, line.httpVersion)
  if ('status' in framing) return framing
  const expected = fields.valueOf(fieldBits.expect)?.toLowerCase()
  if (expected !== undefined && expected !== '100-continue') return refusal(417, 'an expectation that is not known')
  const isNew = line.httpVersion === '1.1'
  const options = fields.connectionOptions()
  return {
    method: line.method,
    target: line.target,
    host,
    httpVersion: line.httpVersion,
    fields,
    framing,
    upgrade: isNew && framing.kind === 'none' && options.includes('upgrade') ? upgradeOf(fields) : undefined,
    expectsContinue: isNew && expected !== undefined && framing.kind !== 'none',
    persists: isNew && !options.includes('close'),
  }
}

interface RequestLine {
  readonly method: string
  readonly target: string
  /** The authority of an absolute target. */
  readonly authority: string | undefined
  readonly httpVersion: '1.0' | '1.1'
  /** Where the first field begins. */
  readonly end: number
}

const versionStart = 'HTTP/'
const versionAndEnd = /HTTP\/(\d\.\d)\r\n/y

function parseRequestLine(text: string): RequestLine | Refusal {
  let at = 0
  while ((characterClasses[text.charCodeAt(at)]! & characterBits.token) !== 0) at += 1
  if (at === 0 || text.charCodeAt(at) !== byteOf.space) return refusal(400, 'the method is malformed')
  const method = text.slice(0, at)
  const targetStart = at + 1
  at = targetStart
  while ((characterClasses[text.charCodeAt(at)]! & characterBits.target) !== 0) at += 1
  if (at === targetStart || text.charCodeAt(at) !== byteOf.space || !text.startsWith(versionStart, at + 1)) {
    return refusal(400, 'the request line is malformed')
  }
  versionAndEnd.lastIndex = at + 1
  const httpVersion = versionAndEnd.exec(text)?.[1]
  if (httpVersion === undefined) return refusal(400, 'the version is malformed')
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return refusal(505, 'only HTTP/1.1 and 1.0 are spoken')
  if (method === 'CONNECT') return refusal(501, 'CONNECT is not served')
  const target = originForm(text.slice(targetStart, at))
  if (target === undefined || (target.path === '*' && method !== 'OPTIONS')) {
    return refusal(400, 'the request target is not a path')
  }
  return { method, target: target.path, authority: target.host, httpVersion, end: versionAndEnd.lastIndex }
}

/** A request target in origin form, with the host that an absolute form names. */
export interface Target {
  readonly path: string
  readonly host: string | undefined
}

/** Bring a request target into origin form; undefined when it is neither that, nor absolute, nor `*`. Source: RFC 9112 §3.2. */
export function originForm(target: string): Target | undefined {
  if (target.startsWith('/') || target === '*') return { path: target, host: undefined }
  const match = /^https?:\/\/([^/?#@\s]+)([/?].*)?$/i.exec(target)
  if (match === null) return undefined
  const rest = match[2] ?? '/'
  return { path: rest.startsWith('?') ? `/${rest}` : rest, host: match[1]! }
}

const hostPattern = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]*)(?::\d{0,5})?$/

/** The authority that a request is for; undefined when that is not one. An absolute target's wins. Source: RFC 9112 §3.2.2. */
function hostOf(fields: Fields, line: RequestLine): string | undefined {
  const count = fields.countOf(fieldBits.host)
  if (count > 1 || (count === 0 && line.httpVersion === '1.1')) return undefined
  const named = fields.valueOf(fieldBits.host) ?? ''
  if (!hostPattern.test(named)) return undefined
  if (line.authority === undefined) return named
  return hostPattern.test(line.authority) ? line.authority : undefined
}

/** Find out how a request's body is delimited. Source: RFC 9112 §6.1, §6.3. */
function framingOf(fields: Fields, httpVersion: string): Framing | Refusal {
  const lengths = fields.countOf(fieldBits.contentLength)
  if ((fields.bits & fieldBits.transferEncoding) !== 0) {
    if (httpVersion === '1.0') return refusal(400, 'Transfer-Encoding in HTTP/1.0')
    if (lengths > 0) return refusal(400, 'Transfer-Encoding beside Content-Length')
    const isOne = fields.countOf(fieldBits.transferEncoding) === 1
    if (isOne && fields.valueOf(fieldBits.transferEncoding)!.toLowerCase() === 'chunked') return chunked
    return refusal(501, 'a transfer coding other than chunked')
  }
  if (lengths === 0) return none
  const sizeBytes = lengths === 1 ? parseLength(fields.valueOf(fieldBits.contentLength)!) : undefined
  if (sizeBytes === undefined) return refusal(400, 'Content-Length is not one number')
  return sizeBytes === 0 ? none : { kind: 'length', sizeBytes }
}

const none: Framing = { kind: 'none' }
const chunked: Framing = { kind: 'chunked' }

/**
 * Read the value of a Content-Length; undefined when it is no number of at most 15 digits, or has zeros before it: it is passed on as it is,
 * and to some it would be octal.
 */
export function parseLength(value: string): number | undefined {
  return /^(?:0|[1-9]\d{0,14})$/.test(value) ? Number(value) : undefined
}

/** Other protocols may be left out: such a request is answered like any other. Source: RFC 9110 §7.8. */
function upgradeOf(fields: Fields): string | undefined {
  const protocol = fields.valueOf(fieldBits.upgrade)
  return protocol?.toLowerCase() === 'websocket' && fields.countOf(fieldBits.upgrade) === 1 ? protocol : undefined
}

function refusal(status: Refusal['status'], why: string): Refusal {
  return { status, why }
}
