import { z } from 'zod'
import { recipeSchema } from './schema.ts'

/** The part of JSON Schema that zod writes for a recipe. */
interface SchemaNode {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly additionalProperties?: SchemaNode | false
  readonly anyOf?: readonly SchemaNode[]
}

/** Render `recipes/recipe.schema.json`, for editors: completion and checks while a recipe is written. */
export function recipeJsonSchema(): string {
  const { $schema, ...rest } = z.toJSONSchema(recipeSchema, { io: 'input' })
  return `${JSON.stringify({ $schema, title: 'Cutover recipe', ...rest }, undefined, 2)}\n`
}

/** List the keys that a recipe may have at a path; none where it is not a mapping with known keys. */
export function allowedKeys(path: readonly (string | number)[]): readonly string[] {
  let node: SchemaNode | undefined = rootNode()
  for (const key of path) {
    node =
      typeof key === 'number' ? node?.items : (node?.properties?.[key] ?? (node?.additionalProperties || undefined))
  }
  return Object.keys(node?.properties ?? {})
}

/** Render `recipes/REFERENCE.md`: every key with its type, default and meaning, in the order of the schema. */
export function recipeReference(): string {
  const root = rootNode()
  const members = Object.entries(root.properties ?? {})
  const scalars = members.filter(([, node]) => isScalar(node))
  const sections = [
    section(
      'The application',
      'Who it is, for packages and people.',
      scalars.flatMap(([key, node]) => leaves(key, node, isRequired(root, key))),
    ),
    ...members
      .filter(([, node]) => !isScalar(node))
      .map(([key, node]) => section(key, node.description, leaves(key, node, isRequired(root, key)))),
  ]
  return `${[
    '# Recipe reference',
    '',
    'Generated from `src/recipe/schema.ts` by `npm run generate`; do not edit.',
    '',
    'A recipe is `release.yaml` in the repository of the application, or `recipe.yaml` in a folder given with `--recipe`.',
    'Durations are written as `250ms`, `25s`, `10m`, `2h` or `1d`. `key[]` is an item of a list, `key.NAME` a member with a name of your own.',
    'Placeholders such as `${version}` are filled in on the node; `$$` is a dollar sign.',
    '',
    ...sections,
  ].join('\n')}`
}

function rootNode(): SchemaNode {
  return z.toJSONSchema(recipeSchema, { io: 'input' }) as SchemaNode
}

function section(title: string, description: string | undefined, rows: readonly (readonly string[])[]): string {
  const table = rows.map(row => `| ${row.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`)
  const head = [`## ${title}`, '', ...(description === undefined ? [] : [description, ''])]
  return [...head, '| Key | Type | Default | Meaning |', '|---|---|---|---|', ...table, ''].join('\n')
}

/** One row for each key below and including `key` that holds a value of its own. */
function leaves(key: string, node: SchemaNode, required: boolean): string[][] {
  const own = [`\`${key}\``, typeText(node), defaultText(node, required), node.description ?? '']
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([name, member]) =>
      leaves(`${key}.${name}`, member, isRequired(node, name)),
    )
  }
  if (node.items !== undefined && hasMembers(node.items)) return [own, ...leaves(`${key}[]`, node.items, true)]
  const values = node.additionalProperties
  if (values && hasMembers(values)) return [own, ...leaves(`${key}.NAME`, values, true)]
  return [own]
}

function isScalar(node: SchemaNode): boolean {
  return node.type !== 'object' && node.type !== 'array'
}

function hasMembers(node: SchemaNode): boolean {
  return node.properties !== undefined
}

function isRequired(node: SchemaNode, key: string): boolean {
  return node.required?.includes(key) ?? false
}

function typeText(node: SchemaNode): string {
  if (node.anyOf !== undefined) return node.anyOf.map(typeText).join(' or ')
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``
  if (node.enum !== undefined) return node.enum.map(value => `\`${String(value)}\``).join(', ')
  if (node.type === 'array')
    return node.items === undefined || hasMembers(node.items) ? 'list' : `list of ${typeText(node.items)}`
  if (node.type === 'object') return node.additionalProperties ? 'mapping' : 'keys'
  if (node.type === 'string') return 'text'
  if (node.type === 'boolean') return '`true`, `false`'
  return rangeText(node)
}

function rangeText(node: SchemaNode): string {
  const kind = node.type === 'integer' ? 'whole number' : 'number'
  // zod bounds every whole number by what a double can hold; that says nothing to a reader.
  const to = node.maximum === undefined || node.maximum === Number.MAX_SAFE_INTEGER ? undefined : node.maximum
  if (node.minimum === undefined) return kind
  return to === undefined ? `${kind} from ${node.minimum}` : `${kind} from ${node.minimum} to ${to}`
}

function defaultText(node: SchemaNode, required: boolean): string {
  if (required) return 'required'
  if (node.default === undefined) return ''
  return `\`${typeof node.default === 'string' ? node.default : JSON.stringify(node.default)}\``
}
