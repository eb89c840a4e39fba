import { parseFields } from '../http1/fields.ts'
import type { RequestHead } from '../http1/message.ts'
import { parseRequestHead, type Refusal } from '../http1/parse-request.ts'

/** A head of HTTP/2: names, pseudo fields among them, and values in turn, as they came. */
export type RawFields = readonly string[]

/**
 * Read the head of a request of HTTP/2.
 *
 * It is written down as the request of HTTP/1.1 that it stands for, and that is read as strictly as any other: what could be told from it
 * in two ways is refused here too. Pre: names are in lower case. Post: cookies are one field; `framing` is `chunked` for a body of unknown
 * length. Source: RFC 9113 §8.1.1 (malformed), §8.2 (fields), §8.3.1 (pseudo fields).
 */
export function parseStreamHead(
  raw: RawFields,
  options: { readonly endsStream: boolean; readonly fields: number; readonly headBytes: number },
): RequestHead | Refusal {
  if (raw.reduce((sizeBytes, text) => sizeBytes + text.length, 0) > options.headBytes) {
    return { status: 431, why: 'its head is too long' }
  }
  if (!raw.every(isOneLine)) return malformed('a field has the end of a line in it')
  const pseudo = pseudoFields(raw)
  if (pseudo === undefined) return malformed('a pseudo field is missing, repeated, unknown or late')
  if (!pseudo.path.startsWith('/') && pseudo.path !== '*') return malformed('the path is no path')
  const fields = ordinaryFields(raw)
  if (typeof fields === 'string') return malformed(fields)
  const host = pseudo.authority ?? fields.host
  if (fields.host !== undefined && fields.host !== host) return malformed('Host is not the authority')
  const { length } = fields
  if (options.endsStream && length !== undefined && length !== '0')
    return malformed('a body is told of and there is none')
  const framing = options.endsStream || length !== undefined ? '' : 'transfer-encoding: chunked\r\n'
  const start = `${pseudo.method} ${pseudo.path} HTTP/1.1\r\nhost: ${host ?? ''}\r\n`
  const head = parseRequestHead(`${start}${fields.lines}${framing}\r\n`, { fields: options.fields + 2 })
  return 'status' in head ? head : { ...head, httpVersion: '2' }
}

/** Read trailers of HTTP/2 as fields; undefined when they are none: a pseudo field, or one that is malformed. Source: RFC 9113 §8.1. */
export function parseStreamTrailers(raw: RawFields) {
  if (!raw.every(isOneLine)) return undefined
  let lines = ''
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (!lowerToken.test(raw[index]!)) return undefined
    lines += `${raw[index]}: ${raw[index + 1]}\r\n`
  }
  return parseFields(`${lines}\r\n`, 0)
}

interface PseudoFields {
  readonly method: string
  readonly path: string
  readonly authority: string | undefined
}

const pseudoNames: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority'])

/** Read the pseudo fields; undefined unless each that is needed is there once, none is unknown, and all are before the others. */
function pseudoFields(raw: RawFields): PseudoFields | undefined {
  const found = new Map<string, string>()
  let isOver = false
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!
    if (!name.startsWith(':')) {
      isOver = true
      continue
    }
    if (isOver || !pseudoNames.has(name) || found.has(name)) return undefined
    found.set(name, raw[index + 1]!)
  }
  const [method, path, scheme] = [found.get(':method'), found.get(':path'), found.get(':scheme')]
  if (method === undefined || path === undefined || (scheme !== 'https' && scheme !== 'http')) return undefined
  return { method, path, authority: found.get(':authority') }
}

interface OrdinaryFields {
  /** All but Host, with the cookies as one. */
  readonly lines: string
  readonly host: string | undefined
  readonly length: string | undefined
}

/** Fields that HTTP/2 has no place for. Source: RFC 9113 §8.2.2. */
const connectionSpecific: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** A name of HTTP/2. A colon in it would be the end of another one in HTTP/1.1. */
const lowerToken = /^[a-z0-9!#$%&'*+.^_`|~-]+$/

/** Read the other fields, or say why they are malformed. */
function ordinaryFields(raw: RawFields): OrdinaryFields | string {
  let lines = ''
  let host: string | undefined
  let length: string | undefined
  const cookies: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name, value] = [raw[index]!, raw[index + 1]!]
    if (name.startsWith(':')) continue
    if (!lowerToken.test(name)) return 'the name of a field is malformed'
    if (connectionSpecific.has(name) || (name === 'te' && value.toLowerCase() !== 'trailers')) {
      return 'a field belongs to connections of HTTP/1'
    }
    if (name === 'host') {
      if (host !== undefined) return 'more than one Host field'
      host = value
      continue
    }
    if (name === 'content-length') length = value
    if (name === 'cookie') cookies.push(value)
    else lines += `${name}: ${value}\r\n`
  }
  if (cookies.length > 0) lines += `cookie: ${cookies.join('; ')}\r\n`
  return { lines, host, length }
}

function isOneLine(text: string): boolean {
  return !/[\r\n\0]/.test(text)
}

function malformed(why: string): Refusal {
  return { status: 400, why }
}
