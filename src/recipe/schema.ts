import { z } from 'zod'
import { recipeProblems } from './checks.ts'
import { deb } from './schema/deb.ts'
import { node } from './schema/node.ts'
import { oci } from './schema/oci.ts'
import { payload } from './schema/payload.ts'
import { publish } from './schema/publish.ts'
import { command, duration, environment, gitName, name, relativePath } from './schema/values.ts'

/*
 * The sole definition of a recipe, with the parts in schema/: types, validation, recipes/recipe.schema.json and recipes/REFERENCE.md come
 * from here. Every leaf carries a description; a test proves that each key is read somewhere in src/. What one key asks of another is in
 * checks.ts.
 */

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

const summary = z.string().min(1).max(80)
const description = z.string().optional()

const component = z.strictObject({
  name: name.describe('The name of the component: its files go by it.'),
  summary: summary.describe('One line, without a full stop.'),
  description: description.describe('A paragraph or more, for package managers.'),
  payload,
  deb: deb
    .optional()
    .describe(
      'Its Debian package. A relation to another package of the release is exact with `${debianVersion}`: `notes-common (= ${debianVersion})`.',
    ),
})

const recipeShape = z.strictObject({
  schema: z.literal(1).describe('The version of this format.'),
  name: name.describe('The name of the application: package, repository role and prefix go by it.'),
  summary: summary.describe('One line, without a full stop.'),
  description: description.describe('A paragraph or more, for package managers.'),
  licence: z.string().min(1).describe('SPDX licence expression.'),
  maintainer: z
    .string()
    .regex(/^[^<>]+ <[^<>@\s]+@[^<>@\s]+>$/, 'expected `Name <mail@example.org>`')
    .describe('Who answers for the package: `Name <mail>`.'),
  homepage: z.url().optional().describe('Where to read about it.'),
  source: z
    .strictObject({
      repository: z
        .url()
        .optional()
        .describe(
          'Where the sources are public, such as `https://git.example.org/notes.git`: named in the provenance, without credentials.',
        ),
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
  payload,
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
  components: z
    .array(component)
    .default([])
    .describe('Further parts of the release with a payload and a Debian package of their own.'),
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
  publish: publish.prefault({}),
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

/** A recipe's Debian package. */
export type RecipeDeb = z.output<typeof deb>
/** A recipe's container image. */
export type RecipeImage = z.output<typeof oci>
/** What a component ships. */
export type RecipePayload = z.output<typeof payload>
/** A command of a recipe: tests, build, setup. `timeout` in milliseconds. */
export type RecipeCommand = z.output<typeof command>
/** What a server needs of a recipe; travels in the payload manifest. */
export type NodeRecipe = Recipe['node']
export type { GateKind, RecipeGate, RecipeHealth, RecipeMigration, RecipeRole, RecipeService } from './schema/node.ts'
