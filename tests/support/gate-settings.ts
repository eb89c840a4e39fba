import type { FrontSettings } from '../../src/gate/front/settings.ts'

/** How a gate behaves in tests, unless they say otherwise. */
export const gateSettings: FrontSettings = {
  hold: { requests: 100, bytes: 10_000_000, ageMs: 20_000 },
  rampPerSecond: 1000,
  backoff: { retryAfter: 30, jitter: 0.2, routes: [] },
  healthPaths: [],
  limits: {
    headBytes: 16_384,
    fields: 100,
    headTimeoutMs: 20_000,
    idleTimeoutMs: 75_000,
    bodyTimeoutMs: 60_000,
    connections: 20_000,
  },
  upstream: { proxyProtocol: 'off', timeoutMs: 60_000 },
  trust: ['127.0.0.0/8', '::1/128'],
}
