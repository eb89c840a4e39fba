import type { RecipeProblem } from './checks.ts'
import type { Recipe } from './schema.ts'
import { variableProblem } from './variable.ts'

/** Find what the keys that configure a release ask of each other. Shape: in the order of the schema. */
export function configurationProblems(recipe: Recipe): readonly RecipeProblem[] {
  return [
    ...account(recipe),
    ...interpreter(recipe),
    ...sharedPlaces(recipe),
    ...configPlaces(recipe),
    ...variables(recipe),
    ...secretSources(recipe),
    ...secretNames(recipe),
  ]
}

function account({ node: { user, group } }: Recipe): RecipeProblem[] {
  if (group === undefined || user !== undefined) return []
  return [problem(['node', 'group'], `expected a user that the group goes with, found none`)]
}

function interpreter({ node: { runtime } }: Recipe): RecipeProblem[] {
  if (runtime.interpreter === undefined || runtime.kind !== 'none') return []
  const message = `expected no interpreter for kind none, found ${runtime.interpreter}`
  return [problem(['node', 'runtime', 'interpreter'], message)]
}

/** Names in `shared/` that are cutover's own. */
export const ownShared: ReadonlySet<string> = new Set(['.secrets', 'secrets.json', 'backups'])

function sharedPlaces({ node }: Recipe): RecipeProblem[] {
  const places = [
    ...node.shared.map((place, index) => ({ place, path: ['node', 'shared', index] })),
    ...node.files.map((file, index) => ({ place: file.path, path: ['node', 'files', index, 'path'] })),
  ]
  const own = places.flatMap(({ place, path }) =>
    ownShared.has(topOf(place))
      ? [problem(path, `expected another name, for ${topOf(place)} is cutover’s, found ${place}`)]
      : [],
  )
  const folders = node.files.flatMap((file, index) =>
    node.shared.some(folder => folder === file.path || folder.startsWith(`${file.path}/`))
      ? [
          problem(
            ['node', 'files', index, 'path'],
            `expected a file, found ${file.path}, which node.shared makes a folder`,
          ),
        ]
      : [],
  )
  return [...own, ...folders]
}

/** Names at the top of a release that are cutover's own. */
const ownTop: ReadonlySet<string> = new Set(['.cutover', 'venv'])

function configPlaces({ node, payload }: Recipe): RecipeProblem[] {
  const shipped = payload.entries.map(({ from, to }) => to ?? from)
  return node.config.flatMap(({ path: place, template }, index) => {
    const at = ['node', 'config', index, 'path']
    const first = node.config.findIndex(other => other.path === place)
    if (first < index) return [problem(at, `expected a path of its own, found ${place} as in node.config[${first}]`)]
    if (ownTop.has(topOf(place)))
      return [problem(at, `expected another place, for ${topOf(place)} is cutover’s, found ${place}`)]
    if (place === template) return [problem(at, `expected another path than that of its template, found ${place}`)]
    const taken = shipped.find(entry => entry === place || entry.startsWith(`${place}/`))
    if (taken === undefined) return []
    return [problem(at, `expected no path of the payload, which ships ${taken}, found ${place}`)]
  })
}

/** Look at declared variables wherever the recipe itself gives them values; what is missing in an environment is for prefixes to give. */
function variables({ node, environments, rehearsal }: Recipe): RecipeProblem[] {
  const rehearsed = rehearsal.environment ?? Object.keys(environments)[0]
  return Object.entries(node.variables).flatMap(([name, variable]) => {
    const check = (path: readonly string[], value: string | undefined) => {
      const message = value === undefined ? undefined : variableProblem(variable, value)
      return message === undefined ? [] : [problem(path, message)]
    }
    const given = Object.entries(environments).flatMap(([environment, values]) =>
      check(['environments', environment, 'variables', name], values.variables[name]),
    )
    const inRehearsal = rehearsal.variables[name]
    const atLast = inRehearsal ?? environments[rehearsed ?? '']?.variables[name] ?? variable.default
    const missing =
      atLast === undefined
        ? [problem(['rehearsal', 'variables'], `expected a value for ${name}, which only prefixes have, found none`)]
        : []
    return [
      ...check(['node', 'variables', name, 'default'], variable.default),
      ...given,
      ...check(['rehearsal', 'variables', name], inRehearsal),
      ...missing,
    ]
  })
}

function secretSources({ node }: Recipe): RecipeProblem[] {
  return node.secrets.flatMap(({ command, age }, index) =>
    command === undefined || age === undefined
      ? []
      : [problem(['node', 'secrets', index, 'age'], 'expected one of command and age, found both')],
  )
}

/** A secret has a name of its own, and so has the variable that names its file. */
function secretNames({ node, environments }: Recipe): RecipeProblem[] {
  const ownerOf = (name: string) => {
    if (Object.hasOwn(node.variables, name)) return 'node.variables'
    const environment = Object.entries(environments).find(([, values]) => Object.hasOwn(values.variables, name))
    return environment === undefined ? undefined : `environments.${environment[0]}`
  }
  return node.secrets.flatMap((secret, index) => {
    const place = `${secret.name}_FILE`
    const other = node.secrets.findIndex(each => each.name === place)
    const asSecret = other < 0 ? undefined : `node.secrets[${other}]`
    const taken = [
      { name: secret.name, owner: ownerOf(secret.name) },
      ...(secret.as === 'file' ? [{ name: place, owner: ownerOf(place) ?? asSecret }] : []),
    ]
    return taken.flatMap(({ name, owner }) =>
      owner === undefined
        ? []
        : [
            problem(
              ['node', 'secrets', index, 'name'],
              `expected a name that no variable has, found ${name} as in ${owner}`,
            ),
          ],
    )
  })
}

function topOf(place: string): string {
  return place.split('/')[0]!
}

function problem(path: readonly (string | number)[], message: string): RecipeProblem {
  return { path, message }
}
