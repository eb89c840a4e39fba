import { componentsOf } from './components.ts'
import { configurationProblems } from './configuration-checks.ts'
import { dataProblems } from './data-checks.ts'
import { gateProblems } from './gate-checks.ts'
import { handoverProblems } from './handover-checks.ts'
import { placeholderProblems } from './placeholder-checks.ts'
import { roleProblems } from './role-checks.ts'
import type { Recipe } from './schema.ts'

/** Something that is wrong between keys, each of which is fine alone. */
export interface RecipeProblem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Find what one key of a recipe asks of another. Shape: in the order of the schema. */
export function recipeProblems(recipe: Recipe): readonly RecipeProblem[] {
  return [
    ...uniqueComponents(recipe),
    ...uniqueNames(recipe),
    ...listeners(recipe),
    ...handoverProblems(recipe),
    ...gateProblems(recipe),
    ...runtime(recipe),
    ...dataProblems(recipe),
    ...configurationProblems(recipe),
    ...roleProblems(recipe),
    ...rehearsal(recipe),
    ...placeholderProblems(recipe),
  ]
}

function uniqueComponents(recipe: Recipe): RecipeProblem[] {
  const components = componentsOf(recipe)
  const names = repeated(components.map(component => component.name)).map(({ index, value }) =>
    problem(['components', index - 1, 'name'], `expected a name of its own, found ${value} a second time`),
  )
  const packages = repeated(
    components.map(({ deb, name }, index) => (deb === undefined ? index : (deb.package ?? name))),
  )
  return [
    ...names,
    ...packages.map(({ index, value }) =>
      problem(['components', index - 1, 'deb'], `expected a package of its own, found ${value} a second time`),
    ),
  ]
}

function uniqueNames({ node }: Recipe): RecipeProblem[] {
  const lists = { services: node.services, migrations: node.migrations, secrets: node.secrets } as const
  const repeatedNames = Object.entries(lists).flatMap(([key, list]) =>
    repeated(list.map(item => item.name)).map(({ index, value, first }) =>
      problem(['node', key, index, 'name'], `expected a name of its own, found ${value} as in node.${key}[${first}]`),
    ),
  )
  const repeatedFiles = repeated(node.files.map(file => file.path)).map(({ index, value, first }) =>
    problem(['node', 'files', index, 'path'], `expected a path of its own, found ${value} as in node.files[${first}]`),
  )
  return [...repeatedNames, ...repeatedFiles]
}

function repeated<Value>(values: readonly Value[]) {
  return values.flatMap((value, index) => {
    const first = values.indexOf(value)
    return first < index ? [{ index, value, first }] : []
  })
}

function listeners({ node }: Recipe): RecipeProblem[] {
  const listening = node.services.flatMap((service, index) => (service.listens ? [{ service, index }] : []))
  const second = listening[1]
  if (second === undefined) return []
  return [
    problem(
      ['node', 'services', second.index, 'listens'],
      `expected one listening service at most, for the gate stands in front of one, found ${listening.map(({ service }) => service.name).join(' and ')}`,
    ),
  ]
}

function runtime({ node, artifacts, components }: Recipe): RecipeProblem[] {
  const { kind, vendor, packages } = node.runtime
  const at = ['node', 'runtime'] as const
  if (kind === 'python') {
    const found: RecipeProblem[] = []
    if (vendor === undefined)
      found.push(problem(at, 'expected vendor, the folder that pip takes every package from, found none'))
    if (packages.length === 0) found.push(problem(at, 'expected packages, what pip installs, found none'))
    const reason = 'expected no unit for kind python, whose virtualenv a package cannot bring'
    if (artifacts.deb?.unit !== undefined) found.push(problem(['artifacts', 'deb', 'unit'], `${reason}, found one`))
    for (const [index, { deb }] of components.entries()) {
      if (deb?.unit !== undefined) found.push(problem(['components', index, 'deb', 'unit'], `${reason}, found one`))
    }
    return found
  }
  const found: RecipeProblem[] = []
  if (vendor !== undefined)
    found.push(problem([...at, 'vendor'], `expected no vendor folder for kind ${kind}, found ${vendor}`))
  if (packages.length > 0) found.push(problem([...at, 'packages'], `expected no packages for kind ${kind}, found some`))
  return found
}

function rehearsal({ rehearsal: { environment }, environments }: Recipe): RecipeProblem[] {
  const names = Object.keys(environments)
  if (names.length === 0) return [problem(['environments'], 'expected at least one environment, found none')]
  if (environment === undefined || names.includes(environment)) return []
  const expected = `expected one of the environments ${names.join(', ')}`
  return [problem(['rehearsal', 'environment'], `${expected}, found ${environment}`)]
}

function problem(path: readonly (string | number)[], message: string): RecipeProblem {
  return { path, message }
}
