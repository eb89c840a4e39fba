/** How the body of a request is delimited. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly sizeBytes: number }
  | { readonly kind: 'chunked' }

/** A request head as far as framing depends on it. `rawHeaders` is name, value, name, value, as received. */
export interface FramingHead {
  readonly httpVersion: string
  readonly rawHeaders: readonly string[]
}

/** What was found: the framing, or the status and the words to refuse the request with. */
export type FramingResult =
  | { readonly kind: 'ok'; readonly framing: Framing }
  | { readonly kind: 'refused'; readonly status: 400 | 501 | 505; readonly why: string }

/**
 * Find out how a request's body is delimited, refusing whatever two parsers could read differently.
 *
 * Node's parser already refuses a length beside chunks, repeated or malformed lengths, folded lines, bare CR and LF, and space before
 * the colon. Here falls what it lets through: codings other than `chunked`, chunks in HTTP/1.0, two Host fields, unknown versions.
 * Source: RFC 9112 §3.2, §6.1, §6.3.
 */
export function framingOf(head: FramingHead): FramingResult {
  if (head.httpVersion !== '1.1' && head.httpVersion !== '1.0') return refused(505, 'only HTTP/1.1 and 1.0 are spoken')
  const found = framingFields(head.rawHeaders)
  if (found.hosts > 1) return refused(400, 'more than one Host field')
  if (found.codings.length > 0) return chunkedFraming(head.httpVersion, found)
  const length = found.lengths[0]
  if (length === undefined) return ok({ kind: 'none' })
  if (found.lengths.length > 1 || !/^\d{1,15}$/.test(length)) return refused(400, 'Content-Length is not one number')
  const sizeBytes = Number(length)
  return ok(sizeBytes === 0 ? { kind: 'none' } : { kind: 'length', sizeBytes })
}

interface FramingFields {
  readonly hosts: number
  readonly lengths: readonly string[]
  readonly codings: readonly string[]
}

function framingFields(rawHeaders: readonly string[]): FramingFields {
  let hosts = 0
  const lengths: string[] = []
  const codings: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!
    // Only these three lengths can be one of the names: most fields need no lower-casing.
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
    else if (name.length === 14 && name.toLowerCase() === 'content-length') lengths.push(rawHeaders[index + 1]!)
    else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') codings.push(rawHeaders[index + 1]!)
  }
  return { hosts, lengths, codings }
}

function chunkedFraming(httpVersion: string, found: FramingFields): FramingResult {
  if (httpVersion === '1.0') return refused(400, 'Transfer-Encoding in HTTP/1.0')
  if (found.lengths.length > 0) return refused(400, 'Transfer-Encoding beside Content-Length')
  if (found.codings.length > 1 || found.codings[0]!.trim().toLowerCase() !== 'chunked') {
    return refused(501, 'a transfer coding other than chunked')
  }
  return ok({ kind: 'chunked' })
}

function ok(framing: Framing): FramingResult {
  return { kind: 'ok', framing }
}

function refused(status: 400 | 501 | 505, why: string): FramingResult {
  return { kind: 'refused', status, why }
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
