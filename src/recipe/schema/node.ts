import { z } from 'zod'
import { command, duration, environment, name, relativePath, variableName } from './values.ts'

const http = z.strictObject({
  path: z.string().startsWith('/').default('/health').describe('The path to request.'),
  status: z.number().int().min(100).max(599).default(200).describe('The status that means healthy.'),
  contains: z.string().optional().describe('Text that the body must hold; may use `${version}`.'),
})

const health = z.strictObject({
  http: http.optional().describe('Ask the application over HTTP.'),
  command: command.optional().describe('Or run a command in the release; exit code 0 is healthy.'),
  interval: duration.prefault('200ms').describe('The pause between two probes.'),
  timeout: duration.prefault('5s').describe('How long one probe may take.'),
  successes: z.number().int().min(1).default(2).describe('How many in a row make it healthy.'),
  deadline: duration.prefault('30s').describe('How long a start may take to become healthy.'),
  watch: duration
    .prefault('2s')
    .describe('How long it must stay healthy after the switch before the installation is final.'),
})

const service = z.strictObject({
  name: name.describe('The name of the service, unique in the recipe.'),
  command: z
    .array(z.string())
    .min(1)
    .describe(
      'The command; may use `${release}`, `${shared}`, `${runtime}`, `${version}` (for python also `${pythonVersion}`, after PEP 440) and the variables of the environment.',
    ),
  directory: relativePath.optional().describe('Working directory relative to the release.'),
  environment: environment
    .default({})
    .describe('Variables of the service; may use the same placeholders as the command.'),
  listens: z
    .boolean()
    .default(false)
    .describe(
      'The service behind the gate; one at most. In `proxy` mode its command or environment uses `${port}` (a free port of 127.0.0.1) or `${socket}` (a unix socket) and it listens there; in `handover` mode it accepts on descriptor 3 (LISTEN_FDS=1).',
    ),
  stopSignal: z
    .enum(['SIGTERM', 'SIGINT', 'SIGQUIT'])
    .default('SIGTERM')
    .describe('The signal that asks it to end after its requests in flight.'),
  stopTimeout: duration.prefault('10s').describe('How long it may take to end before SIGKILL.'),
})

const sharedFile = z.strictObject({
  path: relativePath.describe('Where it is kept, below `shared/` of the prefix.'),
  template: relativePath
    .optional()
    .describe(
      'A file of the release to make it from on the first installation; placeholders as in a command. Never overwritten afterwards.',
    ),
  mode: z
    .string()
    .regex(/^0[0-7]{3}$/)
    .default('0640')
    .describe('The mode of the file.'),
})

const secret = z.strictObject({
  name: variableName.describe('The variable that services and templates get it as.'),
  bytes: z.number().int().min(16).max(64).default(32).describe('Length of a generated secret.'),
  encoding: z.enum(['hex', 'base64url']).default('hex').describe('How a generated secret is written.'),
})

const migration = z.strictObject({
  name: name.describe('The name of the migration, unique in the recipe.'),
  run: command.shape.run,
  directory: command.shape.directory,
  environment: command.shape.environment,
  timeout: command.shape.timeout,
  phase: z
    .enum(['expand', 'short'])
    .describe('`expand`: before the hold, the old version runs on its result. `short`: inside the hold.'),
  rollback: z
    .enum(['compatible', 'forward-only'])
    .default('compatible')
    .describe('Whether the version before can run on the result; `forward-only` raises the rollback floor.'),
})

const gate = z.strictObject({
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
        .prefault('500ms')
        .describe('How long event streams and upgraded connections may go on; clients come back by themselves.'),
    })
    .prefault({})
    .describe('How the old version is emptied.'),
})

/** How a server runs the application. */
export const node = z.strictObject({
  runtime: z
    .strictObject({
      kind: z
        .enum(['node', 'python', 'none'])
        .describe(
          '`node`: an interpreter on the machine (or the one that runs cutover). `python`: a virtualenv at the release’s final path. `none`: the release brings all.',
        ),
      version: z.string().optional().describe('The range of interpreter versions that will do, such as `>=24.15`.'),
      vendor: relativePath
        .optional()
        .describe('For python: the folder of the release that pip takes every package from.'),
      packages: z
        .array(z.string())
        .default([])
        .describe('For python: what pip installs from the vendor folder, such as `weave==${pythonVersion}`.'),
    })
    .default({ kind: 'none', packages: [] })
    .describe('What runs the application.'),
  setup: z
    .array(command)
    .default([])
    .describe('Commands run in the staged release before it is sealed; they may write only below it.'),
  shared: z
    .array(relativePath)
    .default([])
    .describe('Folders below `shared/` of the prefix that outlive releases (data, sockets).'),
  files: z.array(sharedFile).default([]).describe('Configuration outside the release.'),
  secrets: z.array(secret).default([]).describe('Secrets generated once per prefix.'),
  services: z.array(service).default([]).describe('What runs.'),
  health: health.prefault({}).describe('How health is found out.'),
  migrations: z
    .array(migration)
    .default([])
    .describe('Data migrations, in order; each runs at most once per prefix and version.'),
  gate: gate.prefault({}).describe('What stands in front of the listening service.'),
})

/** A service of a recipe. `stopTimeout` in milliseconds. */
export type RecipeService = z.output<typeof service>
/** A migration of a recipe. */
export type RecipeMigration = z.output<typeof migration>
/** The gate of a recipe. Durations in milliseconds. */
export type RecipeGate = z.output<typeof gate>
/** How health is found out. Durations in milliseconds. */
export type RecipeHealth = z.output<typeof health>
