import type { RecipeProblem } from './checks.ts'
import { ownShared } from './configuration-checks.ts'
import type { Recipe } from './schema.ts'
import { variableProblem } from './variable.ts'

/** Find what the roles of a recipe ask of each other and of what they replace. Shape: by role, in the order of the schema. */
export function roleProblems(recipe: Recipe): readonly RecipeProblem[] {
  return Object.keys(recipe.node.roles).flatMap(role => [
    ...roleVariables(recipe, role),
    ...roleMounts(recipe, role),
    ...roleHealth(recipe, role),
  ])
}

function roleVariables({ node }: Recipe, role: string): RecipeProblem[] {
  const secrets = new Set(node.secrets.flatMap(({ name }) => [name, `${name}_FILE`]))
  return Object.entries(node.roles[role]!.environment).flatMap(([name, value]) => {
    const path = ['node', 'roles', role, 'environment', name]
    if (secrets.has(name)) return [{ path, message: `expected a name that no secret has, found ${name}` }]
    const declared = node.variables[name]
    const message = declared === undefined ? undefined : variableProblem(declared, value)
    return message === undefined ? [] : [{ path, message }]
  })
}

/** A release must find the same places in every role, and none of them may be something else as well. */
function roleMounts({ node }: Recipe, role: string): RecipeProblem[] {
  const taken = new Set([...node.shared, ...node.files.map(file => file.path)].map(place => place.split('/')[0]!))
  const { mounts } = node.roles[role]!
  const names = [...new Set(Object.values(node.roles).flatMap(each => Object.keys(each.mounts)))]
  const missing = names.filter(name => !Object.hasOwn(mounts, name))
  const path = ['node', 'roles', role, 'mounts']
  return [
    ...missing.map(name => ({ path, message: `expected a folder for ${name}, which other roles have, found none` })),
    ...Object.keys(mounts).flatMap(name => {
      if (ownShared.has(name)) return [{ path, message: `expected another name, for ${name} is cutover’s` }]
      if (!taken.has(name)) return []
      return [{ path, message: `expected another name, for node.shared or node.files has ${name}` }]
    }),
  ]
}

function roleHealth({ node }: Recipe, role: string): RecipeProblem[] {
  if (node.roles[role]!.health.contains === undefined || node.health.http !== undefined) return []
  const path = ['node', 'roles', role, 'health', 'contains']
  return [{ path, message: 'expected node.health.http, whose answer is looked at, found none' }]
}
