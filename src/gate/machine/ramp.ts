/**
 * Tell how many held requests may have been released `elapsedMs` after the release began: `perSecond` in the first second, twice as
 * many in each one after it, evenly within a second, one at once.
 *
 * Post: an integer; never falls as time goes on. Infinite once the rate is beyond counting.
 */
export function releaseAllowance(elapsedMs: number, perSecond: number): number {
  const seconds = Math.max(elapsedMs, 0) / 1000
  const whole = Math.floor(seconds)
  if (whole > 40) return Number.POSITIVE_INFINITY
  const before = perSecond * (2 ** whole - 1)
  return 1 + Math.floor(before + perSecond * 2 ** whole * (seconds - whole))
}
