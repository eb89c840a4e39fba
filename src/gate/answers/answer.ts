import { STATUS_CODES } from 'node:http'

/** An answer of the gate's own, ready to be written. */
export interface Answer {
  readonly status: number
  readonly reason: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
  readonly closes: boolean
}

/**
 * Make an answer of the gate's own.
 *
 * Post: never cached; `Content-Length` always there; `Connection: close` when `closes`.
 */
export function answer(options: {
  readonly status: number
  readonly mediaType: string
  readonly text: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly closes: boolean
}): Answer {
  const body = Buffer.from(options.text)
  return {
    status: options.status,
    reason: STATUS_CODES[options.status] ?? 'Unknown',
    headers: [
      ['Content-Type', options.mediaType],
      ['Content-Length', String(body.length)],
      ['Cache-Control', 'no-store'],
      ...(options.headers ?? []),
      ...(options.closes ? ([['Connection', 'close']] as const) : []),
    ],
    body,
    closes: options.closes,
  }
}

/** Say that the gate is well, for outer health checks while it holds: a balancer must not take the node out for an upgrade. */
export function healthyAnswer(closes: boolean): Answer {
  return answer({ status: 200, mediaType: 'text/plain; charset=utf-8', text: 'ok\n', closes })
}

/** Report a fault as a problem document. Source: RFC 9457. */
export function problemAnswer(status: number, detail: string, closes: boolean): Answer {
  return answer({
    status,
    mediaType: 'application/problem+json',
    text: JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail }),
    closes,
  })
}
