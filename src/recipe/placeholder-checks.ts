import type { RecipeProblem } from './checks.ts'
import { placeholderNames } from './placeholders.ts'
import type { Recipe, RecipeCommand } from './schema.ts'
import { suggest } from './suggest.ts'

/** Placeholders that every release has on a node; see prefix/values.ts. */
const releasePlaceholders = ['release', 'shared', 'prefix', 'version', 'environment', 'runtime'] as const
/** Placeholders that come with a runtime. */
const runtimePlaceholders = ({ node }: Recipe) => (node.runtime.kind === 'python' ? ['pythonVersion'] : [])
/** Placeholders that the listening service has besides, in mode `proxy`. */
const addressPlaceholders = ['port', 'socket'] as const

/** Look at every place that takes placeholders, for each environment that a prefix can belong to. */
export function placeholderProblems(recipe: Recipe): readonly RecipeProblem[] {
  const found = new Map<string, RecipeProblem>()
  for (const [environment, { variables }] of Object.entries(recipe.environments)) {
    const known = {
      shown: [...releasePlaceholders, ...runtimePlaceholders(recipe), ...Object.keys(variables)],
      secret: recipe.node.secrets.map(secret => secret.name),
      address: addressPlaceholders,
    }
    for (const { path, text, takes } of placeholderTexts(recipe)) {
      const names = takes.flatMap(kind => known[kind])
      for (const name of placeholderNames(text)) {
        const key = `${path.join('.')} ${name}`
        if (names.includes(name) || found.has(key)) continue
        const message = known.secret.includes(name) ? secretText(name) : unknownText(name, environment, names)
        found.set(key, { path, message })
      }
    }
  }
  return [...found.values()]
}

function secretText(name: string): string {
  return `expected no secret among words that every user of the machine can read, found \${${name}}; give it in environment`
}

function unknownText(name: string, environment: string, known: readonly string[]): string {
  const meant = suggest(name, known)
  const question = meant === undefined ? '' : `; did you mean \${${meant}}?`
  if (/^[A-Z_][A-Z0-9_]*$/.test(name))
    return `expected \${${name}} to be a variable of every environment or a secret, found none in ${environment}${question}`
  return `expected one of the placeholders ${known.map(other => `\${${other}}`).join(', ')}, found \${${name}}${question}`
}

/** What a text may use: everything that may be seen in a list of processes, secrets, the address of the listening service. */
type PlaceholderKind = 'shown' | 'secret' | 'address'

type KeyPath = readonly (string | number)[]

interface PlaceholderText {
  readonly path: KeyPath
  readonly text: string
  readonly takes: readonly PlaceholderKind[]
}

function placeholderTexts({ node }: Recipe): readonly PlaceholderText[] {
  const commands = [
    ...node.setup.map((command, index) => ({ path: ['node', 'setup', index], command })),
    ...(node.health.command === undefined
      ? []
      : [{ path: ['node', 'health', 'command'], command: node.health.command }]),
    ...node.migrations.map((command, index) => ({ path: ['node', 'migrations', index], command })),
  ]
  const contains = node.health.http?.contains
  return [
    ...listTexts(['node', 'runtime', 'packages'], node.runtime.packages, ['shown']),
    ...node.services.flatMap((service, index) => serviceTexts(['node', 'services', index], service)),
    ...(contains === undefined
      ? []
      : [{ path: ['node', 'health', 'http', 'contains'], text: contains, takes: ['shown'] as const }]),
    ...commands.flatMap(({ path, command }) => commandTexts(path, command)),
    // Nothing listens on the public address unless a service does, and the default address uses ${PORT}.
    ...(node.services.some(service => service.listens)
      ? [{ path: ['node', 'gate', 'listen'], text: node.gate.listen, takes: ['shown'] as const }]
      : []),
  ]
}

function serviceTexts(path: KeyPath, service: Recipe['node']['services'][number]): readonly PlaceholderText[] {
  const takes = ['shown', 'secret', ...(service.listens ? (['address'] as const) : [])] as const
  return [
    ...listTexts([...path, 'command'], service.command, takes),
    ...valueTexts([...path, 'environment'], service.environment, takes),
  ]
}

/** Words of a command are seen by every user of the machine, so they take no secrets; a text for the shell has its own `${…}`. */
function commandTexts(path: KeyPath, command: Pick<RecipeCommand, 'run' | 'environment'>): readonly PlaceholderText[] {
  return [
    ...(typeof command.run === 'string' ? [] : listTexts([...path, 'run'], command.run, ['shown'])),
    ...valueTexts([...path, 'environment'], command.environment, ['shown', 'secret']),
  ]
}

function listTexts(path: KeyPath, list: readonly string[], takes: PlaceholderText['takes']): PlaceholderText[] {
  return list.map((text, index) => ({ path: [...path, index], text, takes }))
}

function valueTexts(
  path: KeyPath,
  values: Readonly<Record<string, string>>,
  takes: PlaceholderText['takes'],
): PlaceholderText[] {
  return Object.entries(values).map(([name, text]) => ({ path: [...path, name], text, takes }))
}
