import { z } from 'zod'
import { duration } from './values.ts'

/** What stands in front of the listening service. */
export const gate = z.strictObject({
  mode: z
    .enum(['proxy', 'handover'])
    .default('proxy')
    .describe(
      '`proxy`: a reverse proxy in the path. `handover`: the application accepts on the listening socket itself.',
    ),
  listen: z
    .string()
    .default('127.0.0.1:${PORT}')
    .describe('The public address: `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`; may use variables of the environment.'),
  healthPaths: z
    .array(z.string().startsWith('/'))
    .default([])
    .describe('Paths of outer health checks, answered with 200 while holding.'),
  hold: z
    .strictObject({
      requests: z.number().int().min(0).default(1000).describe('How many requests are held at most.'),
      bytes: z
        .number()
        .int()
        .min(0)
        .default(64 * 1024 * 1024)
        .describe('How many bytes of them are kept at most.'),
      age: duration.prefault('25s').describe('How long one is held at most; then it is backed off.'),
      deadline: duration
        .prefault('1m')
        .describe(
          'How long a hold may last without word from the installer before the gate opens or backs off by itself.',
        ),
    })
    .prefault({})
    .describe('The bounds of a hold.'),
  ramp: z
    .strictObject({
      perSecond: z
        .number()
        .int()
        .min(1)
        .default(200)
        .describe('How many held requests are released in the first second; doubles every second.'),
    })
    .prefault({})
    .describe('How held requests are released, oldest first.'),
  backoff: z
    .strictObject({
      retryAfter: z.number().int().min(1).max(86_400).default(30).describe('Retry-After in seconds, before jitter.'),
      jitter: z
        .number()
        .min(0)
        .max(10)
        .default(0.2)
        .describe('The share of it that is added at random, upwards; at least 5 seconds.'),
      routes: z
        .array(
          z.strictObject({
            prefix: z.string().startsWith('/').describe('Requests whose path starts with it.'),
            shape: z
              .enum(['weave', 'token', 'json', 'problem', 'page'])
              .describe(
                'The body of the 503: `0` for Sync storage, a JSON object for token servers or APIs, problem+json, a page for browsers.',
              ),
          }),
        )
        .default([])
        .describe('The shape by path; the longest prefix wins. Without a match browsers get a page and others JSON.'),
    })
    .prefault({})
    .describe('The answer to requests that are not served during an upgrade.'),
  drain: z
    .strictObject({
      timeout: duration.prefault('10s').describe('How long requests in flight may take to finish.'),
      streams: duration
        .prefault('100ms')
        .describe(
          'How long event streams and upgraded connections may go on, which everybody else waits for; clients come back by themselves.',
        ),
    })
    .prefault({})
    .describe('How the old version is emptied.'),
})
