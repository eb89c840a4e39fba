import os from 'node:os'
import { ReleaseError } from '../core/error.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import { type Account, lookUpGroup, lookUpUser } from '../sys/account.ts'

/**
 * Find the user that an application runs as on this machine; undefined where it is whoever runs us.
 *
 * Post: defined only where we are root and the recipe names a user. Errors: ACCOUNT_UNKNOWN (no such user or group), ACCOUNT_DENIED (another
 * user than ours, and we are not root).
 */
export function accountOf(recipe: Pick<InstalledRecipe, 'name' | 'node'>): Account | undefined {
  // Asked for by every part of a change; each time, processes would be started to find out.
  if (!known.has(recipe.node)) known.set(recipe.node, findAccount(recipe))
  return known.get(recipe.node)
}

const known = new WeakMap<InstalledRecipe['node'], Account | undefined>()

function findAccount(recipe: Pick<InstalledRecipe, 'name' | 'node'>): Account | undefined {
  const { user, group } = recipe.node
  if (user === undefined) return undefined
  const found = lookUpUser(user)
  if (found === undefined) throw unknown(recipe.name, 'user', user)
  const gid = group === undefined ? found.gid : lookUpGroup(group)
  if (gid === undefined) throw unknown(recipe.name, 'group', group!)
  const ownUid = process.geteuid!()
  if (ownUid === 0) return { uid: found.uid, gid, groups: [...new Set([gid, ...found.groups])] }
  if (ownUid === found.uid) return undefined
  throw new ReleaseError(
    'ACCOUNT_DENIED',
    `${recipe.name} runs as ${user}, and ${os.userInfo().username} cannot start it so`,
    {
      hint: `run the same command as root, or as ${user}`,
      details: { user, uid: found.uid, found: ownUid },
    },
  )
}

function unknown(application: string, kind: 'user' | 'group', name: string): ReleaseError {
  const command = kind === 'user' ? `adduser --system --group ${name}` : `addgroup --system ${name}`
  return new ReleaseError(
    'ACCOUNT_UNKNOWN',
    `${application} runs as ${kind} ${name}, which this machine does not have`,
    {
      hint: `run ${command}, then the same command again`,
      details: { [kind]: name },
    },
  )
}
