import { type Consequences, type Difference, followsFrom, type Pair } from './difference.ts'

/** Two JSON values, and what is known of them. */
export interface JsonComparison extends Pair<unknown> {
  readonly consequences: Consequences
}

/** By which member the objects of a list are told apart, where all have it, each another. */
const identities = ['bom-ref', 'ref', 'name', 'uri', 'path', 'id'] as const
const longestText = 80

/**
 * List where two JSON values differ, by path such as `config.Env[2]`.
 *
 * Shape: a value that is known to follow from something else says so in `cause`; the size beside a digest that differs is left out. Objects in
 * lists are compared by name where they have one, so that one more of them is one difference.
 */
export function compareJson(comparison: JsonComparison): readonly Difference[] {
  return compareValues('', comparison)
}

function compareValues(where: string, { released, rebuilt, consequences }: JsonComparison): readonly Difference[] {
  const members = membersOf(released, rebuilt)
  if (members === undefined) {
    if (released === rebuilt) return []
    const pair = { released, rebuilt }
    return [{ where: where.replace(/^\./, ''), ...shown(pair), ...causeOf(pair, consequences) }]
  }
  const [before, now] = members
  const digestDiffers = isAnotherText(before.get('.digest'), now.get('.digest'))
  return [...new Set([...before.keys(), ...now.keys()])].flatMap(key => {
    if (digestDiffers && /^\.size(Bytes)?$/.test(key)) return []
    return compareValues(`${where}${key}`, { released: before.get(key), rebuilt: now.get(key), consequences })
  })
}

function isAnotherText(released: unknown, rebuilt: unknown): boolean {
  return typeof released === 'string' && typeof rebuilt === 'string' && released !== rebuilt
}

/** The members of two lists or two objects, by what stands for them in a path; undefined for all other values. */
function membersOf(released: unknown, rebuilt: unknown): readonly [Members, Members] | undefined {
  if (Array.isArray(released) && Array.isArray(rebuilt)) return [keyed(released, rebuilt), keyed(rebuilt, released)]
  if (!isObject(released) || !isObject(rebuilt)) return undefined
  const entries = (value: JsonObject) => new Map(Object.entries(value).map(([key, member]) => [`.${key}`, member]))
  return [entries(released), entries(rebuilt)]
}

type Members = ReadonlyMap<string, unknown>

/** The members of a list by what tells them apart, in brackets. */
function keyed(list: readonly unknown[], other: readonly unknown[]): Members {
  const identity = identities.find(name => isIdentity(list, name) && isIdentity(other, name))
  return new Map(
    list.map((member, index) => [`[${identity === undefined ? index : (member as JsonObject)[identity]}]`, member]),
  )
}

type JsonObject = Readonly<Record<string, unknown>>

function isIdentity(list: readonly unknown[], name: string): boolean {
  const names = new Set(list.map(member => (isObject(member) ? member[name] : undefined)))
  return names.size === list.length && [...names].every(value => typeof value === 'string')
}

/** A digest may stand there with `sha256:` or, as in a statement of provenance, without. */
function causeOf({ released, rebuilt }: Pair<unknown>, consequences: Consequences): Pick<Difference, 'why' | 'cause'> {
  if (typeof released !== 'string' || typeof rebuilt !== 'string') return { why: '' }
  const full = (text: string) => (/^[0-9a-f]{64}$/.test(text) ? `sha256:${text}` : text)
  const known = consequences.get(full(released))
  return known?.rebuilt === full(rebuilt) ? followsFrom(known.cause) : { why: '' }
}

function shown({ released, rebuilt }: Pair<unknown>): Pair<string> {
  return { released: showValue(released), rebuilt: showValue(rebuilt) }
}

/** Write a value for people, long ones shortened. */
function showValue(value: unknown): string {
  if (value === undefined) return 'absent'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const line = text.includes('\n') ? JSON.stringify(text) : text
  return line.length > longestText ? `${line.slice(0, longestText - 1)}…` : line
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
