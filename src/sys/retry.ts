import { ReleaseError } from '../core/error.ts'
import { delay } from './clock.ts'

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

/**
 * Tell whether a request failed for a reason that may pass: the network, not a certificate, a name or a closed port; a status that says nothing
 * of the request.
 */
export function isPassingFailure(caught: unknown): caught is ReleaseError {
  if (!(caught instanceof ReleaseError) || caught.code !== 'HTTP_FAILED') return false
  const { status } = caught.details
  if (typeof status === 'number') return isPassingStatus(status)
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

/** What waits between attempts are made of; tests bring their own. */
export interface RetryTools {
  readonly wait: (durationMs: number, signal?: AbortSignal) => Promise<void>
  /** A number from 0 up to 1, so that many clients do not come again at once. */
  readonly random: () => number
}

/** The machine's own. */
export const systemRetryTools: RetryTools = { wait: delay, random: Math.random }

/** Whoever sends less than this before they break off again has done nothing: else a byte at a time could go on for ever. */
const progressBytes = 256 * 1024

/** Counts the failures of something that goes on where it stopped. */
export class Perseverance {
  readonly #attempts: number
  readonly #tools: RetryTools
  #failures = 0
  #arrivedBytes = 0

  constructor(attempts: number, tools: RetryTools = systemRetryTools) {
    this.#attempts = attempts
    this.#tools = tools
  }

  /** Note that bytes have come. */
  arrived(sizeBytes: number): void {
    this.#arrivedBytes += sizeBytes
  }

  /**
   * Wait before the next attempt: not at all when much has come since the last failure, else longer each time.
   *
   * Errors: the failure itself, when it was one too many or its server asks for too much patience; the signal's reason.
   */
  async afterFailure(failure: ReleaseError, signal: AbortSignal | undefined): Promise<void> {
    const isProgress = this.#arrivedBytes >= progressBytes
    this.#failures = isProgress ? 1 : this.#failures + 1
    this.#arrivedBytes = 0
    if (this.#failures >= this.#attempts) throw failure
    const { retryAfterMs } = failure.details
    const askedMs = typeof retryAfterMs === 'number' ? retryAfterMs : undefined
    if (isProgress && askedMs === undefined) return
    const delayMs = retryDelayMs(this.#failures, askedMs, this.#tools.random())
    if (delayMs === undefined) throw failure
    await this.#tools.wait(delayMs, signal)
  }
}
