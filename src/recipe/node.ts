import type { Json } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import { type NodeRecipe, nodeRecipeSchema, type Recipe } from './schema.ts'

/** What a server needs of a recipe, validated, with defaults. */
export interface InstalledRecipe {
  readonly name: string
  readonly node: NodeRecipe
  readonly environments: Recipe['environments']
}

/** The keys of a recipe that travel to nodes in the payload manifest, as written. */
const nodeKeys = ['schema', 'name', 'node', 'environments'] as const

/** Take from a recipe, as written, what travels to nodes. Defaults stay out, so that the reader's version decides on them. */
export function nodeRecipeJson(raw: Json): Json {
  const recipe = raw as { readonly [key: string]: Json | undefined }
  return Object.fromEntries(nodeKeys.flatMap(key => (recipe[key] === undefined ? [] : [[key, recipe[key]]])))
}

/**
 * Read what {@link nodeRecipeJson} took, from a payload manifest or an installed release.
 *
 * Errors: RECIPE_INVALID, also for a key that this version does not know: leaving it out could run the application wrongly.
 */
export function parseNodeRecipe(raw: Json): InstalledRecipe {
  const parsed = nodeRecipeSchema.safeParse(raw)
  if (parsed.success) return { name: parsed.data.name, node: parsed.data.node, environments: parsed.data.environments }
  const problems = parsed.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`)
  throw new ReleaseError('RECIPE_INVALID', `the recipe in the release cannot be used: ${problems.join('; ')}`, {
    hint: 'the release may be made for a newer version: upgrade cutover on this machine',
    details: { problems },
  })
}
