import { ReleaseError } from '../core/error.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { RecipeRole } from '../recipe/schema.ts'
import { readTextIfExists } from '../sys/files.ts'
import type { PrefixIdentity } from './identity.ts'
import { parseRoles, type RoleSlots, sitePaths } from './site.ts'

/** What a release of a prefix is used for. */
export interface PrefixRole {
  readonly name: string
  /** The name of the slot; `none` for a prefix that is none. */
  readonly slot: string
  /** What the recipe says of the role; undefined where it knows no roles. */
  readonly recipe: RecipeRole | undefined
}

/** Read which slot of a site has which role; none when nothing was said yet. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER, FILE_IO. */
export function readRoles(site: string): RoleSlots {
  const { roles } = sitePaths(site)
  const text = readTextIfExists(roles)
  return text === undefined ? {} : parseRoles(text, roles)
}

/**
 * Find the role of a prefix, as its site has it now; undefined where there are no roles.
 *
 * A prefix that is no slot has the role of its environment's name, else the first by name: what a rehearsal tries must have one.
 * Errors: ROLE_UNKNOWN (the slot has none, or one that the recipe does not know), DOCUMENT_INVALID.
 */
export function roleOf(
  identity: Pick<PrefixIdentity, 'environment' | 'slot'>,
  recipe: Pick<InstalledRecipe, 'name' | 'node'>,
): PrefixRole | undefined {
  const { roles } = recipe.node
  const known = Object.keys(roles).toSorted()
  if (identity.slot !== undefined) return roleOfSlot(identity.slot, recipe, known)
  const [first] = known
  if (first === undefined) return undefined
  const name = known.includes(identity.environment) ? identity.environment : first
  return { name, slot: 'none', recipe: roles[name] }
}

function roleOfSlot(
  { site, name: slot }: NonNullable<PrefixIdentity['slot']>,
  { name: application, node }: Pick<InstalledRecipe, 'name' | 'node'>,
  known: readonly string[],
): PrefixRole {
  const role = Object.entries(readRoles(site)).find(([, each]) => each === slot)?.[0]
  if (role !== undefined && (known.length === 0 || known.includes(role))) {
    return { name: role, slot, recipe: node.roles[role] }
  }
  const found = role === undefined ? `slot ${slot} of ${site} has no role` : `${application} has no role ${role}`
  throw new ReleaseError('ROLE_UNKNOWN', `${found}, expected one of ${known.join(', ') || 'any name'}`, {
    details: { site, slot, role, known },
  })
}
