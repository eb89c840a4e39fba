import { ReleaseError } from '../../core/error.ts'
import { isLoopback } from '../../core/loopback.ts'
import { basicHeader } from '../../registry/token.ts'
import { type Answer, displayUrl, type ExchangeOptions, exchange } from '../../sys/exchange.ts'
import { resolveUrl } from '../../sys/http.ts'
import { isPassingFailure, isPassingStatus, longestAttempts, parseRetryAfter, retryDelayMs } from '../../sys/retry.ts'
import { findNetrcCredentials } from './netrc.ts'
import type { Environment, TransferTools } from './tools.ts'

/** One request to a WebDAV server. */
export interface DavRequest {
  readonly method: ExchangeOptions['method']
  readonly key: string
  /** Statuses that the caller deals with; every other one is an error. */
  readonly expect: readonly number[]
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: ExchangeOptions['body']
  readonly signal?: AbortSignal | undefined
  readonly attempts?: number
  readonly idleTimeoutMs?: number
}

/** An answer, and which attempt got it: one before may have done what it asked for. */
export interface DavAnswer extends Answer {
  readonly attempt: number
}

const mostRedirects = 5
const redirects: readonly number[] = [301, 302, 303, 307, 308]

/**
 * Speaks to a WebDAV server below one address.
 *
 * Credentials come from a netrc file and go to that address's own origin (scheme, host, port) alone, over TLS or loopback. Redirects are
 * followed for reading only.
 */
export class DavClient {
  /** The address without what may be secret. */
  readonly name: string
  readonly #base: URL
  readonly #authorization: string | undefined
  readonly #tools: TransferTools

  /** Errors: TARGET_CREDENTIALS (a password in the address, or on its way without TLS), TARGET_UNKNOWN (a query). */
  constructor(base: URL, environment: Environment, tools: TransferTools) {
    this.name = displayUrl(base)
    if (base.username !== '' || base.password !== '') {
      throw new ReleaseError(
        'TARGET_CREDENTIALS',
        `the address of ${this.name} holds credentials, which logs and process lists would show`,
      )
    }
    if (base.search !== '' || base.hash !== '') {
      throw new ReleaseError(
        'TARGET_UNKNOWN',
        `the address of ${this.name} has a query, and objects have their places below a path`,
      )
    }
    const credentials = findNetrcCredentials(base, environment)
    if (credentials !== undefined && base.protocol === 'http:' && !isLoopback(base.hostname)) {
      throw new ReleaseError('TARGET_CREDENTIALS', `the password for ${this.name} would be sent without TLS`)
    }
    this.#base = base
    this.#authorization = credentials === undefined ? undefined : basicHeader({ kind: 'password', ...credentials })
    this.#tools = tools
  }

  /** The address of a key. */
  urlOf(key: string): URL {
    return new URL(resolveUrl(`${this.#base.origin}${this.#base.pathname}`, key))
  }

  /**
   * Make a request, and again where a failure may pass.
   *
   * Post: the status is one of `expect`; the body is the caller's to read or finish.
   * Errors: TARGET_REFUSED, TARGET_UNAVAILABLE, HTTP_FAILED, the signal's reason.
   */
  async send(request: DavRequest): Promise<DavAnswer> {
    const attempts = request.attempts ?? longestAttempts
    for (let attempt = 1; ; attempt += 1) {
      let answer: Answer | undefined
      try {
        answer = await this.#follow(request)
        if (request.expect.includes(answer.status)) return { ...answer, attempt }
        await answer.finish()
        if (!isPassingStatus(answer.status) || attempt >= attempts) throw refusal(this.name, request, answer.status)
      } catch (caught) {
        request.signal?.throwIfAborted()
        if (attempt >= attempts || !isPassingFailure(caught)) throw caught
      }
      await this.#pause(attempt, answer, request.signal)
    }
  }

  /** Make a request whose answer's body does not matter; tells the status. Errors: those of {@link send}. */
  async ask(request: DavRequest): Promise<DavAnswer> {
    const answer = await this.send(request)
    await answer.finish()
    return answer
  }

  /**
   * Make a request that puts something at a key, with the folders above it when they are not there.
   *
   * nginx makes them by itself (`create_full_put_path`), the standard does not. Errors: those of {@link send}.
   * Source: RFC 4918 §9.7.1, §9.9.4 (409: a folder is missing), §9.3.1 (405: it is there).
   */
  async write(request: DavRequest, key: string = request.key): Promise<DavAnswer> {
    const answer = await this.ask({ ...request, expect: [...request.expect, 409] })
    if (answer.status !== 409) return answer
    const names = key.split('/').slice(0, -1)
    for (let depth = 1; depth <= names.length; depth += 1) {
      await this.ask({ method: 'MKCOL', key: `${names.slice(0, depth).join('/')}/`, expect: [201, 405] })
    }
    return await this.ask(request)
  }

  /** Wait before the next attempt. Errors: TARGET_UNAVAILABLE (the server asks for too long a wait), the signal's reason. */
  async #pause(attempt: number, answer: Answer | undefined, signal: AbortSignal | undefined): Promise<void> {
    const retryAfterMs = parseRetryAfter(answer?.header('retry-after'), this.#tools.clock.nowMs())
    const delayMs = retryDelayMs(attempt, retryAfterMs, this.#tools.random())
    if (delayMs === undefined) {
      const seconds = Math.ceil((retryAfterMs ?? 0) / 1000)
      throw new ReleaseError('TARGET_UNAVAILABLE', `${this.name} asks to come again in ${seconds} s`, {
        details: { url: this.name, retryAfterSeconds: seconds },
      })
    }
    await this.#tools.wait(delayMs, signal)
  }

  async #follow(request: DavRequest): Promise<Answer> {
    let url = this.urlOf(request.key)
    let isTrusted = true
    for (let followed = 0; ; followed += 1) {
      const answer = await this.#exchange(url, request, isTrusted)
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      if (!isRead || !redirects.includes(answer.status) || followed === mostRedirects) return answer
      await answer.finish()
      url = redirected(url, answer.header('location'))
      isTrusted &&= url.origin === this.#base.origin
    }
  }

  #exchange(url: URL, request: DavRequest, isTrusted: boolean): Promise<Answer> {
    const { method, body, signal, idleTimeoutMs } = request
    const authorization = isTrusted ? this.#authorization : undefined
    return exchange(url, {
      method,
      body,
      headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
      ...(signal === undefined ? {} : { signal }),
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    })
  }
}

function redirected(from: URL, location: string | undefined): URL {
  const url = location !== undefined && URL.canParse(location, from) ? new URL(location, from) : undefined
  const isAllowed = url?.protocol === 'https:' || (url?.protocol === 'http:' && from.protocol === 'http:')
  if (url !== undefined && isAllowed && url.username === '' && url.password === '') return url
  const to = url === undefined ? 'nowhere' : displayUrl(url)
  throw new ReleaseError('TARGET_REFUSED', `${displayUrl(from)} leads to ${to}`, { details: { url: displayUrl(from) } })
}

/** Which setting of a server is wanted where it refuses a method. */
const davHint =
  'let the server write: nginx wants `dav_methods PUT DELETE MKCOL MOVE; create_full_put_path on; client_max_body_size 0;`'

function refusal(name: string, { method, key }: DavRequest, status: number): ReleaseError {
  const message = `${name}: ${method} ${key} was answered ${status}`
  const details = { url: name, key, method, status }
  if (isPassingStatus(status)) return new ReleaseError('TARGET_UNAVAILABLE', message, { details })
  const isMethod = status === 405 || status === 501 || status === 413
  return new ReleaseError('TARGET_REFUSED', message, { details, ...(isMethod ? { hint: davHint } : {}) })
}
