import { ReleaseError } from '../core/error.ts'
import { isLoopback } from '../core/loopback.ts'
import { type Answer, displayUrl, exchange, readAnswer } from '../sys/exchange.ts'
import { longestAttempts } from '../sys/retry.ts'
import type { Challenge } from './challenge.ts'
import type { Credentials } from './parse-credentials.ts'
import { type RegistryTools, retrying } from './retry.ts'

/** An access token and when it is not to be used any more, by the clock's `elapsedMs`. */
export interface AccessToken {
  readonly value: string
  readonly expiresMs: number
}

export interface TokenOptions {
  /** The origin of the registry that asked for it. */
  readonly origin: URL
  readonly challenge: Challenge
  readonly scopes: readonly string[]
  readonly credentials: Credentials | undefined
}

const largestAnswerBytes = 1024 * 1024
/** Source: Docker token specification, `expires_in`: 60 seconds where a server says nothing or less. */
const shortestLifetimeSeconds = 60
/** A token is given up this long before its end, for the requests under way. */
const slackMs = 10_000

/**
 * Get an access token from the server that a Bearer challenge names: without credentials, with user and password, or for an identity token.
 *
 * The registry names that server, and it is another host at Docker Hub and many others, so any host is accepted, but only over TLS: in plain
 * text only where the registry itself is, and on its host or on loopback. A redirect of that server is not followed.
 * Errors: REGISTRY_INSECURE, REGISTRY_AUTH, REGISTRY_PROTOCOL, REGISTRY_UNAVAILABLE, HTTP_FAILED.
 * Source: distribution/distribution, docs/spec/auth/token and oauth.
 */
export async function fetchToken(options: TokenOptions, tools: RegistryTools): Promise<AccessToken> {
  const realm = parseRealm(options)
  const startedMs = tools.clock.elapsedMs()
  const answer = await retrying(tools, longestAttempts, () => request(realm, options, tools.signal))
  if (answer.status !== 200) {
    await answer.finish()
    throw tokenError(answer, realm, options)
  }
  const {
    token,
    access_token: accessToken,
    expires_in: expiresIn,
  } = parseAnswer(await readAnswer(answer, largestAnswerBytes, displayUrl(realm)))
  // A header is made of it: nothing may stand in it that ends a header.
  const value = [token, accessToken].find(text => typeof text === 'string' && /^[\x21-\x7e]+$/.test(text))
  if (typeof value !== 'string') {
    throw new ReleaseError('REGISTRY_PROTOCOL', `${displayUrl(realm)} answered without a token`, {
      details: { url: displayUrl(realm) },
    })
  }
  const seconds = typeof expiresIn === 'number' ? Math.max(expiresIn, shortestLifetimeSeconds) : shortestLifetimeSeconds
  return { value, expiresMs: startedMs + seconds * 1000 - slackMs }
}

function request(realm: URL, options: TokenOptions, signal: AbortSignal): Promise<Answer> {
  const { credentials, scopes } = options
  const service = options.challenge.parameters['service']
  if (credentials?.kind === 'identity') {
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'cutover' })
    if (service !== undefined) form.set('service', service)
    if (scopes.length > 0) form.set('scope', scopes.join(' '))
    form.set('refresh_token', credentials.token)
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return exchange(realm, { method: 'POST', headers, body: Buffer.from(form.toString()), signal })
  }
  const url = new URL(realm)
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  if (credentials === undefined) return exchange(url, { method: 'GET', signal })
  url.searchParams.set('account', credentials.user)
  return exchange(url, { method: 'GET', headers: { authorization: basicHeader(credentials) }, signal })
}

/** The header of the scheme Basic. Source: RFC 7617 §2. */
export function basicHeader({ user, password }: Credentials & { readonly kind: 'password' }): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

function parseRealm({ challenge, origin }: TokenOptions): URL {
  const text = challenge.parameters['realm'] ?? ''
  const realm = URL.canParse(text) ? new URL(text) : undefined
  if (realm === undefined || !/^https?:$/.test(realm.protocol) || realm.username !== '' || realm.password !== '') {
    throw new ReleaseError('REGISTRY_PROTOCOL', `${origin.host} names no token server that can be asked`, {
      details: { url: origin.origin },
    })
  }
  const isPlainAllowed =
    origin.protocol === 'http:' && (realm.hostname === origin.hostname || isLoopback(realm.hostname))
  if (realm.protocol === 'https:' || isPlainAllowed) return realm
  throw new ReleaseError(
    'REGISTRY_INSECURE',
    `${origin.host} names a token server without TLS: ${displayUrl(realm)}; no credentials were sent`,
    { details: { url: displayUrl(realm) } },
  )
}

function tokenError({ status }: Answer, realm: URL, { credentials, origin }: TokenOptions): ReleaseError {
  const place = displayUrl(realm)
  const details = { url: place, status, registry: origin.host }
  if (status === 400 || status === 401 || status === 403) {
    const as = credentials === undefined ? 'without credentials' : 'with the credentials that are stored'
    return new ReleaseError('REGISTRY_AUTH', `${place} gives no token for ${origin.host} ${as} (${status})`, {
      details,
    })
  }
  if (status >= 500 || status === 429) {
    return new ReleaseError('REGISTRY_UNAVAILABLE', `${place} answered ${status} after several attempts`, { details })
  }
  return new ReleaseError('REGISTRY_PROTOCOL', `${place} answered ${status} where a token was asked for`, { details })
}

function parseAnswer(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    // Its message would quote from the answer, which may hold a token.
    return {}
  }
}
