import { z } from 'zod'
import { backoff } from './gate-backoff.ts'
import { listen, networks, tls } from './gate-listen.ts'
import { haproxy, nginx } from './gate-server.ts'
import { duration, variableName } from './values.ts'

const hold = z
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
    afterwards: z
      .enum(['backoff', 'pass'])
      .default('backoff')
      .describe('What follows a hold that has lasted as long as it may.'),
  })
  .prefault({})
  .describe('The bounds of a hold.')

const ramp = z
  .strictObject({
    perSecond: z
      .number()
      .int()
      .min(1)
      .default(200)
      .describe('How many held requests are released in the first second; doubles every second.'),
    latency: duration
      .optional()
      .describe('The release stops growing faster while answers of the new version take longer than this.'),
  })
  .prefault({})
  .describe('How held requests are released, oldest first.')

const soft = z
  .strictObject({
    for: duration.prefault('0s').describe('How long before an upgrade it begins; `0s` leaves it out.'),
    share: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe('The share of good answers that tell to stay away, at its end.'),
  })
  .prefault({})
  .describe('Before an upgrade a rising share of good answers carries the backoff fields, so that fewer clients come.')

const recovery = z
  .strictObject({
    for: duration.prefault('0s').describe('How long it lasts after an upgrade; `0s` leaves it out.'),
    perSecond: z
      .number()
      .int()
      .min(1)
      .default(100)
      .describe(
        'How many requests are admitted in its first second; the rest is backed off. Grows evenly to ten times that.',
      ),
  })
  .prefault({})
  .describe('After an upgrade that turned clients away, how many of those that return are let in.')

const drain = z
  .strictObject({
    timeout: duration.prefault('10s').describe('How long requests in flight may take to finish.'),
    streams: duration
      .prefault('100ms')
      .describe(
        'How long event streams and upgraded connections may go on, which everybody else waits for; clients come back by themselves.',
      ),
    spread: duration
      .prefault('0s')
      .describe('Over how long the ends of those streams are spread, so that not all come back at once.'),
  })
  .prefault({})
  .describe('How the old version is emptied.')

const bypass = z
  .strictObject({
    secret: variableName
      .optional()
      .describe(
        'The secret of `node.secrets` that holds a token; a request whose field X-Cutover-Bypass or cookie cutover-bypass has it passes.',
      ),
    networks: networks.default([]).describe('Peers that pass, such as `10.0.0.0/8`.'),
  })
  .prefault({})
  .describe('Who reaches the application while others wait, to look at the new version.')

const canary = z
  .strictObject({
    share: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe('The share of clients that the new version gets before the switch; 0 for none.'),
    cookie: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, _ and -')
      .default('cutover-canary')
      .describe(
        'The cookie that keeps a client with the version it met; with the value `new` it asks for the new one.',
      ),
    for: duration.prefault('1m').describe('How long the new version is looked at before all get it.'),
    failures: z
      .number()
      .min(0)
      .max(1)
      .default(0.01)
      .describe('The share of its answers that may be 5xx; beyond it the upgrade is undone.'),
  })
  .prefault({})
  .describe('A part of the clients gets the new version first. Needs `overlap: true`.')

const limits = z
  .strictObject({
    headBytes: z
      .number()
      .int()
      .min(1024)
      .max(1_048_576)
      .default(16_384)
      .describe('The longest head of a request; longer is 431.'),
    fields: z
      .number()
      .int()
      .min(10)
      .max(10_000)
      .default(100)
      .describe('How many header fields a request may have; more is 431.'),
    headTimeout: duration.prefault('20s').describe('How long a client may take to send the head of a request.'),
    idleTimeout: duration
      .prefault('75s')
      .describe('How long a connection may be idle; longer than balancers in front keep theirs.'),
    bodyTimeout: duration
      .prefault('60s')
      .describe('How long a client that sends a body, or reads an answer, may make no progress.'),
    connections: z.number().int().min(1).default(20_000).describe('How many connections are open at most.'),
  })
  .prefault({})
  .describe('What one client may cost.')

const upstream = z
  .strictObject({
    proxyProtocol: z
      .enum(['off', 'v1', 'v2'])
      .default('off')
      .describe('Whether each connection to the service begins with who the client is.'),
    timeout: duration
      .prefault('60s')
      .describe('How long the service may take until an answer begins; then the client gets a 504.'),
  })
  .prefault({})
  .describe('How the service is reached, in mode `proxy`.')

/** What stands in front of the listening service. */
export const gate = z.strictObject({
  mode: z
    .enum(['proxy', 'handover', 'haproxy', 'nginx'])
    .default('proxy')
    .describe(
      '`proxy`: a reverse proxy in the path. `handover`: the application accepts on the listening socket itself. `haproxy`, `nginx`: one of the machine stands in front and is told.',
    ),
  listen: listen.prefault('127.0.0.1:${PORT}'),
  tls: tls.optional(),
  trust: networks
    .default(['127.0.0.0/8', '::1/128'])
    .describe(
      'Peers that are believed what they say of the original client: Forwarded, X-Forwarded-*, the PROXY protocol.',
    ),
  healthPaths: z
    .array(z.string().startsWith('/'))
    .default([])
    .describe('Paths of outer health checks, answered with 200 while holding.'),
  hold,
  ramp,
  soft,
  recovery,
  backoff,
  drain,
  overlap: z
    .boolean()
    .default(false)
    .describe(
      'Whether this version may run beside the one before, on the same data: then its listening service is started beside the old one and nothing is held, unless migrations that are not `expand` and `compatible` are due. Other services run once: those of the old version end, and those of the new one begin, right before it gets all requests.',
    ),
  canary,
  bypass,
  limits,
  upstream,
  haproxy,
  nginx,
  metrics: z
    .string()
    .optional()
    .describe(
      'Where Prometheus fetches metrics, `HOST:PORT` or `unix:PATH`; they are always at `cutover gate metrics`.',
    ),
  accessLog: z
    .enum(['off', 'combined', 'json'])
    .default('off')
    .describe('Whether each request is told in `log/access.log`, and how.'),
})
