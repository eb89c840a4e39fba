/**
 * What is done to requests in mode pass: `soft` tells a rising share of clients to stay away, before an upgrade; `recovery` lets a rising
 * number of them in, after one.
 *
 * Units: milliseconds since 1970. Persisted with the gate's state.
 */
export type Shaping =
  | { readonly kind: 'soft'; readonly sinceMs: number; readonly endsAtMs: number; readonly share: number }
  | { readonly kind: 'recovery'; readonly sinceMs: number; readonly endsAtMs: number; readonly perSecond: number }

/** A shaping as the data path needs it: how far it is, whatever the wall clock does from here on. Plain data. */
export type RunningShaping =
  | { readonly kind: 'soft'; readonly elapsedMs: number; readonly lastsMs: number; readonly share: number }
  | { readonly kind: 'recovery'; readonly elapsedMs: number; readonly lastsMs: number; readonly perSecond: number }

/** Tell how far a shaping is. Post: `elapsedMs` is between 0 and `lastsMs`, also when the clock was set back. */
export function runningShaping(shaping: Shaping, nowMs: number): RunningShaping {
  const lastsMs = shaping.endsAtMs - shaping.sinceMs
  const elapsedMs = Math.min(Math.max(nowMs - shaping.sinceMs, 0), lastsMs)
  return shaping.kind === 'soft'
    ? { kind: 'soft', elapsedMs, lastsMs, share: shaping.share }
    : { kind: 'recovery', elapsedMs, lastsMs, perSecond: shaping.perSecond }
}

/** Tell which share of good answers carries the backoff fields: none at the beginning of the soft phase, evenly more, `share` at its end. */
export function softShare(elapsedMs: number, soft: { readonly lastsMs: number; readonly share: number }): number {
  if (!(soft.lastsMs > 0)) return 0
  return soft.share * Math.min(Math.max(elapsedMs / soft.lastsMs, 0), 1)
}

/** How many times as many requests per second a recovery admits at its end as at its beginning. */
const growth = 10

/** Tell how many requests per second a recovery admits at a moment of it: `perSecond` at its beginning, evenly more, ten times that at its end. */
export function recoveryRate(
  elapsedMs: number,
  recovery: { readonly lastsMs: number; readonly perSecond: number },
): number {
  const share = recovery.lastsMs > 0 ? Math.min(Math.max(elapsedMs / recovery.lastsMs, 0), 1) : 1
  return recovery.perSecond * (1 + (growth - 1) * share)
}

/**
 * Tell how many requests a recovery has admitted `elapsedMs` after it began, if as many came as it lets in.
 *
 * Shape: what {@link recoveryRate} adds up to. Post: never falls; goes on at the highest rate after the end.
 */
export function recoveryAllowance(
  elapsedMs: number,
  recovery: { readonly lastsMs: number; readonly perSecond: number },
): number {
  const lasts = recovery.lastsMs / 1000
  const elapsed = Math.max(elapsedMs, 0) / 1000
  const inside = Math.min(elapsed, lasts)
  const grown = lasts > 0 ? ((growth - 1) * inside * inside) / (2 * lasts) : 0
  return recovery.perSecond * (inside + grown + growth * (elapsed - inside))
}

/** What an admission may save up for a burst: what it admits in a tenth of a second. */
const burstMs = 100

/**
 * Admit requests during a recovery, no faster than {@link recoveryAllowance} grows: what nobody used is lost, but for a tenth of a second.
 *
 * Knows no time: the caller says how far the recovery is.
 */
export class Admission {
  readonly #recovery: { readonly lastsMs: number; readonly perSecond: number }
  #atMs: number
  #saved = 1

  constructor(recovery: { readonly lastsMs: number; readonly perSecond: number }, elapsedMs: number) {
    this.#recovery = recovery
    this.#atMs = elapsedMs
  }

  /** Let one request in, or not. */
  admits(elapsedMs: number): boolean {
    const allowed = recoveryAllowance(elapsedMs, this.#recovery)
    const grown = allowed - recoveryAllowance(this.#atMs, this.#recovery)
    const most = Math.max(1, recoveryAllowance(elapsedMs + burstMs, this.#recovery) - allowed)
    this.#atMs = elapsedMs
    this.#saved = Math.min(this.#saved + grown, most)
    if (this.#saved < 1) return false
    this.#saved -= 1
    return true
  }
}
