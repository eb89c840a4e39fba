/** When changes may be made: two times of the day, or two moments. */
export type MaintenanceWindow =
  | {
      readonly kind: 'daily'
      /** Minutes after midnight, in the machine's time zone. `to` before `from` goes over midnight. */
      readonly from: number
      readonly to: number
    }
  | { readonly kind: 'once'; readonly fromMs: number; readonly toMs: number }

const dayMinutes = 24 * 60

/**
 * Read the two ends of a window: each `HH:MM` in the machine's time zone, or both moments as RFC 3339 has them.
 *
 * Pure. Post: undefined when they are neither, or of two kinds, or a moment ends before it begins. An end that is absent is open.
 */
export function parseWindow(
  notBefore: string | undefined,
  notAfter: string | undefined,
): MaintenanceWindow | undefined {
  const ends = [notBefore, notAfter].filter(text => text !== undefined)
  if (ends.every(text => timeOfDay(text) !== undefined)) {
    const from = notBefore === undefined ? 0 : timeOfDay(notBefore)!
    const to = notAfter === undefined ? dayMinutes : timeOfDay(notAfter)!
    return { kind: 'daily', from, to }
  }
  if (!ends.every(isMoment)) return undefined
  const fromMs = notBefore === undefined ? Number.NEGATIVE_INFINITY : Date.parse(notBefore)
  const toMs = notAfter === undefined ? Number.POSITIVE_INFINITY : Date.parse(notAfter)
  return fromMs < toMs ? { kind: 'once', fromMs, toMs } : undefined
}

/** Where a moment stands to a window. Units: milliseconds since 1970. `closed` for good has no `opensAtMs`. */
export type WindowState =
  | { readonly kind: 'open'; readonly closesAtMs: number }
  | { readonly kind: 'closed'; readonly opensAtMs: number | undefined }

/** Tell whether a window is open, and when that ends. Pure but for the machine's time zone. */
export function decideWindow(window: MaintenanceWindow, nowMs: number): WindowState {
  if (window.kind === 'once') {
    if (nowMs < window.fromMs) return { kind: 'closed', opensAtMs: window.fromMs }
    return nowMs < window.toMs ? { kind: 'open', closesAtMs: window.toMs } : { kind: 'closed', opensAtMs: undefined }
  }
  // Yesterday's may have gone over midnight; tomorrow's is the next when today's is over.
  for (const day of [-1, 0, 1]) {
    const fromMs = momentOf(nowMs, day, window.from)
    const toMs = momentOf(nowMs, window.to > window.from ? day : day + 1, window.to)
    if (nowMs < fromMs) return { kind: 'closed', opensAtMs: fromMs }
    if (nowMs < toMs) return { kind: 'open', closesAtMs: toMs }
  }
  return { kind: 'closed', opensAtMs: momentOf(nowMs, 2, window.from) }
}

function momentOf(nowMs: number, day: number, minutes: number): number {
  const date = new Date(nowMs)
  // Date does the calendar, days on which clocks change included.
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + day, 0, minutes).getTime()
}

function timeOfDay(text: string): number | undefined {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? []
  return hours === undefined ? undefined : Number(hours) * 60 + Number(minutes)
}

/** With a zone: a moment without one means another in every place. Source: RFC 3339 §5.6. */
function isMoment(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text))
}
