import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { Account } from '../sys/account.ts'
import { execute } from '../sys/exec.ts'
import { accountOf } from './account.ts'
import { assertAgeKey } from './age.ts'
import { cleanEnvironment } from './command.ts'
import type { PrefixIdentity } from './identity.ts'
import { isComplete } from './installed.ts'
import type { PrefixPaths } from './layout.ts'
import { checkRuntime } from './runtime-check.ts'
import { readSecrets } from './secrets.ts'
import { environmentVariables } from './values.ts'

/**
 * Look whether a prefix has all that a release is configured with, before anything is fetched or changed; of one that is there, whether it
 * still has its interpreter.
 *
 * Errors: ENVIRONMENT_UNKNOWN, VARIABLE_INVALID (all that are missing or wrong), ACCOUNT_UNKNOWN, ACCOUNT_DENIED (the user cannot be become,
 * or cannot reach the prefix), SECRET_KEY, RUNTIME_*.
 */
export async function assertConfigurable(request: {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly recipe: InstalledRecipe
  readonly version: string
}): Promise<void> {
  const { paths, identity, recipe, version } = request
  environmentVariables(identity, recipe, version)
  const account = accountOf(recipe)
  const encrypted = recipe.node.secrets.filter(secret => secret.age !== undefined)
  const known = readSecrets(paths, version, encrypted)
  const unknown = encrypted.find(secret => !Object.hasOwn(known, secret.name))
  if (unknown !== undefined) assertAgeKey(identity.settings?.ageKeyFile, unknown.name)
  if (account !== undefined) await assertReachable(paths, recipe, account)
  if (isComplete(paths, version)) await checkRuntime({ paths, version, runtime: recipe.node.runtime, account })
}

async function assertReachable(paths: PrefixPaths, recipe: InstalledRecipe, account: Account): Promise<void> {
  try {
    const enter = ['/bin/sh', '-c', 'cd -- "$1"', 'sh', paths.releases] as const
    await execute(enter, { account, environment: cleanEnvironment, timeoutMs: 30_000 })
  } catch (caught) {
    const error = toReleaseError(caught)
    throw new ReleaseError(
      'ACCOUNT_DENIED',
      `${recipe.name} runs as ${recipe.node.user}, who cannot enter ${paths.releases}`,
      {
        hint: `let others pass through the folders above it: chmod o+x FOLDER`,
        details: { user: recipe.node.user, path: paths.releases, reason: error.code },
        cause: error,
      },
    )
  }
}
