import { ReleaseError } from '../core/error.ts'
import type { Clock } from '../sys/clock.ts'
import type { Answer } from '../sys/exchange.ts'

/** What talking to a registry needs of its surroundings. */
export interface RegistryTools {
  readonly clock: Clock
  /** Resolve after a while; rejects when the signal is aborted. */
  readonly wait: (durationMs: number, signal: AbortSignal) => Promise<void>
  /** A number from 0 up to 1, so that many clients do not come again at once. */
  readonly random: () => number
  readonly warn: (code: string, message: string) => void
  readonly signal: AbortSignal
}

/** How often something is tried before it is given up. */
export const longestAttempts = 6

const firstDelayMs = 500
const longestDelayMs = 20_000
/** A registry that asks for more patience than this is told of as an error. */
const longestRetryAfterMs = 120_000

/** Statuses that say nothing of the request itself. Source: RFC 9110 §15.5.9, §15.6; RFC 6585 §4. */
const passingStatuses: readonly number[] = [408, 429, 500, 502, 503, 504]

/** Tell whether the same request may be answered otherwise later. */
export function isPassingStatus(status: number): boolean {
  return passingStatuses.includes(status)
}

/** Tell whether something failed for a reason that may pass: the network, not a certificate and not our own end. */
export function isPassing(caught: unknown, signal: AbortSignal): caught is ReleaseError {
  if (signal.aborted || !(caught instanceof ReleaseError)) return false
  if (caught.code === 'REGISTRY_UNAVAILABLE') return true
  if (caught.code !== 'HTTP_FAILED') return false
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

/**
 * Make a request until its answer is not one that passes.
 *
 * Post: the last answer when every attempt was answered so. Errors: those of `attempt`; REGISTRY_UNAVAILABLE when the server asks for a wait that is too long.
 */
export async function retrying(
  tools: RegistryTools,
  attempts: number,
  attempt: () => Promise<Answer>,
): Promise<Answer> {
  for (let count = 1; ; count += 1) {
    let answer: Answer | undefined
    try {
      answer = await attempt()
      if (!isPassingStatus(answer.status) || count >= attempts) return answer
    } catch (caught) {
      if (count >= attempts || !isPassing(caught, tools.signal)) throw caught
    }
    await answer?.finish()
    await pause(tools, count, answer)
  }
}

/** Wait before the next attempt. Errors: REGISTRY_UNAVAILABLE (the server asks for too long a wait). */
export async function pause(tools: RegistryTools, attempt: number, answer?: Answer): Promise<void> {
  const retryAfterMs = parseRetryAfter(answer?.header('retry-after'), tools.clock.nowMs())
  const delayMs = retryDelayMs(attempt, retryAfterMs, tools.random())
  if (delayMs === undefined) {
    const seconds = Math.ceil((retryAfterMs ?? 0) / 1000)
    throw new ReleaseError('REGISTRY_UNAVAILABLE', `the registry asks to come again in ${seconds} s`, {
      details: { retryAfterSeconds: seconds },
    })
  }
  await tools.wait(delayMs, tools.signal)
}
