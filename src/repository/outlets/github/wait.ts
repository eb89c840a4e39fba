import { parseRetryAfter } from '../../../sys/retry.ts'

/** An answer that may be another one later. */
export interface Refusal {
  readonly status: number
  readonly header: (name: string) => string | undefined
  /** GitHub says itself that it is about too many requests. */
  readonly isAboutLimits: boolean
}

/** How long GitHub wants to be left alone: unsaid for troubles of its own; absent when the answer stays what it is. */
export type Patience = { readonly kind: 'final' } | { readonly kind: 'passing'; readonly waitMs: number | undefined }

const secondaryLimitMs = 60_000
/** Clocks differ, and a request that comes too early counts against us. */
const graceMs = 1000

/**
 * Read from an answer whether and when the same request is worth making again.
 *
 * Source: docs.github.com, "Rate limits for the REST API" (retry-after, then x-ratelimit-reset, else at least one minute), "Best practices".
 */
export function patienceOf({ status, header, isAboutLimits }: Refusal, nowMs: number): Patience {
  const retryAfterMs = parseRetryAfter(header('retry-after'), nowMs)
  if (status === 429 || status === 403) {
    if (retryAfterMs !== undefined) return { kind: 'passing', waitMs: retryAfterMs }
    const resetSeconds = Number(header('x-ratelimit-reset') ?? Number.NaN)
    if (header('x-ratelimit-remaining') === '0' && Number.isFinite(resetSeconds)) {
      return { kind: 'passing', waitMs: Math.max(0, resetSeconds * 1000 - nowMs) + graceMs }
    }
    return status === 429 || isAboutLimits ? { kind: 'passing', waitMs: secondaryLimitMs } : { kind: 'final' }
  }
  return status === 408 || status >= 500 ? { kind: 'passing', waitMs: retryAfterMs } : { kind: 'final' }
}
