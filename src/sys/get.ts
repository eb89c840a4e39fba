import { ReleaseError } from '../core/error.ts'
import { isInward } from '../core/loopback.ts'
import { type Answer, displayUrl, exchange } from './exchange.ts'
import type { ByteRange, Opened, OpenOptions } from './http.ts'
import { parseRetryAfter } from './retry.ts'

/** From a name to the server that has the file takes one or two. */
const mostRedirects = 5
const redirects: readonly number[] = [301, 302, 303, 307, 308]

/**
 * Open an address with `http:` or `https:` for reading: what sys/http.ts does with those.
 *
 * Redirects are followed, but not from TLS to none; to another origin goes nothing but the range, and not even back after that.
 * Errors: HTTP_FAILED, HTTP_SLOW, HTTP_REDIRECT, HTTP_ENCODED, PROXY_INVALID. Source: RFC 9110 §14, §15.3.7, §15.4.
 */
export async function openHttp(url: string, options: OpenOptions): Promise<Opened> {
  const asked = new URL(url)
  const { range, headers, ...waits } = options
  const ranged = range === undefined ? {} : { range: rangeHeader(range) }
  let at = asked
  let isTrusted = true
  for (let followed = 0; ; followed += 1) {
    const own = isTrusted ? headers : {}
    const answer = await exchange(at, { ...waits, method: 'GET', headers: { ...own, ...ranged } })
    if (!redirects.includes(answer.status)) return await openedAnswer(answer, { place: displayUrl(asked), range })
    await answer.finish()
    if (followed >= mostRedirects) throw redirectError(at, `leads on after ${mostRedirects} redirects`)
    at = nextAddress(at, answer.header('location'))
    isTrusted &&= at.origin === asked.origin
  }
}

/** Write a range as a request has it. */
export function rangeHeader({ start, end }: ByteRange): string {
  return `bytes=${start}-${end - 1}`
}

/**
 * Take an answer to a GET for what was asked for.
 *
 * Post: undefined when there is no such thing; else 200 or, for the range that was asked for, 206, and bytes as they are stored.
 * Errors: HTTP_FAILED (another status, another range), HTTP_ENCODED.
 */
export async function openedAnswer(
  answer: Answer,
  asked: { readonly place: string; readonly range: ByteRange | undefined },
): Promise<Opened> {
  const { status } = answer
  if (status === 404 || status === 410) {
    await answer.finish()
    return undefined
  }
  try {
    if (status !== 200 && status !== 206) throw refusal(answer, asked.place)
    assertOwnEncoding(answer, asked.place)
    if (status === 206) assertRange(answer, asked)
    const length = answer.header('content-length')
    return {
      status,
      sizeBytes: length === undefined ? undefined : Number(length),
      etag: answer.header('etag'),
      body: answer.body,
    }
  } catch (caught) {
    await answer.finish()
    throw caught
  }
}

function refusal({ status, header }: Answer, place: string): ReleaseError {
  const retryAfterMs = parseRetryAfter(header('retry-after'), Date.now())
  return new ReleaseError('HTTP_FAILED', `${place} answered ${status}`, {
    details: { url: place, status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  })
}

/** Nobody asked for another encoding. Some servers take an archive's own compression for one, and send it as it is. */
function assertOwnEncoding({ header }: Answer, place: string): void {
  const encoding = header('content-encoding')?.trim().toLowerCase() ?? 'identity'
  const isOwn = (/gzip$/.test(encoding) && /\.t?gz$/.test(place)) || (encoding === 'zstd' && /\.zst$/.test(place))
  if (encoding === 'identity' || isOwn) return
  throw new ReleaseError('HTTP_ENCODED', `${place} was sent as ${JSON.stringify(encoding.slice(0, 40))}`, {
    details: { url: place, encoding: encoding.slice(0, 40) },
  })
}

function assertRange(answer: Answer, { place, range }: { place: string; range: ByteRange | undefined }): void {
  const told = answer.header('content-range')
  const [, start, last] = /^bytes (\d+)-(\d+)\//.exec(told ?? '') ?? []
  // Who does not say which range it is, is believed until the digests.
  if (range !== undefined && (told === undefined || (Number(start) === range.start && Number(last) < range.end))) return
  const shown = JSON.stringify((told ?? '').slice(0, 80))
  const wanted = range === undefined ? 'the whole' : `bytes ${range.start}-${range.end - 1}`
  throw new ReleaseError('HTTP_FAILED', `${place} answered with the range ${shown}, expected ${wanted}`, {
    details: { url: place, status: answer.status },
  })
}

function nextAddress(base: URL, location: string | undefined): URL {
  const url = location !== undefined && URL.canParse(location, base) ? new URL(location, base) : undefined
  if (url === undefined) throw redirectError(base, 'does not say where to go on')
  const isSecure = url.protocol === 'https:' || (url.protocol === 'http:' && base.protocol === 'http:')
  // A server out there has nothing to ask of services that listen for this machine alone.
  const isAllowed = isSecure && (!isInward(url.hostname) || isInward(base.hostname))
  if (isAllowed && url.username === '' && url.password === '') return url
  throw redirectError(base, `leads to ${displayUrl(url)}`)
}

function redirectError(url: URL, what: string): ReleaseError {
  return new ReleaseError('HTTP_REDIRECT', `${displayUrl(url)} ${what}`, { details: { url: displayUrl(url) } })
}
