import { z } from 'zod'
import { relativePath } from './values.ts'

/** The answer to requests that are not served during an upgrade. */
export const backoff = z
  .strictObject({
    retryAfter: z.number().int().min(1).max(86_400).default(30).describe('Retry-After in seconds, before jitter.'),
    jitter: z
      .number()
      .min(0)
      .max(10)
      .default(0.2)
      .describe('The share of it that is added at random, upwards; at least 5 seconds.'),
    clients: z
      .number()
      .int()
      .min(0)
      .default(0)
      .describe(
        'How many clients there are; with `perSecond` the spread grows so that they come back no faster. 0: not known.',
      ),
    perSecond: z
      .number()
      .int()
      .min(1)
      .default(100)
      .describe('How many of them per second the application can take back.'),
    routes: z
      .array(
        z.strictObject({
          prefix: z.string().startsWith('/').describe('Requests whose path starts with it.'),
          shape: z
            .enum(['weave', 'token', 'json', 'problem', 'grpc', 'page'])
            .describe(
              'The body of the 503: `0` for Sync storage, a JSON object for token servers or APIs, problem+json, a gRPC status, a page for browsers.',
            ),
        }),
      )
      .default([])
      .describe(
        'The shape by path; the longest prefix wins. Without a match gRPC clients get a status, browsers a page and others JSON.',
      ),
    page: relativePath
      .optional()
      .describe('A page of the release for browsers, instead of ours; `{{seconds}}` in it is when to come back.'),
  })
  .prefault({})
  .describe('The answer to requests that are not served during an upgrade.')
