import { ReleaseError } from '../core/error.ts'
import { type Challenge, parseChallenges } from './challenge.ts'
import type { Credentials } from './parse-credentials.ts'
import type { RegistryTools } from './retry.ts'
import { type AccessToken, basicHeader, fetchToken } from './token.ts'

/** Makes the Authorization headers for one origin, once it has said what it wants. Nothing of it is ever told. */
export class Authorizer {
  readonly #origin: URL
  readonly #credentials: Credentials | undefined
  readonly #tools: RegistryTools
  readonly #tokens = new Map<string, AccessToken>()
  readonly #fetching = new Map<string, Promise<AccessToken>>()
  #basic: string | undefined

  constructor(origin: URL, credentials: Credentials | undefined, tools: RegistryTools) {
    this.#origin = origin
    this.#credentials = credentials
    this.#tools = tools
  }

  /** The header for a request that needs these scopes, as far as it is known without asking. */
  header(scopes: readonly string[]): string | undefined {
    const token = this.#tokens.get(scopes.join(' '))
    if (token !== undefined && token.expiresMs > this.#tools.clock.elapsedMs()) return bearer(token)
    return this.#basic
  }

  /**
   * Find the header that answers a 401.
   *
   * Pre: `used` is the header that was answered so. Post: another header than `used`, or undefined when there is none to try.
   * Errors: REGISTRY_PROTOCOL (a challenge that cannot be read), REGISTRY_INSECURE, those of {@link fetchToken}.
   */
  async answer(
    header: string | undefined,
    scopes: readonly string[],
    used: string | undefined,
  ): Promise<string | undefined> {
    const known = this.header(scopes)
    if (known !== undefined && known !== used) return known
    const challenges = parseChallenges(header ?? '')
    if (challenges === undefined) {
      throw new ReleaseError('REGISTRY_PROTOCOL', `${this.#origin.host} asks for credentials in a way that is none`, {
        details: { url: this.#origin.origin },
      })
    }
    const challenge =
      challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges.find(({ scheme }) => scheme === 'basic')
    if (challenge?.scheme === 'bearer') return bearer(await this.#token(challenge, scopes))
    if (challenge === undefined || this.#credentials?.kind !== 'password') return undefined
    this.#basic = basicHeader(this.#credentials)
    return this.#basic === used ? undefined : this.#basic
  }

  /** One request for a token, however many requests wait for it. */
  async #token(challenge: Challenge, scopes: readonly string[]): Promise<AccessToken> {
    const key = scopes.join(' ')
    const fetching = this.#fetching.get(key) ?? this.#fetch(challenge, scopes, key)
    this.#fetching.set(key, fetching)
    return await fetching
  }

  async #fetch(challenge: Challenge, scopes: readonly string[], key: string): Promise<AccessToken> {
    // What the registry asks for goes first and as it stands: some have scopes of their own form.
    const asked = (challenge.parameters['scope'] ?? '').split(' ').filter(scope => scope !== '')
    const all = [...new Set([...asked, ...scopes])]
    const [origin, credentials] = [this.#origin, this.#credentials]
    try {
      const token = await fetchToken({ origin, challenge, scopes: all, credentials }, this.#tools)
      this.#tokens.set(key, token)
      return token
    } finally {
      this.#fetching.delete(key)
    }
  }
}

function bearer(token: AccessToken): string {
  return `Bearer ${token.value}`
}
