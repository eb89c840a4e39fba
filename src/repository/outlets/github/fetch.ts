import { ReleaseError } from '../../../core/error.ts'
import { displayUrl, type ExchangeOptions, exchange, readAnswer, type StreamedBody } from '../../../sys/exchange.ts'

const largestAnswerBytes = 32 * 1024 * 1024

/** A body that Octokit hands on untouched, for it is no plain object. */
export class AssetBody implements StreamedBody {
  readonly sizeBytes: number
  readonly pieces: () => AsyncIterable<Uint8Array>

  constructor(sizeBytes: number, pieces: () => AsyncIterable<Uint8Array>) {
    this.sizeBytes = sizeBytes
    this.pieces = pieces
  }
}

/** What Octokit asks of a `fetch`. */
export interface FetchInit {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | AssetBody
  readonly signal?: AbortSignal
}

/**
 * Make the `fetch` that Octokit works with: it sends the token to GitHub's API and its place for uploads and nowhere else, follows no redirect,
 * and reads no more than 32 MiB of an answer.
 *
 * Errors: GITHUB_REFUSED (an address that is not GitHub's, a redirect), HTTP_FAILED, HTTP_TOO_LARGE.
 */
export function githubFetch(apiUrl: URL): (address: string, init: FetchInit) => Promise<Response> {
  return async (address, { method, headers, body, signal }) => {
    const url = new URL(address)
    if (!isTrusted(url, apiUrl)) {
      throw new ReleaseError('GITHUB_REFUSED', `${apiUrl.origin} leads to ${displayUrl(url)}, which is not its own`, {
        details: { url: displayUrl(url) },
      })
    }
    const answer = await exchange(url, {
      method: method as ExchangeOptions['method'],
      headers: withoutLength(headers),
      ...(body === undefined ? {} : { body: typeof body === 'string' ? Buffer.from(body) : body }),
      ...(signal === undefined ? {} : { signal }),
    })
    if (answer.status >= 300 && answer.status < 400) {
      await answer.finish()
      throw new ReleaseError('GITHUB_REFUSED', `${displayUrl(url)} answered ${answer.status}: it is somewhere else`, {
        hint: 'name the repository as it is called now',
        details: { url: displayUrl(url), status: answer.status },
      })
    }
    const bytes = await readAnswer(answer, largestAnswerBytes, displayUrl(url))
    return new Response(bytes.byteLength === 0 ? null : bytes, {
      status: answer.status,
      headers: headersOf(answer.header),
    })
  }
}

/** Tell whether a token for an API may go to an address. Source: docs.github.com, "Upload a release asset" (`uploads.` beside `api.`). */
export function isTrusted(url: URL, apiUrl: URL): boolean {
  if (url.username !== '' || url.password !== '') return false
  if (url.origin === apiUrl.origin) return true
  const { protocol, host } = apiUrl
  return url.protocol === protocol && host.startsWith('api.') && url.host === `uploads.${host.slice('api.'.length)}`
}

/** The length of a streamed body is that of the body, whatever somebody says. */
function withoutLength(headers: FetchInit['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'content-length'))
}

/** What is read of an answer's headers, here or by Octokit. */
const wantedHeaders = ['content-type', 'link', 'retry-after', 'x-ratelimit-remaining', 'x-ratelimit-reset'] as const

function headersOf(header: (name: string) => string | undefined): Headers {
  const headers = new Headers()
  for (const name of wantedHeaders) {
    const value = header(name)
    if (value !== undefined) headers.set(name, value)
  }
  return headers
}
