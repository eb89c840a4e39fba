/*
 * How clients of Firefox Sync read an answer, written anew from what their sources do: which header, in which order, parsed how.
 * All results in seconds; undefined where the client learns nothing.
 */

/** An answer as a client sees it: header names in lower case. */
export interface SyncAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Desktop, storage: `x-weave-backoff` on any answer, `retry-after` on 503 only, both by parseInt; the larger one counts. */
export function desktopStorageBackoff({ status, headers }: SyncAnswer): number | undefined {
  const soft = Number.parseInt(headers['x-weave-backoff'] ?? '', 10)
  const hard = status === 503 ? Number.parseInt(headers['retry-after'] ?? '', 10) : Number.NaN
  const seconds = [soft, hard].filter(value => !Number.isNaN(value) && value > 0)
  return seconds.length === 0 ? undefined : Math.max(...seconds)
}

/** Desktop, token server: nothing counts before the media type is JSON and the body parses; then `"errors" in result`, which throws on a number. */
export function desktopTokenBackoff({ status, headers, body }: SyncAnswer): number | undefined {
  if ((headers['content-type'] ?? '').split(';')[0]?.trim() !== 'application/json') return undefined
  let result: unknown
  try {
    result = JSON.parse(body)
  } catch {
    return undefined
  }
  const soft = headers['x-weave-backoff'] ?? headers['x-backoff']
  const early = soft === undefined ? undefined : Number.parseInt(soft, 10)
  if (status === 200) return early
  try {
    if ('errors' in (result as object)) return Number.parseInt(headers['retry-after'] ?? '', 10)
  } catch {
    return early
  }
  return early
}

/** Rust (mobile), storage: both headers as floats, rounded up; negative, non-finite and huge ones are dropped. */
export function rustStorageBackoff({ headers }: SyncAnswer): number | undefined {
  const values = [headers['retry-after'], headers['x-weave-backoff']].map(text => Math.ceil(rustFloat(text)))
  const usable = values.filter(value => Number.isFinite(value) && value >= 0 && value <= 0xffff_ffff)
  return usable.length === 0 ? undefined : Math.max(...usable)
}

/** Rust (mobile), token server: `retry-after` of anything but a success; 10 s when it cannot be read; X-Backoff is not read. */
export function rustTokenBackoff({ status, headers }: SyncAnswer): number | undefined {
  if (status >= 200 && status < 300) return undefined
  const seconds = rustFloat(headers['retry-after'])
  return Number.isFinite(seconds) ? seconds : 10
}

function rustFloat(text: string | undefined): number {
  // A float as Rust's str::parse takes it: the whole text or nothing.
  return text !== undefined && /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
}
