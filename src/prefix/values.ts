import fs from 'node:fs'
import { ReleaseError } from '../core/error.ts'
import { pythonVersion } from '../core/version.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import { defaultVariables, variableProblem } from '../recipe/variable.ts'
import type { PrefixIdentity } from './identity.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import { roleOf } from './role.ts'
import { secretFile } from './secret-files.ts'
import type { Secrets } from './secrets.ts'

/**
 * Name everything that `${…}` may stand for in commands, variables and templates of a release.
 *
 * Shape: `release`, `shared`, `prefix`, `version` (for Python also `pythonVersion`), `environment`, `runtime` (the interpreter), `role` and `slot` where
 * there are roles, the variables of the environment with those of the role and of the prefix over them, and the secrets (or, as NAME_FILE, where they
 * can be read); hence never logged as a whole. Errors: ENVIRONMENT_UNKNOWN, ROLE_UNKNOWN, VARIABLE_INVALID.
 */
export function releaseValues(options: {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly recipe: InstalledRecipe
  readonly version: string
  readonly secrets: Secrets
}): Readonly<Record<string, string>> {
  const { paths, identity, recipe, version } = options
  const role = roleOf(identity, recipe)
  return {
    ...environmentVariables(identity, recipe, version),
    ...secretValues(options),
    release: releasePaths(paths, version).root,
    shared: paths.shared,
    prefix: paths.root,
    version,
    ...(recipe.node.runtime.kind === 'python' ? { pythonVersion: pythonVersion(version) } : {}),
    environment: identity.environment,
    runtime: runtimeOf(paths, version, recipe),
    ...(role === undefined ? {} : { role: role.name, slot: role.slot }),
  }
}

/**
 * Work out the variables of a release in a prefix: those of the prefix, over those of its role, over those of its environment, over the
 * recipe's defaults.
 *
 * Post: all that the recipe declares, each as its type wants it. Errors: ENVIRONMENT_UNKNOWN, ROLE_UNKNOWN, VARIABLE_INVALID with all
 * that are missing or wrong.
 */
export function environmentVariables(
  identity: Pick<PrefixIdentity, 'environment' | 'variables' | 'slot'>,
  recipe: InstalledRecipe,
  version: string,
): Readonly<Record<string, string>> {
  const environment = recipe.environments[identity.environment]
  if (environment === undefined) throw unknownEnvironment(identity.environment, recipe, version)
  const declared = recipe.node.variables
  const role = roleOf(identity, recipe)?.recipe
  const variables = {
    ...defaultVariables(declared),
    ...environment.variables,
    ...role?.environment,
    ...identity.variables,
  }
  const problems = Object.entries(declared).flatMap(([name, variable]) => {
    const problem = variableProblem(variable, variables[name])
    return problem === undefined ? [] : [{ name, problem }]
  })
  if (problems.length > 0) throw invalidVariables(problems, recipe, version)
  return variables
}

function invalidVariables(
  problems: readonly { readonly name: string; readonly problem: string }[],
  recipe: InstalledRecipe,
  version: string,
): ReleaseError {
  const texts = problems.map(({ name, problem }) => `${name}: ${problem}`)
  return new ReleaseError('VARIABLE_INVALID', `${recipe.name} ${version} cannot run so: ${texts.join('; ')}`, {
    hint: `run cutover settings ${problems.map(({ name }) => `${name}=VALUE`).join(' ')}`,
    details: { version, variables: problems.map(({ name }) => name) },
  })
}

function unknownEnvironment(environment: string, recipe: InstalledRecipe, version: string): ReleaseError {
  const known = Object.keys(recipe.environments)
  return new ReleaseError(
    'ENVIRONMENT_UNKNOWN',
    `${recipe.name} ${version} has no environment ${environment}, expected one of ${known.join(', ')}`,
    { details: { environment, known } },
  )
}

function secretValues({
  paths,
  recipe,
  version,
  secrets,
}: Parameters<typeof releaseValues>[0]): Readonly<Record<string, string>> {
  const files = new Set(recipe.node.secrets.flatMap(secret => (secret.as === 'file' ? [secret.name] : [])))
  const shown = Object.entries(secrets).filter(([name]) => !files.has(name))
  const places = [...files].map(name => [`${name}_FILE`, secretFile(paths, version, name)] as const)
  return Object.fromEntries([...shown, ...places])
}

function runtimeOf(paths: PrefixPaths, version: string, recipe: InstalledRecipe): string {
  const release = releasePaths(paths, version)
  switch (recipe.node.runtime.kind) {
    case 'python':
      return release.python
    case 'node':
      // Chosen by setup; an interpreter that was removed since is replaced by the one that runs us.
      return fs.existsSync(release.runtime) ? fs.readlinkSync(release.runtime) : process.execPath
    case 'none':
      return ''
  }
}
