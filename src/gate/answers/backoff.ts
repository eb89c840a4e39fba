import { type Answer, answer } from './answer.ts'
import { explanation, fillPage, pageText } from './page.ts'
import { type RetrySettings, retryAfterSeconds } from './retry-after.ts'

/** The shape of an answer, by what the route's clients parse. */
export type BackoffShape = 'weave' | 'token' | 'json' | 'problem' | 'grpc' | 'page'

/** How requests are turned away. */
export interface BackoffSettings extends RetrySettings {
  readonly routes: readonly { readonly prefix: string; readonly shape: BackoffShape }[]
  /** A page of the release; absent: ours. */
  readonly page?: string | undefined
}

/** What the answer depends on. */
export interface BackoffRequest {
  readonly method: string
  readonly path: string
  readonly accept: string | undefined
  readonly contentType: string | undefined
  /** The connection cannot be used again: the request's body was not read, or the gate is going away. */
  readonly closes: boolean
}

/**
 * Make the answer to a request that is not served now.
 *
 * Shape: 503 with `Retry-After`, `X-Weave-Backoff` and `X-Backoff` of one value, an integer number of seconds: Firefox reads it with
 * parseInt, for which a date is no number. `X-Weave-Maintenance` marks the answer as ours; no client reacts to it. The body is what the
 * client parses before it looks at any header: `0` for Sync storage, a JSON object for token servers. gRPC has its status beside HTTP's.
 * Post: holds nothing of the request.
 * Source: RFC 9110 §10.2.3, §15.6.4; Mozilla's storage API 1.5 and token server API.
 */
export function backoffAnswer(settings: BackoffSettings, request: BackoffRequest, random: () => number): Answer {
  const seconds = retryAfterSeconds(settings, random)
  const shape = shapeOf(settings.routes, request)
  if (shape === 'grpc') return grpcAnswer(request, seconds)
  const { mediaType, text, headers = [] } = body(shape, { settings, request, seconds })
  return answer({
    status: 503,
    mediaType,
    text,
    headers: [
      ['Retry-After', String(seconds)],
      ['X-Weave-Backoff', String(seconds)],
      ['X-Backoff', String(seconds)],
      marker,
      ['Vary', 'Accept'],
      ...headers,
    ],
    closes: request.closes,
  })
}

const marker = ['X-Weave-Maintenance', '1'] as const

/** Choose the shape: the longest prefix that matches; without one gRPC clients get a status, browsers a page and others JSON. */
export function shapeOf(
  routes: BackoffSettings['routes'],
  request: Pick<BackoffRequest, 'path' | 'accept' | 'contentType'>,
): BackoffShape {
  let best: BackoffSettings['routes'][number] | undefined
  for (const route of routes) {
    if (request.path.startsWith(route.prefix) && route.prefix.length > (best?.prefix.length ?? -1)) best = route
  }
  if (best !== undefined) return best.shape
  if (grpcType(request.contentType) !== undefined) return 'grpc'
  return /\btext\/html(?![\w.+-])/i.test(request.accept ?? '') ? 'page' : 'json'
}

interface Body {
  readonly mediaType: string
  readonly text: string
  readonly headers?: readonly (readonly [string, string])[]
}

interface BodyOptions {
  readonly settings: BackoffSettings
  readonly request: BackoffRequest
  readonly seconds: number
}

function body(shape: Exclude<BackoffShape, 'grpc'>, { settings, request, seconds }: BodyOptions): Body {
  switch (shape) {
    case 'weave':
      return { mediaType: 'application/json', text: '0' }
    case 'token':
      return { mediaType: 'application/json', text: tokenBody }
    case 'json':
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
      return page(settings.page, request, seconds)
  }
}

const tokenBody = JSON.stringify({
  status: 'error',
  errors: [{ location: 'body', name: '', description: 'Unavailable' }],
})

const html = 'text/html; charset=utf-8'

function page(template: string | undefined, { method }: BackoffRequest, seconds: number): Body {
  if (template !== undefined) return { mediaType: html, text: fillPage(template, seconds) }
  const refreshes = method === 'GET' || method === 'HEAD'
  const policy = "default-src 'none'; style-src 'unsafe-inline'"
  return {
    mediaType: html,
    text: pageText({ seconds, refreshes }),
    headers: [['Content-Security-Policy', policy]],
  }
}

/** The largest number that a client takes: a signed one of 32 bits. */
const longestPushbackMs = 2 ** 31 - 1

/**
 * Answer a gRPC call: HTTP says 200, and all that a call's trailers would say is in the one block of fields, without a body.
 *
 * `grpc-retry-pushback-ms` is when a client that may retry does so. Source: gRPC over HTTP/2 (Trailers-Only; 14 is UNAVAILABLE); gRFC A6.
 */
function grpcAnswer({ contentType, closes }: BackoffRequest, seconds: number): Answer {
  return answer({
    status: 200,
    mediaType: grpcType(contentType) ?? 'application/grpc',
    text: '',
    headers: [
      ['grpc-status', '14'],
      ['grpc-message', explanation],
      ['grpc-retry-pushback-ms', String(Math.min(seconds * 1000, longestPushbackMs))],
      marker,
    ],
    closes,
  })
}

/** The media type for a caller of gRPC, from a list of ours: what it sent goes into no answer. */
function grpcType(contentType: string | undefined): string | undefined {
  const match = /^application\/grpc(-web(?:-text)?)?(?:[+;\s]|$)/i.exec(contentType ?? '')
  return match === null ? undefined : `application/grpc${match[1]?.toLowerCase() ?? ''}`
}
