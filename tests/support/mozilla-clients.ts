/*
 * How Mozilla's clients of Firefox Sync read an answer and when they come back, written anew from what their sources do: which field,
 * in which order, parsed how, and what they make of it. Times in seconds.
 */

/** An answer as a client sees it: header names in lower case. */
export interface SyncAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A client as far as its patience goes. */
export interface MozillaClient {
  readonly name: string
  /** What it learns from an answer; undefined where nothing. */
  readonly learns: (answer: SyncAnswer) => number | undefined
  /** How long it stays away after an answer; undefined where it comes back when its own schedule says. `errors` is the count of 5xx in a row. */
  readonly staysAway: (
    answer: SyncAnswer,
    options: { readonly errors: number; readonly random: () => number },
  ) => number | undefined
}

const quarterHour = 15 * 60
const eightHours = 8 * 3600

/** Desktop adds up to a quarter of its own. */
const desktopJitter = 0.25

/** Desktop, storage: `x-weave-backoff` on any answer, `retry-after` on 503 only, both by parseInt; after a 5xx also by its count of errors. */
export const desktopStorage: MozillaClient = {
  name: 'desktop storage',
  learns: ({ status, headers }) => {
    const soft = Number.parseInt(headers['x-weave-backoff'] ?? '', 10)
    const hard = status === 503 ? Number.parseInt(headers['retry-after'] ?? '', 10) : Number.NaN
    const seconds = [soft, hard].filter(value => !Number.isNaN(value) && value > 0)
    return seconds.length === 0 ? undefined : Math.max(...seconds)
  },
  staysAway: (answer, { errors, random }) => {
    const learned = desktopStorage.learns(answer)
    const interval = learned === undefined ? undefined : learned * (1 + random() * desktopJitter)
    if (![500, 502, 503, 504].includes(answer.status)) return interval
    const enforced = Math.min(errors * (quarterHour + random() * quarterHour), eightHours)
    return Math.max(enforced, interval ?? 0)
  },
}

/**
 * Desktop, token server: nothing counts before the media type is JSON and the body parses; then `x-weave-backoff`, else `x-backoff`; a 200
 * is done there; then `"errors" in result`, which throws on a number; then `retry-after` of any answer but a 200.
 */
export const desktopToken: MozillaClient = {
  name: 'desktop token',
  learns: ({ status, headers, body }) => {
    if ((headers['content-type'] ?? '').split(';')[0]?.trim() !== 'application/json') return undefined
    let result: unknown
    try {
      result = JSON.parse(body)
    } catch {
      return undefined
    }
    const soft = Number.parseInt(headers['x-weave-backoff'] ?? headers['x-backoff'] ?? '', 10)
    const early = Number.isNaN(soft) ? undefined : soft
    if (status === 200) return early
    // What a TypeError leaves undone: the number was learned before it, Retry-After would have been after it.
    if (typeof result !== 'object' || result === null) return early
    const hard = Number.parseInt(headers['retry-after'] ?? '', 10)
    return Number.isNaN(hard) ? early : Math.max(hard, early ?? 0)
  },
  staysAway: (answer, { random }) => {
    const learned = desktopToken.learns(answer)
    return learned === undefined ? undefined : learned * (1 + random() * desktopJitter)
  },
}

/** Rust (mobile), storage: both fields as floats, rounded up; negative, non-finite and huge ones are dropped; the larger one counts. */
export const rustStorage: MozillaClient = {
  name: 'mobile storage',
  learns: ({ headers }) => {
    const values = [headers['retry-after'], headers['x-weave-backoff']].map(text => Math.ceil(rustFloat(text)))
    const usable = values.filter(value => Number.isFinite(value) && value >= 0 && value <= 0xffff_ffff)
    return usable.length === 0 ? undefined : Math.max(...usable)
  },
  staysAway: answer => rustStorage.learns(answer),
}

/** Rust (mobile), token server: `retry-after` of anything but a success; 10 s when it cannot be read; X-Backoff is not read. */
export const rustToken: MozillaClient = {
  name: 'mobile token',
  learns: ({ status, headers }) => {
    if (status >= 200 && status < 300) return undefined
    const seconds = rustFloat(headers['retry-after'])
    return Number.isFinite(seconds) ? seconds : 10
  },
  staysAway: answer => rustToken.learns(answer),
}

/** All four. */
export const mozillaClients: readonly MozillaClient[] = [desktopStorage, desktopToken, rustStorage, rustToken]

function rustFloat(text: string | undefined): number {
  // A float as Rust's str::parse takes it: the whole text or nothing.
  return text !== undefined && /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
}
