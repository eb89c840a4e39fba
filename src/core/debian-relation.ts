import { isDebianVersion } from './debian-version.ts'

/** The fields that name other packages, in dpkg's order. Source: deb-control(5). */
export const relationFields = [
  'Pre-Depends',
  'Depends',
  'Recommends',
  'Suggests',
  'Enhances',
  'Conflicts',
  'Breaks',
  'Replaces',
  'Provides',
  'Built-Using',
  'Static-Built-Using',
] as const
/** A field that names other packages. */
export type RelationField = (typeof relationFields)[number]

/** What a field takes besides a name and a version. */
interface FieldRules {
  /** `a | b`. */
  readonly alternatives: boolean
  /** The operators before a version; the first is the one to suggest. */
  readonly operators: readonly string[]
  /** Each item has to name a version. */
  readonly versioned: boolean
}

const anyOperator = ['>=', '<<', '<=', '=', '>>'] as const
const chosen: FieldRules = { alternatives: true, operators: anyOperator, versioned: false }
const listed: FieldRules = { alternatives: false, operators: anyOperator, versioned: false }
const provided: FieldRules = { alternatives: false, operators: ['='], versioned: false }
const builtWith: FieldRules = { alternatives: false, operators: ['='], versioned: true }

const rules: Readonly<Record<RelationField, FieldRules>> = {
  'Pre-Depends': chosen,
  Depends: chosen,
  Recommends: chosen,
  Suggests: chosen,
  Enhances: chosen,
  Conflicts: listed,
  Breaks: listed,
  Replaces: listed,
  Provides: provided,
  'Built-Using': builtWith,
  'Static-Built-Using': builtWith,
}

/**
 * Say what is wrong with one relation of a field, as `expected …`, or nothing when dpkg takes it.
 *
 * Shape: `name[:architecture] [(operator version)]`, alternatives separated by `|` where the field has them. The lists of architectures and
 * build profiles that source packages have (`[amd64]`, `<!nocheck>`) are not in packages.
 * Source: deb-control(5); Debian policy §7.1; dpkg lib/dpkg/fields.c (f_dependency).
 */
export function relationProblem(field: RelationField, relation: string): string | undefined {
  if (/[\u0000-\u001f\u007f]/.test(relation)) return 'expected a relation in one line'
  if (relation.includes(',')) return 'expected one relation for each item of the list, without a comma'
  const { alternatives } = rules[field]
  const names = relation.split('|')
  if (names.length > 1 && !alternatives) return `expected one package, for ${field} takes no alternatives`
  for (const name of names) {
    const problem = packageProblem(field, name.trim())
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Tell whether a text is a name of a package. Source: Debian policy §5.6.7. */
export function isPackageName(text: string): boolean {
  return /^[a-z0-9][a-z0-9+.-]+$/.test(text)
}

function packageProblem(field: RelationField, text: string): string | undefined {
  const { operators, versioned } = rules[field]
  const [, name = '', architecture, constraint] = /^([^\s:()]*)(?::([^\s()]*))?(?:\s*\((.*)\))?$/s.exec(text) ?? []
  const form = `NAME or NAME (${operators[0]} VERSION)`
  if (!isPackageName(name)) return `expected ${form}, with a name of a-z 0-9 + . - (a letter or digit first)`
  if (architecture !== undefined && !/^[a-z0-9][a-z0-9-]*$/.test(architecture))
    return `expected an architecture such as any or amd64 after ${name}:`
  if (constraint === undefined)
    return versioned ? `expected ${name} (= VERSION), for ${field} names versions` : undefined
  const [, operator = '', version = ''] = /^\s*(<<|<=|=|>=|>>)\s*(\S*)\s*$/.exec(constraint) ?? []
  if (!operators.includes(operator)) return `expected one of ${operators.join(' ')} and a version after ${name}`
  return isDebianVersion(version) ? undefined : `expected a Debian version such as 1.2.3-1 after ${name} (${operator}`
}
