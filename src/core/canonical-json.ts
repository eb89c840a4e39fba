/** A value that JSON can hold without loss. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * Write a value as JSON with one spelling only: keys in code-unit order, no spaces, no undefined members.
 *
 * Pre: numbers are safe integers, or finite fractions that JSON.stringify writes in one way.
 * Source: the idea of RFC 8785; TUF's own canonical form is @tufjs/models' affair, not ours.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value))
}

/** Write a value for people and for digests at once: sorted keys, two spaces, final newline. */
export function stableJson(value: unknown): string {
  return `${JSON.stringify(sorted(value), undefined, 2)}\n`
}

/** Bring an object's members into order. What is in order already is handed back, for a copy of a large document costs more than writing it. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const json = value as { readonly toJSON?: () => unknown }
  if (typeof json.toJSON === 'function') return sorted(json.toJSON())
  const object = value as Readonly<Record<string, unknown>>
  return isSorted(object) ? object : sortedCopy(object)
}

/** Tell whether the members are in order and hold nothing that would have to be looked into. */
function isSorted(object: Readonly<Record<string, unknown>>): boolean {
  let previous: string | undefined
  for (const key of Object.keys(object)) {
    if (typeof object[key] === 'object' || (previous !== undefined && previous > key)) return false
    previous = key
  }
  return true
}

function sortedCopy(object: Readonly<Record<string, unknown>>): unknown {
  const entries = Object.entries(object).filter(([, member]) => member !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]))
}
