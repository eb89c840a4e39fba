import { z } from 'zod'
import { command, relativePath, variableName } from './values.ts'

const runtime = z
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

/** The keys of `node` that say what a release runs with. */
export const configuration = {
  runtime: runtime.describe('What runs the application.'),
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
} as const
