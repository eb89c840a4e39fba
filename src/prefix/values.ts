import fs from 'node:fs'
import { ReleaseError } from '../core/error.ts'
import { pythonVersion } from '../core/version.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { PrefixIdentity } from './identity.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import type { Secrets } from './secrets.ts'

/**
 * Name everything that `${…}` may stand for in commands, variables and templates of a release.
 *
 * Shape: `release`, `shared`, `prefix`, `version` (for Python also `pythonVersion`), `environment`, `runtime` (the interpreter), the variables of the environment with
 * those of the prefix over them, and the secrets; hence never logged as a whole. Errors: ENVIRONMENT_UNKNOWN.
 */
export function releaseValues(options: {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly recipe: InstalledRecipe
  readonly version: string
  readonly secrets: Secrets
}): Readonly<Record<string, string>> {
  const { paths, identity, recipe, version } = options
  return {
    ...environmentVariables(identity, recipe, version),
    ...identity.variables,
    ...options.secrets,
    release: releasePaths(paths, version).root,
    shared: paths.shared,
    prefix: paths.root,
    version,
    ...(recipe.node.runtime.kind === 'python' ? { pythonVersion: pythonVersion(version) } : {}),
    environment: identity.environment,
    runtime: runtimeOf(paths, version, recipe),
  }
}

/** The variables of the environment that a prefix is for. Errors: ENVIRONMENT_UNKNOWN. */
export function environmentVariables(
  identity: PrefixIdentity,
  recipe: InstalledRecipe,
  version: string,
): Readonly<Record<string, string>> {
  const environment = recipe.environments[identity.environment]
  if (environment !== undefined) return environment.variables
  const known = Object.keys(recipe.environments)
  throw new ReleaseError(
    'ENVIRONMENT_UNKNOWN',
    `${recipe.name} ${version} has no environment ${identity.environment}, expected one of ${known.join(', ')}`,
    { details: { environment: identity.environment, known } },
  )
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
