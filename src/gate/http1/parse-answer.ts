import { fieldBits } from './field-names.ts'
import { type Fields, parseFields } from './fields.ts'
import type { AnswerFraming, AnswerHead, RequestHead } from './message.ts'
import { parseLength } from './parse-request.ts'

const statusLine = /HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n/y

/** Fields of one answer: more is no answer but a fault. */
const longestFields = 1000

/**
 * Read the head of an answer, as strictly as that of a request: an application that is not clear gets a 502 in its place.
 *
 * Pre: the text is latin1 and its empty line is its end. Post: undefined when it is no answer to the request.
 * Source: RFC 9112 §4 (status line), §6.3 (framing); RFC 9110 §15.2.2 (101).
 */
export function parseAnswerHead(
  text: string,
  request: Pick<RequestHead, 'method' | 'upgrade'>,
): AnswerHead | undefined {
  statusLine.lastIndex = 0
  const line = statusLine.exec(text)
  if (line === null) return undefined
  const status = Number(line[2])
  const fields = parseFields(text, statusLine.lastIndex)
  if (fields === undefined || fields.count > longestFields) return undefined
  const isNew = line[1] === '1'
  const framing = framingOf(fields, { status, isNew, request })
  if (framing === undefined) return undefined
  return {
    status,
    reason: line[3] ?? '',
    fields,
    framing,
    persists: isNew && framing.kind !== 'close' && !fields.connectionOptions().includes('close'),
  }
}

interface AnswerContext {
  readonly status: number
  readonly isNew: boolean
  readonly request: Pick<RequestHead, 'method' | 'upgrade'>
}

function framingOf(fields: Fields, { status, isNew, request }: AnswerContext): AnswerFraming | undefined {
  const said = saidFraming(fields, isNew)
  if (said === undefined) return undefined
  // A switch of protocols that nobody asked for cannot be followed.
  if (status === 101) return request.upgrade === undefined ? undefined : tunnel
  const isBodiless = status < 200 || status === 204 || status === 304 || request.method === 'HEAD'
  return isBodiless ? none : said
}

function saidFraming(fields: Fields, isNew: boolean): AnswerFraming | undefined {
  const lengths = fields.countOf(fieldBits.contentLength)
  if ((fields.bits & fieldBits.transferEncoding) !== 0) {
    const isOne = fields.countOf(fieldBits.transferEncoding) === 1
    const isChunked = isOne && fields.valueOf(fieldBits.transferEncoding)!.toLowerCase() === 'chunked'
    return isChunked && isNew && lengths === 0 ? chunked : undefined
  }
  if (lengths === 0) return close
  const sizeBytes = lengths === 1 ? parseLength(fields.valueOf(fieldBits.contentLength)!) : undefined
  if (sizeBytes === undefined) return undefined
  return sizeBytes === 0 ? none : { kind: 'length', sizeBytes }
}

const none: AnswerFraming = { kind: 'none' }
const chunked: AnswerFraming = { kind: 'chunked' }
const close: AnswerFraming = { kind: 'close' }
const tunnel: AnswerFraming = { kind: 'tunnel' }
