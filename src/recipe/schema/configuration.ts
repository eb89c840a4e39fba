import { z } from 'zod'
import { accountName, command, duration, relativePath, variableName } from './values.ts'

const runtime = z
  .strictObject({
    kind: z
      .enum(['node', 'python', 'none'])
      .describe(
        '`node`: an interpreter on the machine (or the one that runs cutover). `python`: a virtualenv at the release’s final path. `none`: the release brings all.',
      ),
    version: z
      .string()
      .optional()
      .describe(
        'The range of interpreter versions that will do, such as `>=24.15`; looked at again whenever it is started.',
      ),
    interpreter: relativePath
      .optional()
      .describe(
        'An interpreter that the payload brings, such as `node/bin/node`, in place of one of the machine; its version is checked all the same.',
      ),
    vendor: relativePath
      .optional()
      .describe('For python: the folder of the release that pip takes every package from, by its digest.'),
    packages: z
      .array(z.string())
      .default([])
      .describe('For python: what pip installs from the vendor folder, such as `weave==${pythonVersion}`.'),
  })
  .default({ kind: 'none', packages: [] })

const setupCommand = command.extend({
  network: z
    .boolean()
    .default(false)
    .describe('Whether it may use the network, loopback included. What the machine cannot keep from it is told.'),
})

const mode = z
  .string()
  .regex(/^0[0-7]{3}$/)
  .default('0640')
  .describe('The mode of the file.')

const sharedFile = z.strictObject({
  path: relativePath.describe('Where it is kept, below `shared/` of the prefix.'),
  template: relativePath
    .optional()
    .describe(
      'A file of the release to make it from on the first installation; placeholders as in a command, secrets included. `environments/NAME/` of the release may hold one for an environment. Never overwritten afterwards.',
    ),
  mode,
})

const configFile = z.strictObject({
  path: relativePath.describe('Where it is written, below the folder of the release; no file of the payload.'),
  template: relativePath.describe(
    'The file of the release that it is made from; placeholders as in a command, secrets included. `environments/NAME/` of the release may hold one for an environment.',
  ),
  mode,
})

const secret = z.strictObject({
  name: variableName.describe('The variable that services and templates get it as.'),
  bytes: z.number().int().min(16).max(64).default(32).describe('Length of a generated secret.'),
  encoding: z.enum(['hex', 'base64url']).default('hex').describe('How a generated secret is written.'),
  command: z
    .strictObject({
      run: command.shape.run,
      environment: command.shape.environment,
      timeout: duration.prefault('30s').describe('How long it may take.'),
    })
    .optional()
    .describe(
      'For one that is kept elsewhere: the command that prints it, run in the release at every change, before anything stops.',
    ),
  age: relativePath
    .optional()
    .describe(
      'For one that comes with the release: the file that holds it, encrypted with age for this server’s key. `environments/NAME/` of the release may hold one for an environment.',
    ),
  as: z
    .enum(['variable', 'file'])
    .default('variable')
    .describe('`file`: in a file of the user’s with mode 0600, whose path is the variable `NAME_FILE`.'),
})

const variable = z.strictObject({
  type: z
    .enum(['text', 'port', 'host', 'url'])
    .default('text')
    .describe('`port`: 1 to 65535. `host`: a name or an IP address. `url`: an absolute address.'),
  default: z
    .string()
    .optional()
    .describe('The value where neither the environment nor the prefix has one; without it, one of them must.'),
  description: z.string().optional().describe('What it is for; told to whoever has to give it.'),
})

/** The keys of `node` that say what a release runs with. */
export const configuration = {
  user: accountName
    .optional()
    .describe(
      'The user of the machine that services, migrations and all other commands run as where root installs; it must exist, and cannot write to releases.',
    ),
  group: accountName.optional().describe('The group that goes with it; the user’s own when absent.'),
  runtime: runtime.describe('What runs the application.'),
  setup: z
    .array(setupCommand)
    .default([])
    .describe(
      'Commands run in the staged release before it is sealed; they may write only below it. Where there is a `user`, they run as one that exists for them alone.',
    ),
  shared: z
    .array(relativePath)
    .default([])
    .describe('Folders below `shared/` of the prefix that outlive releases (data, sockets).'),
  files: z.array(sharedFile).default([]).describe('Configuration outside the release, which people may edit.'),
  config: z
    .array(configFile)
    .default([])
    .describe('Configuration in the folder of the release: made anew with each, and gone back to with it.'),
  variables: z
    .record(variableName, variable)
    .default({})
    .describe(
      'Variables that are more than a text in `environments`: checked, with a default, or to be given by each prefix.',
    ),
  secrets: z
    .array(secret)
    .default([])
    .describe(
      'Secrets: generated once per prefix, asked of a command, or encrypted in the release. A rehearsal generates all of them.',
    ),
} as const
