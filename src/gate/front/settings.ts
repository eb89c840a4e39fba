import type { RecipeGate } from '../../recipe/schema.ts'
import type { BackoffSettings } from '../answers/backoff.ts'
import type { CertificateFiles } from '../edge/certificate.ts'
import type { TlsSettings } from '../edge/tls-terminator.ts'
import type { ClientLimits, UpstreamSettings } from '../http1/limits.ts'
import type { HoldLimits } from '../machine/queue.ts'
import type { AccessLogSettings } from '../observe/observing.ts'

/**
 * How the data path of a gate behaves; can change with every release.
 *
 * Plain data: it travels to other processes as JSON. Holds a secret: it is written nowhere and shown to nobody.
 */
export interface FrontSettings {
  readonly hold: HoldLimits
  readonly rampPerSecond: number
  /** The release of held requests stops growing faster while answers take longer; absent: whatever they take. */
  readonly rampLatencyMs?: number | undefined
  readonly backoff: BackoffSettings
  readonly healthPaths: readonly string[]
  readonly bypass?: BypassSettings | undefined
  /** What one client may cost. */
  readonly limits: ClientLimits
  /** How the application is reached. */
  readonly upstream: UpstreamSettings
  /** Peers that are believed what they say of the original client, as addresses and networks. */
  readonly trust: readonly string[]
  /** With what TLS is spoken, on listeners where it is. */
  readonly tls?: TlsSettings | undefined
  /** Where each request is told, and how; absent: nowhere. */
  readonly accessLog?: AccessLogSettings | undefined
}

/** Who reaches the application while others wait. */
export interface BypassSettings {
  /** What a request shows to pass; absent: no token does. */
  readonly token?: string | undefined
  /** Peers that pass, as addresses and networks. */
  readonly networks: readonly string[]
}

/** What a release has besides its recipe that the data path needs. */
export interface ReleaseParts {
  /** The text of `backoff.page`. */
  readonly page?: string | undefined
  /** The value of the secret that `bypass.secret` names. */
  readonly bypassToken?: string | undefined
  /** The certificate that `tls` names. */
  readonly certificate?: CertificateFiles | undefined
  /** The file that requests are told in, where the recipe wants it. */
  readonly accessLogFile?: string | undefined
}

/** Take from a recipe, and what a release has besides, what the data path needs. */
export function frontSettings(gate: RecipeGate, parts: ReleaseParts = {}): FrontSettings {
  const { hold, ramp, backoff, healthPaths, bypass, accessLog, limits, upstream, trust } = gate
  const { page, bypassToken, certificate, accessLogFile } = parts
  return {
    hold: { requests: hold.requests, bytes: hold.bytes, ageMs: hold.age },
    rampPerSecond: ramp.perSecond,
    rampLatencyMs: ramp.latency,
    backoff: {
      retryAfter: backoff.retryAfter,
      jitter: backoff.jitter,
      clients: backoff.clients,
      perSecond: backoff.perSecond,
      routes: backoff.routes,
      page,
    },
    healthPaths,
    bypass: { token: bypassToken, networks: bypass.networks },
    limits: {
      headBytes: limits.headBytes,
      fields: limits.fields,
      headTimeoutMs: limits.headTimeout,
      idleTimeoutMs: limits.idleTimeout,
      bodyTimeoutMs: limits.bodyTimeout,
      connections: limits.connections,
    },
    upstream: { proxyProtocol: upstream.proxyProtocol, timeoutMs: upstream.timeout },
    trust,
    tls: certificate === undefined || gate.tls === undefined ? undefined : { ...certificate, http2: gate.tls.http2 },
    accessLog:
      accessLog === 'off' || accessLogFile === undefined ? undefined : { file: accessLogFile, format: accessLog },
  }
}
