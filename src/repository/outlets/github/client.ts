import type { Octokit } from '@octokit/rest'
import { type Digest, Digester } from '../../../core/digest.ts'
import { ReleaseError } from '../../../core/error.ts'
import { formatDuration } from '../../../core/quantity.ts'
import { type Answer, displayUrl, exchange } from '../../../sys/exchange.ts'
import { isPassingFailure, longestAttempts, retryDelayMs } from '../../../sys/retry.ts'
import type { OutletTools } from '../outlet.ts'
import { githubFetch, isTrusted } from './fetch.ts'
import type { GithubSettings } from './settings.ts'
import { type Patience, patienceOf } from './wait.ts'

/** A repository at GitHub. */
export interface RepositoryPath {
  readonly owner: string
  readonly repo: string
}

/** GitHub that asks for more patience than this is told of as an error: everything that arrived is kept. */
const longestWaitMs = 15 * 60_000
const mostRedirects = 5
const redirects: readonly number[] = [301, 302, 303, 307, 308]

/** Speaks to one repository of GitHub's API, with the token, and again where a failure may pass. */
export class GithubClient {
  readonly path: RepositoryPath
  readonly tools: OutletTools
  readonly #settings: GithubSettings
  readonly #octokit: Octokit

  private constructor(path: RepositoryPath, octokit: Octokit, place: { settings: GithubSettings; tools: OutletTools }) {
    this.path = path
    this.#octokit = octokit
    this.#settings = place.settings
    this.tools = place.tools
  }

  /** Open a repository. Nothing is sent yet. */
  static async open(path: RepositoryPath, settings: GithubSettings, tools: OutletTools): Promise<GithubClient> {
    // Loaded late: most uploads do not go to GitHub.
    const { Octokit } = await import('@octokit/rest')
    const silent = () => {}
    const octokit = new Octokit({
      auth: settings.token,
      baseUrl: settings.apiUrl.href.replace(/\/$/, ''),
      userAgent: 'cutover',
      request: { fetch: githubFetch(settings.apiUrl), signal: tools.signal },
      // What it would say there may quote a request.
      log: { debug: silent, info: silent, warn: silent, error: silent },
    })
    return new GithubClient(path, octokit, { settings, tools })
  }

  /**
   * Make a request that may be made twice, until its answer is not one that passes.
   *
   * Errors: those of {@link once}.
   */
  call<T>(what: string, request: (octokit: Octokit) => Promise<{ readonly data: T }>): Promise<T> {
    return this.retrying(() => this.once(what, request))
  }

  /**
   * Make a request once.
   *
   * Errors: GITHUB_AUTH, GITHUB_REFUSED, GITHUB_UNAVAILABLE, HTTP_FAILED. Their details have `status`, and `problems`, the codes that GitHub gave;
   * never its text, which may quote the request.
   */
  async once<T>(what: string, request: (octokit: Octokit) => Promise<{ readonly data: T }>): Promise<T> {
    this.tools.signal.throwIfAborted()
    try {
      return (await request(this.#octokit)).data
    } catch (caught) {
      throw this.#explain(what, caught)
    }
  }

  /**
   * Do something until it does not fail for a reason that passes, waiting as long as GitHub asks.
   *
   * Pre: `attempt` begins by looking how far an earlier one came. Errors: those of `attempt`; GITHUB_UNAVAILABLE when it lasts too long.
   */
  async retrying<T>(attempt: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await attempt()
      } catch (caught) {
        const error = passing(caught)
        if (error === undefined || this.tools.signal.aborted || failures >= longestAttempts) throw caught
        await this.#pause(error, failures)
      }
    }
  }

  /**
   * Digest an asset as a client gets it: from where GitHub leads to, without the token.
   *
   * Errors: GITHUB_REFUSED, GITHUB_UNAVAILABLE, HTTP_FAILED. Post: undefined when it has another size.
   */
  digestAsset(assetId: number, sizeBytes: number): Promise<Digest | undefined> {
    return this.retrying(async () => {
      const answer = await this.#download(assetId)
      const digester = new Digester()
      for await (const piece of answer.body) {
        if (digester.update(piece).sizeBytes > sizeBytes) return undefined
      }
      return digester.sizeBytes === sizeBytes ? digester.digest() : undefined
    })
  }

  async #download(assetId: number): Promise<Answer> {
    const { owner, repo } = this.path
    const { apiUrl, token } = this.#settings
    let url = new URL(`${apiUrl.href.replace(/\/$/, '')}/repos/${owner}/${repo}/releases/assets/${assetId}`)
    const { signal } = this.tools
    // It goes to the first address and to none after it, whatever that is.
    let authorization: Record<string, string> = { authorization: `token ${token}` }
    for (let followed = 0; ; followed += 1) {
      const headers = { accept: 'application/octet-stream', ...authorization }
      const answer = await exchange(url, { method: 'GET', headers, signal })
      if (answer.status === 200) return answer
      await answer.finish()
      if (!redirects.includes(answer.status) || followed >= mostRedirects) {
        const header = followed === 0 && isTrusted(url, apiUrl) ? answer.header : () => undefined
        throw this.#refusal(`download asset ${assetId}`, { status: answer.status, header, isAboutLimits: false }, [])
      }
      url = nextUrl(url, answer.header('location'))
      authorization = {}
    }
  }

  #explain(what: string, caught: unknown): unknown {
    const { response, cause, name } = caught as Partial<RequestFailure>
    // What our own fetch has thrown is wrapped by Octokit.
    if (cause instanceof ReleaseError) return cause
    if (name !== 'HttpError' || response === undefined) return caught
    const { status, headers, data } = response
    const header = (wanted: string) => (headers[wanted] === undefined ? undefined : String(headers[wanted]))
    const isAboutLimits = /rate-limit/.test(String(data?.documentation_url ?? ''))
    const problems = (Array.isArray(data?.errors) ? data.errors : [])
      .map(problem => String(problem?.code))
      .filter(code => /^[a-z_]{1,40}$/.test(code))
    return this.#refusal(what, { status, header, isAboutLimits }, problems)
  }

  #refusal(what: string, refusal: Parameters<typeof patienceOf>[0], problems: readonly string[]): ReleaseError {
    const { status } = refusal
    const { owner, repo } = this.path
    const patience: Patience = patienceOf(refusal, this.tools.clock.nowMs())
    const told = problems.length === 0 ? '' : ` (${problems.join(', ')})`
    const message = `${owner}/${repo}: ${what}: GitHub answered ${status}${told}`
    const details = { repository: `${owner}/${repo}`, status, problems }
    if (patience.kind === 'passing') {
      return new ReleaseError('GITHUB_UNAVAILABLE', message, { details: { ...details, retryAfterMs: patience.waitMs } })
    }
    if (status === 401 || status === 403) return new ReleaseError('GITHUB_AUTH', message, { details })
    return new ReleaseError('GITHUB_REFUSED', message, { details })
  }

  async #pause(error: ReleaseError, failures: number): Promise<void> {
    const { random, wait, signal, warn } = this.tools
    const asked = error.details['retryAfterMs']
    const waitMs = typeof asked === 'number' ? asked : retryDelayMs(failures, undefined, random())!
    if (waitMs > longestWaitMs) {
      throw new ReleaseError('GITHUB_UNAVAILABLE', `${error.message}, and asks to wait ${formatDuration(waitMs)}`, {
        cause: error,
        details: error.details,
      })
    }
    if (waitMs >= 10_000) warn('GITHUB_UNAVAILABLE', `GitHub asks to wait ${formatDuration(waitMs)}`)
    await wait(waitMs, signal)
  }
}

/** What Octokit throws for an answer that is an error. */
interface RequestFailure {
  readonly name: string
  readonly cause: unknown
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, unknown>>
    readonly data?: { readonly documentation_url?: unknown; readonly errors?: unknown }
  }
}

function passing(caught: unknown): ReleaseError | undefined {
  if (caught instanceof ReleaseError && caught.code === 'GITHUB_UNAVAILABLE') return caught
  return isPassingFailure(caught) ? caught : undefined
}

function nextUrl(base: URL, location: string | undefined): URL {
  const url = location !== undefined && URL.canParse(location, base) ? new URL(location, base) : undefined
  const isAllowed = url?.protocol === 'https:' || (url?.protocol === 'http:' && base.protocol === 'http:')
  if (url !== undefined && isAllowed && url.username === '' && url.password === '') return url
  throw new ReleaseError('GITHUB_REFUSED', `${displayUrl(base)} leads to nowhere that can be followed`, {
    details: { url: displayUrl(base) },
  })
}

/** Tell whether an error is GitHub's answer of a status. */
export function isAnswer(caught: unknown, status: number, problem?: string): caught is ReleaseError {
  if (!(caught instanceof ReleaseError) || caught.details['status'] !== status) return false
  const { problems } = caught.details
  return problem === undefined || (Array.isArray(problems) && problems.includes(problem))
}
