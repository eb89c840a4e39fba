import { ReleaseError } from '../core/error.ts'

/** How often something is tried before it is given up. */
export const longestAttempts = 6

const firstDelayMs = 500
const longestDelayMs = 20_000
/** A server that asks for more patience than this is told of as an error. */
const longestRetryAfterMs = 120_000

/** Statuses that say nothing of the request itself. Source: RFC 9110 §15.5.9, §15.6; RFC 6585 §4. */
const passingStatuses: readonly number[] = [408, 429, 500, 502, 503, 504]

/** Tell whether the same request may be answered otherwise later. */
export function isPassingStatus(status: number): boolean {
  return passingStatuses.includes(status)
}

/** Tell whether a request found no answer for a reason that may pass: the network, not a certificate, a name or a closed port. */
export function isPassingFailure(caught: unknown): caught is ReleaseError {
  if (!(caught instanceof ReleaseError) || caught.code !== 'HTTP_FAILED') return false
  return !/^(?:CERT_|ERR_TLS_|ERR_SSL_|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ENOTFOUND$|ECONNREFUSED$)/.test(
    String(caught.details['errno']),
  )
}

/**
 * Choose how long to wait before the next attempt: what the server asked for, else twice as long each time, with jitter.
 *
 * Pre: `attempt` counts from 1. Post: undefined when the server asks for more than two minutes.
 */
export function retryDelayMs(attempt: number, retryAfterMs: number | undefined, random: number): number | undefined {
  if (retryAfterMs !== undefined) {
    // Upward only: nobody may come before they were asked to.
    return retryAfterMs > longestRetryAfterMs ? undefined : Math.round(retryAfterMs * (1 + random / 10))
  }
  const ceilingMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempt - 1))
  return Math.round(ceilingMs * (0.5 + random / 2))
}

/** Read a Retry-After header, seconds or a date, into milliseconds from now; undefined when it is neither. Source: RFC 9110 §10.2.3. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const atMs = /^[A-Z][a-z]{2},? /.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}
