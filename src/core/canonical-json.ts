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

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const json = value as { readonly toJSON?: () => unknown }
  if (typeof json.toJSON === 'function') return sorted(json.toJSON())
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]))
}
