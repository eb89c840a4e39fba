import { type Answer, answer } from './answer.ts'

/** The shape of a body, by what the route's clients parse. */
export type BackoffShape = 'weave' | 'token' | 'json' | 'problem' | 'grpc' | 'page'

/** How requests are turned away. `retryAfter` in seconds, `jitter` a share of it. */
export interface BackoffSettings {
  readonly retryAfter: number
  readonly jitter: number
  readonly routes: readonly { readonly prefix: string; readonly shape: BackoffShape }[]
}

/** What the answer depends on. */
export interface BackoffRequest {
  readonly path: string
  readonly accept: string | undefined
  /** The connection cannot be used again: the request's body was not read, or the gate is going away. */
  readonly closes: boolean
}

/**
 * Make the answer to a request that is not served now.
 *
 * Shape: 503 with `Retry-After`, `X-Weave-Backoff` and `X-Backoff` of one value, an integer number of seconds: Firefox reads it with
 * parseInt, for which a date is no number. `X-Weave-Maintenance` marks the answer as ours; no client reacts to it. The body is what the
 * client parses before it looks at any header: `0` for Sync storage, a JSON object for token servers.
 * Source: RFC 9110 §10.2.3, §15.6.4; Mozilla's storage API 1.5 and token server API.
 */
export function backoffAnswer(settings: BackoffSettings, request: BackoffRequest, random: () => number): Answer {
  const seconds = retryAfterSeconds(settings, random)
  const { mediaType, text } = body(shapeOf(settings.routes, request), seconds)
  const headers = [
    ['Retry-After', String(seconds)],
    ['X-Weave-Backoff', String(seconds)],
    ['X-Backoff', String(seconds)],
    ['X-Weave-Maintenance', '1'],
    ['Vary', 'Accept'],
  ] as const
  return answer({ status: 503, mediaType, text, headers, closes: request.closes })
}

/** Spread the return of clients upwards by the jitter's share, at least 5 seconds. Post: an integer, never below `retryAfter`. */
export function retryAfterSeconds(
  settings: Pick<BackoffSettings, 'retryAfter' | 'jitter'>,
  random: () => number,
): number {
  const spread = Math.max(Math.floor(settings.retryAfter * settings.jitter), 5)
  return settings.retryAfter + Math.floor(random() * (spread + 1))
}

/** Choose the shape: the longest prefix that matches; without one browsers get a page and others JSON. */
export function shapeOf(
  routes: BackoffSettings['routes'],
  request: Pick<BackoffRequest, 'path' | 'accept'>,
): BackoffShape {
  let best: BackoffSettings['routes'][number] | undefined
  for (const route of routes) {
    if (request.path.startsWith(route.prefix) && route.prefix.length > (best?.prefix.length ?? -1)) best = route
  }
  if (best !== undefined) return best.shape
  return /\btext\/html\b/i.test(request.accept ?? '') ? 'page' : 'json'
}

function body(shape: BackoffShape, seconds: number): { readonly mediaType: string; readonly text: string } {
  switch (shape) {
    case 'weave':
      return { mediaType: 'application/json', text: '0' }
    case 'token':
      return { mediaType: 'application/json', text: tokenBody }
    case 'json':
    case 'grpc':
      return {
        mediaType: 'application/json',
        text: JSON.stringify({ error: 'unavailable', message: explanation, retryAfterSeconds: seconds }),
      }
    case 'problem':
      return {
        mediaType: 'application/problem+json',
        text: JSON.stringify({ type: 'about:blank', title: 'Service Unavailable', status: 503, detail: explanation }),
      }
    case 'page':
      return { mediaType: 'text/html; charset=utf-8', text: page(seconds) }
  }
}

const explanation = 'The service is being upgraded and will be back shortly.'

const tokenBody = JSON.stringify({
  status: 'error',
  errors: [{ location: 'body', name: '', description: 'Unavailable' }],
})

function page(seconds: number): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="${seconds}">
<title>Back shortly</title>
<style>body{font:1.125rem/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1rem}</style>
</head>
<body>
<main>
<h1>Back shortly</h1>
<p>${explanation}</p>
<p>This page tries again by itself in ${seconds} seconds.</p>
</main>
</body>
</html>
`
}
