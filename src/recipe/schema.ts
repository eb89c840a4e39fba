import { z } from 'zod'
import { parseDuration } from '../core/quantity.ts'
import { isRelativePath } from '../core/relative-path.ts'
import { recipeProblems } from './checks.ts'

/*
 * The sole definition of a recipe: types, validation, recipes/recipe.schema.json and recipes/REFERENCE.md come from here.
 * Every leaf carries a description; a test proves that each key is read somewhere in src/. What one key asks of another is in checks.ts.
 */

const duration = z
  .string()
  .refine(text => parseDuration(text) !== undefined, { message: 'expected a duration such as 250ms, 25s or 10m' })
  .transform(text => parseDuration(text)!)
const relativePath = z.string().refine(isRelativePath, { message: 'expected a relative path without . or .. segments' })
const folderPath = z.string().refine(text => text === '.' || isRelativePath(text), {
  message: 'expected a relative path without . or .. segments, or `.` for the folder itself',
})
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9+.-]{1,62}$/, 'expected 2 to 63 of a-z 0-9 + . - , a letter or digit first')
const gitName = z
  .string()
  .regex(/^(?!-)[^\u0000-\u0020\u007f~^:?*[\\]+$/, 'expected a name that git takes for a branch or remote')
const variableName = z.string().regex(/^[A-Z_][A-Z0-9_]*$/, 'expected an environment variable name in upper case')
const environment = z.record(variableName, z.string())

const command = z
  .strictObject({
    run: z
      .union([z.string().min(1), z.array(z.string()).min(1)])
      .describe(
        'The command: a list is executed as it is, a string by `sh -eu -c`. On a node the words of a list may use placeholders as a service does; a string may not, for `${…}` is the shell’s there.',
      ),
    directory: relativePath
      .optional()
      .describe('Where it runs, relative to the checkout (release side) or the release (node side).'),
    environment: environment
      .default({})
      .describe('Variables added to the environment of the command; on a node their values may use placeholders.'),
    timeout: duration.prefault('10m').describe('How long it may take.'),
  })
  .describe('A command to run.')

function hasGroup(pattern: string): boolean {
  try {
    // An alternative that always matches tells how many groups there are.
    return new RegExp(`${pattern}|`).exec('')!.length > 1
  } catch {
    return false
  }
}

const versionFile = z
  .strictObject({
    path: relativePath.describe('A file of the repository that names the version.'),
    json: z.string().optional().describe('For JSON: the dotted path of the member to set, such as `version`.'),
    pattern: z
      .string()
      .refine(hasGroup, { message: 'expected a regular expression with a group around the version' })
      .optional()
      .describe('For any text: a regular expression (flag `m`) whose first group is the version.'),
    form: z
      .enum(['semver', 'python'])
      .optional()
      .describe(
        'How the version is written there: `python` after PEP 440, so that snapshots and pre-releases can be packaged; else as it is.',
      ),
  })
  .refine(file => (file.json === undefined) !== (file.pattern === undefined), {
    message: 'expected exactly one of json and pattern',
  })

const payloadEntry = z.strictObject({
  from: folderPath.describe('A file or folder of the built checkout, or `.` for all of it.'),
  to: folderPath
    .optional()
    .describe('Where it goes below the payload root (`.` is the root); the same path when absent.'),
  mode: z
    .string()
    .regex(/^0[0-7]{3}$/)
    .optional()
    .describe('The mode of files, such as `0755`; kept (normalised to 0644 or 0755) when absent.'),
})

const systemdUnit = z.strictObject({
  enable: z.boolean().default(true).describe('Enable and start it on installation.'),
})

const deb = z.strictObject({
  package: name.optional().describe('The name of the Debian package; the application’s name when absent.'),
  architecture: z.enum(['all', 'amd64', 'arm64']).default('all').describe('The Debian architecture.'),
  section: z.string().default('misc').describe('The archive section.'),
  priority: z.enum(['required', 'important', 'standard', 'optional']).default('optional').describe('The priority.'),
  depends: z.array(z.string()).default([]).describe('Depends, one relation each.'),
  recommends: z.array(z.string()).default([]).describe('Recommends, one relation each.'),
  conffiles: z
    .array(relativePath)
    .default([])
    .describe('Files below the root of the file system that are configuration, without the leading slash.'),
  preinst: z.string().optional().describe('Shell text run before unpacking.'),
  postinst: z.string().optional().describe('Shell text run when configuring.'),
  prerm: z.string().optional().describe('Shell text run before removal.'),
  postrm: z.string().optional().describe('Shell text run after removal.'),
  unit: systemdUnit.optional().describe('Ship a systemd unit for each service.'),
  revision: z
    .string()
    .regex(/^[A-Za-z0-9+.~]+$/)
    .default('1')
    .describe('The Debian revision.'),
})

const oci = z.strictObject({
  platforms: z
    .array(z.enum(['linux/amd64', 'linux/arm64']))
    .min(1)
    .default(['linux/amd64'])
    .describe('The platforms of the image index.'),
  entrypoint: z.array(z.string()).default([]).describe('The entry point.'),
  cmd: z.array(z.string()).default([]).describe('The default arguments.'),
  user: z.string().default('65534:65534').describe('The user and group that run it.'),
  workingDirectory: z.string().optional().describe('The working directory; the payload root when absent.'),
  environment: environment.default({}).describe('Environment variables.'),
  ports: z.array(z.number().int().min(1).max(65535)).default([]).describe('TCP ports that it listens on.'),
  volumes: z.array(z.string().startsWith('/')).default([]).describe('Paths that hold data.'),
  labels: z.record(z.string(), z.string()).default({}).describe('Further labels.'),
})

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

const node = z.strictObject({
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

const recipeShape = z.strictObject({
  schema: z.literal(1).describe('The version of this format.'),
  name: name.describe('The name of the application: package, repository role and prefix go by it.'),
  summary: z.string().min(1).max(80).describe('One line, without a full stop.'),
  description: z.string().optional().describe('A paragraph or more, for package managers.'),
  licence: z.string().min(1).describe('SPDX licence expression.'),
  maintainer: z
    .string()
    .regex(/^[^<>]+ <[^<>@\s]+@[^<>@\s]+>$/, 'expected `Name <mail@example.org>`')
    .describe('Who answers for the package: `Name <mail>`.'),
  homepage: z.url().optional().describe('Where to read about it.'),
  source: z
    .strictObject({
      branch: gitName.default('main').describe('The branch that releases are cut from.'),
      remote: gitName
        .default('origin')
        .describe('The remote that tags are checked against and pushed to, when the repository has it.'),
      tagPrefix: z
        .string()
        .regex(/^[A-Za-z0-9._/-]*$/)
        .default('v')
        .describe('What stands before the version in a tag.'),
      changelog: z
        .union([relativePath, z.literal(false)])
        .default('CHANGELOG.md')
        .describe('The changelog that `cut` writes to; `false` keeps none in the repository.'),
      versionFiles: z.array(versionFile).default([]).describe('Files that name the version, set by `cut`.'),
    })
    .prefault({})
    .describe('The repository.'),
  tests: z
    .array(command)
    .default([])
    .describe('The application’s own tests, run in a clean checkout of their own, in the pinned environment.'),
  build: z
    .array(command)
    .default([])
    .describe(
      'Commands that turn a clean checkout into what is shipped, run in the pinned environment, with `CUTOVER_VERSION` besides.',
    ),
  payload: z
    .strictObject({
      root: relativePath.describe(
        'Where the payload lives on the file system in a package or image, without the leading slash, such as `opt/notes`.',
      ),
      entries: z.array(payloadEntry).min(1).describe('What is shipped.'),
      exclude: z
        .array(z.string().min(1))
        .default([])
        .describe(
          'Glob patterns, relative to the payload root, of what is not. A folder that matches goes with all below it; `*` does not match a leading dot.',
        ),
      level: z.number().int().min(1).max(19).default(3).describe('The zstd level.'),
    })
    .describe('The tree that every envelope carries.'),
  artifacts: z
    .strictObject({
      deb: deb.optional().describe('Build a Debian package.'),
      oci: oci.optional().describe('Build a container image.'),
      python: z
        .array(relativePath)
        .default([])
        .describe('Built sdists and wheels (folders of them) to publish in the Python index.'),
    })
    .prefault({})
    .describe('The envelopes besides the tarball, which is always built.'),
  node: node.prefault({}).describe('How a server runs it.'),
  rehearsal: z
    .strictObject({
      environment: name.optional().describe('The environment that `cut` rehearses in; the first one when absent.'),
      variables: environment
        .default({})
        .describe(
          'Values that replace those of the environment. The public address is a free port of 127.0.0.1, whatever `gate.listen` says.',
        ),
      watch: duration
        .prefault('500ms')
        .describe('How long each version must stay healthy in it, in place of `node.health.watch`.'),
    })
    .prefault({})
    .describe('How `cut` tries the release out before it tags it.'),
  environments: z
    .record(name, z.strictObject({ variables: environment.default({}).describe('Values for `${NAME}` placeholders.') }))
    .default({ production: { variables: {} } })
    .describe('The environments a prefix can belong to.'),
})

/** A recipe, validated, with its defaults. */
export type Recipe = z.output<typeof recipeShape>

/** The shape of a recipe as a person writes it; `z.output` is what the program works with (durations in ms, defaults filled in). */
export const recipeSchema = recipeShape.superRefine((recipe, context) => {
  for (const problem of recipeProblems(recipe)) {
    context.addIssue({ code: 'custom', path: [...problem.path], message: problem.message })
  }
})

/** The part of a recipe that travels to nodes, as {@link recipeSchema} has it. */
export const nodeRecipeSchema = recipeShape.pick({ schema: true, name: true, node: true, environments: true })

/** A command of a recipe: tests, build, setup. `timeout` in milliseconds. */
export type RecipeCommand = z.output<typeof command>
/** What a server needs of a recipe; travels in the payload manifest. */
export type NodeRecipe = Recipe['node']
/** A service of a recipe. `stopTimeout` in milliseconds. */
export type RecipeService = z.output<typeof service>
/** A migration of a recipe. */
export type RecipeMigration = z.output<typeof migration>
/** The gate of a recipe. Durations in milliseconds. */
export type RecipeGate = z.output<typeof gate>
/** How health is found out. Durations in milliseconds. */
export type RecipeHealth = z.output<typeof health>
