import type { RequestRecord } from './observer.ts'

/** How requests are told in the access log. */
export type AccessLogFormat = 'combined' | 'json'

/**
 * Tell of a request in a line.
 *
 * Shape: `combined` is what Apache and nginx call so, with the duration in seconds and the outcome behind it; `json` is one object with
 * the names of {@link RequestRecord} and the time. Post: one line whatever the client sent.
 */
export function accessLogLine(record: RequestRecord, format: AccessLogFormat): string {
  return format === 'json' ? `${jsonLine(record)}\n` : `${combinedLine(record)}\n`
}

function combinedLine(record: RequestRecord): string {
  const request = `${record.method} ${record.target} HTTP/${record.httpVersion}`
  return [
    record.remoteAddress ?? 'unix:',
    '- -',
    `[${logTime(record.arrivedMs)}]`,
    quoted(request),
    record.status,
    record.sentBytes,
    quoted(record.referrer ?? '-'),
    quoted(record.userAgent ?? '-'),
    (record.durationMs / 1000).toFixed(3),
    record.outcome,
  ].join(' ')
}

function jsonLine(record: RequestRecord): string {
  const { arrivedMs, ...rest } = record
  return JSON.stringify({ time: new Date(arrivedMs).toISOString(), ...rest })
}

/** Nothing that a client sends may end the quotes or the line. */
function quoted(text: string): string {
  const safe = text.replace(/["\\\u0000-\u001f\u007f-\uffff]/g, unsafe => {
    const bytes = [...Buffer.from(unsafe)]
    return bytes.map(byte => `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
  })
  return `"${safe}"`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** As logs have it, in UTC: `21/Nov/2026:15:32:07 +0000`. */
function logTime(timeMs: number): string {
  const text = new Date(timeMs).toISOString()
  const month = months[Number(text.slice(5, 7)) - 1]
  return `${text.slice(8, 10)}/${month}/${text.slice(0, 4)}:${text.slice(11, 19)} +0000`
}
