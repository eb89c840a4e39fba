import { ReleaseError } from '../core/error.ts'
import { type Answer, displayUrl, type ExchangeOptions, exchange, readAnswer } from '../sys/exchange.ts'
import { isPassingStatus, longestAttempts } from '../sys/retry.ts'
import { Authorizer } from './authorizer.ts'
import { type Environment, findCredentials } from './credentials.ts'
import { findOrigin } from './origin.ts'
import type { RepositoryName } from './reference.ts'
import { type RegistryTools, retrying } from './retry.ts'

export interface ClientOptions {
  readonly name: RepositoryName
  /** What is going to be done: tokens are asked for no more than that. */
  readonly actions: 'pull' | 'pull,push'
  /** Speak without TLS to a registry that is not on loopback. */
  readonly plainHttp: boolean
  /** Where credentials are looked for, and what their helpers run with. */
  readonly environment: Environment
}

/** One request of the distribution API. */
export interface RegistryRequest {
  readonly method: ExchangeOptions['method']
  /** Below the repository, such as `manifests/latest`; or an address that the registry gave. */
  readonly to: string | URL
  /** What is being done, for errors: `push blob sha256:…`. */
  readonly what: string
  /** Statuses that the caller deals with; every other one is an error. */
  readonly expect: readonly number[]
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: ExchangeOptions['body']
  /** What a token must allow besides the client's own actions. */
  readonly scopes?: readonly string[]
  /** 1 when the caller itself tries again. */
  readonly attempts?: number
  /** How long this request may take, and who ends it, besides the client's own signal. */
  readonly waits?: Pick<ExchangeOptions, 'signal' | 'idleTimeoutMs' | 'pace'>
}

/** An answer, and the address that gave it: what it says of other addresses is relative to that one. */
export interface RegistryAnswer extends Answer {
  readonly url: URL
}

/** Redirects that are followed: from a registry to storage takes one. */
const mostRedirects = 5
const redirects: readonly number[] = [301, 302, 303, 307, 308]
const largestErrorBytes = 64 * 1024

/**
 * Open a connection to a repository of images: find its address and the credentials that are stored for it.
 *
 * Errors: HTTP_FAILED, REGISTRY_CREDENTIALS.
 */
export async function openClient(options: ClientOptions, tools: RegistryTools): Promise<RegistryClient> {
  const { name, plainHttp, environment } = options
  const origin = await findOrigin(name.registry, { plainHttp, signal: tools.signal })
  const credentials = await findCredentials(name, environment, tools)
  return new RegistryClient(options, new Authorizer(origin, credentials, tools), { origin, tools })
}

/**
 * Speaks to one repository of a registry.
 *
 * Credentials go to the registry's own origin (scheme, host, port) and to the token server that it names, never to where a redirect or an
 * upload's Location leads beside it, and not even back after such a redirect. TLS is never left again.
 */
export class RegistryClient {
  readonly name: RepositoryName
  readonly tools: RegistryTools
  readonly #origin: URL
  readonly #authorizer: Authorizer
  readonly #scope: string

  constructor(options: ClientOptions, authorizer: Authorizer, place: { origin: URL; tools: RegistryTools }) {
    this.name = options.name
    this.tools = place.tools
    this.#origin = place.origin
    this.#authorizer = authorizer
    this.#scope = `repository:${options.name.repository}:${options.actions}`
  }

  /**
   * Make a request, with credentials as they are asked for, and again where a failure may pass.
   *
   * Post: the status is one of `expect`; the body is the caller's to read or finish.
   * Errors: REGISTRY_AUTH, REGISTRY_UNKNOWN (404), REGISTRY_UNAVAILABLE, REGISTRY_REFUSED, REGISTRY_PROTOCOL, REGISTRY_INSECURE, HTTP_FAILED.
   */
  async send(request: RegistryRequest): Promise<RegistryAnswer> {
    let last = this.#resolve(request.to)
    const answer = await retrying(this.tools, request.attempts ?? longestAttempts, async () => {
      const given = await this.#authorized(request)
      last = given.url
      return given
    })
    if (request.expect.includes(answer.status)) return { ...answer, url: last }
    throw await this.#refusal(request, answer)
  }

  /**
   * Read an address that the registry gave: a Location or a Link. Relative ones belong to the request's own address; the query is kept.
   *
   * Errors: REGISTRY_PROTOCOL, REGISTRY_INSECURE. Source: RFC 9110 §10.2.2, distribution-spec §Pushing blobs.
   */
  follow(text: string | undefined, base: URL): URL {
    if (text === undefined || !URL.canParse(text, base)) {
      throw new ReleaseError('REGISTRY_PROTOCOL', `${displayUrl(base)} does not say where to go on`, {
        details: { url: displayUrl(base) },
      })
    }
    const url = new URL(text, base)
    const isAllowed = url.protocol === 'https:' || (url.protocol === 'http:' && base.protocol === 'http:')
    if (!isAllowed || url.username !== '' || url.password !== '') {
      throw new ReleaseError('REGISTRY_INSECURE', `${displayUrl(base)} leads to ${displayUrl(url)}`, {
        details: { url: displayUrl(url) },
      })
    }
    return url
  }

  async #authorized(request: RegistryRequest): Promise<RegistryAnswer> {
    const scopes = [this.#scope, ...(request.scopes ?? [])]
    let url = this.#resolve(request.to)
    let isTrusted = url.origin === this.#origin.origin
    let used = isTrusted ? this.#authorizer.header(scopes) : undefined
    let [isAsked, followed] = [false, 0]
    for (;;) {
      const answer = await this.#exchange(url, request, isTrusted ? used : undefined)
      if (answer.status === 401 && isTrusted && !isAsked) {
        isAsked = true
        const header = await this.#authorizer.answer(answer.header('www-authenticate'), scopes, used)
        if (header === undefined) return { ...answer, url }
        used = header
      } else if (redirects.includes(answer.status) && (request.method === 'GET' || request.method === 'HEAD')) {
        followed += 1
        if (followed > mostRedirects) return { ...answer, url }
        url = this.follow(answer.header('location'), url)
        isTrusted &&= url.origin === this.#origin.origin
      } else {
        return { ...answer, url }
      }
      await answer.finish()
    }
  }

  #exchange(url: URL, request: RegistryRequest, authorization: string | undefined): Promise<Answer> {
    const { method, body, waits } = request
    const headers = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) }
    const own = this.tools.signal
    const signal = waits?.signal === undefined ? own : AbortSignal.any([own, waits.signal])
    return exchange(url, { ...waits, method, headers, body, signal })
  }

  #resolve(to: string | URL): URL {
    return typeof to === 'string' ? new URL(`/v2/${this.name.repository}/${to}`, this.#origin) : to
  }

  async #refusal(request: RegistryRequest, answer: Answer): Promise<ReleaseError> {
    const { status } = answer
    const codes = await errorCodes(answer)
    const told = codes.length === 0 ? '' : ` (${codes.join(', ')})`
    const message = `${this.name.registry}/${this.name.repository}: ${request.what}: answered ${status}${told}`
    const details = { registry: this.name.registry, repository: this.name.repository, status, codes }
    if (status === 401 || status === 403) return new ReleaseError('REGISTRY_AUTH', message, { details })
    if (status === 404) return new ReleaseError('REGISTRY_UNKNOWN', message, { details })
    if (isPassingStatus(status)) return new ReleaseError('REGISTRY_UNAVAILABLE', message, { details })
    return new ReleaseError('REGISTRY_REFUSED', message, { details })
  }
}

/** The codes of a registry's error, without its free text: that may quote the request. Source: distribution-spec §Error codes. */
async function errorCodes(answer: Answer): Promise<readonly string[]> {
  try {
    const value: unknown = JSON.parse((await readAnswer(answer, largestErrorBytes, 'an error')).toString())
    const errors = (value as { readonly errors?: unknown }).errors
    if (!Array.isArray(errors)) return []
    const codes = errors.map(error => String((error as { readonly code?: unknown } | null)?.code))
    return codes.filter(code => /^[A-Z_]{1,64}$/.test(code)).slice(0, 8)
  } catch {
    // Whatever stands there explains the status at best: the status alone is the error.
    return []
  }
}
