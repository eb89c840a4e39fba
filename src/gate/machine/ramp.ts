/** How held requests are released. */
export interface RampSettings {
  /** In the first second; the rate doubles every second. */
  readonly perSecond: number
  /** The rate does not double while answers take longer than this; undefined lets it double whatever they take. */
  readonly latencyMs?: number | undefined
}

/** A release under way: how many may have been released when the present second of it began, and the rate that holds in it. */
export interface Ramp {
  readonly sinceMs: number
  readonly allowedBefore: number
  readonly perSecond: number
}

const secondMs = 1000

/** Begin a release: one at once, then {@link RampSettings.perSecond} in the first second. */
export function startRamp(settings: RampSettings, nowMs: number): Ramp {
  return { sinceMs: nowMs, allowedBefore: 1, perSecond: settings.perSecond }
}

/**
 * Go on to the second of a release that `nowMs` lies in.
 *
 * At the end of each second the rate doubles, unless `recentMs` is above the settings' latency: then the next second has the same rate.
 * `recentMs` is the median latency of what was released, see {@link ReleaseLatency}; undefined, where nothing was seen, lets it double.
 * Post: the same object within a second; the rate never falls.
 */
export function advanceRamp(ramp: Ramp, nowMs: number, settings: RampSettings, recentMs: number | undefined): Ramp {
  const isSlow = settings.latencyMs !== undefined && recentMs !== undefined && recentMs > settings.latencyMs
  let { sinceMs, allowedBefore, perSecond } = ramp
  // Beyond counting: nobody has that many.
  while (nowMs - sinceMs >= secondMs && allowedBefore < Number.MAX_SAFE_INTEGER / 4) {
    sinceMs += secondMs
    allowedBefore += perSecond
    if (!isSlow) perSecond *= 2
  }
  return sinceMs === ramp.sinceMs ? ramp : { sinceMs, allowedBefore, perSecond }
}

/** Tell how many may have been released in all by now, evenly within a second. Pre: `nowMs` lies in the ramp's second. Post: an integer. */
export function rampAllowance(ramp: Ramp, nowMs: number): number {
  const share = Math.min(Math.max(nowMs - ramp.sinceMs, 0), secondMs) / secondMs
  return Math.floor(ramp.allowedBefore + ramp.perSecond * share)
}
