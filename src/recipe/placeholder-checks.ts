import type { RecipeProblem } from './checks.ts'
import { placeholderNames } from './placeholders.ts'
import type { Recipe, RecipeCommand } from './schema.ts'
import { suggest } from './suggest.ts'

/** Placeholders that every release has on a node; see prefix/values.ts. */
const releasePlaceholders = ['release', 'shared', 'prefix', 'version', 'environment', 'runtime'] as const
/** Placeholders that come with a runtime. */
const runtimePlaceholders = ({ node }: Recipe) => (node.runtime.kind === 'python' ? ['pythonVersion'] : [])
/** Placeholders that come with roles. */
const rolePlaceholders = ({ node }: Recipe) => (Object.keys(node.roles).length > 0 ? ['role', 'slot'] : [])
/** Placeholders that the listening service has besides, in mode `proxy`. */
const addressPlaceholders = ['port', 'socket'] as const

/** Look at every place that takes placeholders, for each environment that a prefix can belong to. */
export function placeholderProblems(recipe: Recipe): readonly RecipeProblem[] {
  const found = new Map<string, RecipeProblem>()
  for (const { environment, variables } of situations(recipe)) {
    const known = {
      shown: [
        ...releasePlaceholders,
        ...runtimePlaceholders(recipe),
        ...rolePlaceholders(recipe),
        ...variableNames(recipe, variables),
      ],
      generated: secretNames(recipe, secret => secret.command === undefined && secret.age === undefined),
      secret: secretNames(recipe, () => true),
      address: addressPlaceholders,
      backup: ['BACKUP_FOLDER'],
      change: ['PHASE', 'WHEN', 'COMMAND', 'VERSION', 'FROM', 'OUTCOME'].map(name => `CUTOVER_${name}`),
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

/** Every environment that a prefix can belong to, in every role that it can have. */
function situations({ environments, node }: Recipe) {
  const roles = Object.entries(node.roles)
  return Object.entries(environments).flatMap(([environment, { variables }]) => {
    if (roles.length === 0) return [{ environment, variables }]
    return roles.map(([role, values]) => ({
      environment: `${environment} in role ${role}`,
      variables: { ...variables, ...values.environment },
    }))
  })
}

/** The variables that a release has, the places of secrets that are files among them. */
function variableNames({ node }: Recipe, variables: Readonly<Record<string, string>>): readonly string[] {
  const files = node.secrets.flatMap(secret => (secret.as === 'file' ? [`${secret.name}_FILE`] : []))
  return [...Object.keys(node.variables), ...Object.keys(variables), ...files]
}

function secretNames({ node }: Recipe, isMeant: (secret: Secret) => boolean): readonly string[] {
  return node.secrets.flatMap(secret => (secret.as === 'variable' && isMeant(secret) ? [secret.name] : []))
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

type Secret = Recipe['node']['secrets'][number]

/**
 * What a text may use: everything that may be seen in a list of processes; secrets, of which setup has the generated ones only, for the
 * others are asked for behind it; the address of the listening service; what backups and hooks are told.
 */
type PlaceholderKind = 'shown' | 'generated' | 'secret' | 'address' | 'backup' | 'change'

type KeyPath = readonly (string | number)[]

interface PlaceholderText {
  readonly path: KeyPath
  readonly text: string
  readonly takes: readonly PlaceholderKind[]
}

function placeholderTexts({ node }: Recipe): readonly PlaceholderText[] {
  return [
    ...listTexts(['node', 'runtime', 'packages'], node.runtime.packages, ['shown']),
    ...commandsTexts(['node', 'setup'], node.setup, ['shown', 'generated']),
    ...node.secrets.flatMap(({ command }, index) =>
      command === undefined ? [] : commandTexts(['node', 'secrets', index, 'command'], command, ['shown', 'generated']),
    ),
    ...node.services.flatMap((service, index) => serviceTexts(['node', 'services', index], service)),
    ...healthTexts(node.health),
    ...dataTexts(node),
    ...roleTexts(node.roles),
    ...serverTexts(node.gate),
    ...Object.entries({ certificate: node.gate.tls?.certificate, key: node.gate.tls?.key }).flatMap(([name, text]) =>
      text === undefined ? [] : [{ path: ['node', 'gate', 'tls', name], text, takes: ['shown'] as const }],
    ),
    // Nothing listens on the public address unless a service does, and the default address uses ${PORT}.
    ...(node.services.some(service => service.listens)
      ? node.gate.listen.map(({ address }) => ({
          path: ['node', 'gate', 'listen'],
          text: address,
          takes: ['shown'] as const,
        }))
      : []),
  ]
}

function healthTexts({ http, tcp, command }: Recipe['node']['health']): readonly PlaceholderText[] {
  const path = ['node', 'health'] as const
  const shown = (key: KeyPath, text: string | undefined): readonly PlaceholderText[] =>
    text === undefined ? [] : [{ path: [...path, ...key], text, takes: ['shown'] }]
  return [
    ...shown(['http', 'contains'], http?.contains),
    ...(http?.headers ?? []).flatMap(({ contains }, index) => shown(['http', 'headers', index, 'contains'], contains)),
    ...shown(['tcp'], tcp),
    ...(command === undefined ? [] : commandTexts([...path, 'command'], command)),
  ]
}

/** Where a server of the machine is told. */
function serverTexts({ haproxy, nginx }: Recipe['node']['gate']): readonly PlaceholderText[] {
  const { folder, socket, map, key, chroot } = haproxy
  const places = {
    haproxy: { folder, socket, map, key, chroot },
    nginx: { folder: nginx.folder, file: nginx.file, pidFile: nginx.pidFile },
  }
  return Object.entries(places).flatMap(([server, texts]) =>
    Object.entries(texts).flatMap(([name, text]) =>
      text === undefined ? [] : [{ path: ['node', 'gate', server, name], text, takes: ['shown'] as const }],
    ),
  )
}

function roleTexts(roles: Recipe['node']['roles']): readonly PlaceholderText[] {
  return Object.entries(roles).flatMap(([name, { health, host }]) => {
    const path = ['node', 'roles', name]
    const takes = ['shown'] as const
    const contains =
      health.contains === undefined ? [] : [{ path: [...path, 'health', 'contains'], text: health.contains, takes }]
    return [...contains, { path: [...path, 'host'], text: host, takes }]
  })
}

/** Migrations, and what is run around them. */
function dataTexts({ migrations, backup, restore, hooks }: Recipe['node']): readonly PlaceholderText[] {
  const copies = { backup, restore }
  return [
    ...commandsTexts(['node', 'migrations'], migrations, ['shown', 'secret']),
    ...Object.entries(copies).flatMap(([key, command]) =>
      command === undefined ? [] : commandTexts(['node', key], command, ['shown', 'secret', 'backup']),
    ),
    ...commandsTexts(['node', 'hooks'], hooks, ['shown', 'secret', 'change']),
  ]
}

function serviceTexts(path: KeyPath, service: Recipe['node']['services'][number]): readonly PlaceholderText[] {
  const shown = ['shown', ...(service.listens ? (['address'] as const) : [])] as const
  return [
    ...listTexts([...path, 'command'], service.command, shown),
    ...valueTexts([...path, 'environment'], service.environment, [...shown, 'secret']),
    ...commandsTexts([...path, 'before'], service.before, ['shown', 'secret']),
    ...commandsTexts([...path, 'after'], service.after, ['shown', 'secret']),
  ]
}

type PlaceholderCommand = Pick<RecipeCommand, 'run' | 'environment'>

function commandsTexts(
  path: KeyPath,
  commands: readonly PlaceholderCommand[],
  takes: PlaceholderText['takes'],
): readonly PlaceholderText[] {
  return commands.flatMap((command, index) => commandTexts([...path, index], command, takes))
}

/** Words of a command are seen by every user of the machine, so they take no secrets; a text for the shell has its own `${…}`. */
function commandTexts(
  path: KeyPath,
  command: PlaceholderCommand,
  takes: PlaceholderText['takes'] = ['shown', 'secret'],
): readonly PlaceholderText[] {
  const inWords = takes.filter(kind => kind !== 'secret' && kind !== 'generated')
  return [
    ...(typeof command.run === 'string' ? [] : listTexts([...path, 'run'], command.run, inWords)),
    ...valueTexts([...path, 'environment'], command.environment, takes),
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
