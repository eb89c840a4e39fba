import { ReleaseError } from '../core/error.ts'
import { suggest } from './suggest.ts'

/** A placeholder, or the two signs that stand for one dollar sign. Anything else with a dollar sign is left alone. */
const pattern = /\$\$|\$\{([^}]*)\}/g

/**
 * Replace `${name}` by its value and `$$` by `$`.
 *
 * Post: values are inserted as they are, never read again. Errors: RECIPE_PLACEHOLDER with `place` and every unknown name.
 */
export function fillPlaceholders(text: string, values: Readonly<Record<string, string>>, place: string): string {
  const unknown = placeholderNames(text).filter(name => !Object.hasOwn(values, name))
  if (unknown.length > 0) throw unknownPlaceholder(place, unknown, Object.keys(values))
  return text.replace(pattern, (match, name: string | undefined) =>
    name === undefined ? '$' : (values[name] ?? match),
  )
}

/** List the names that a text uses as placeholders, in order, each as often as it stands there. */
export function placeholderNames(text: string): readonly string[] {
  return [...text.matchAll(pattern)].flatMap(match => (match[1] === undefined ? [] : [match[1]]))
}

function unknownPlaceholder(place: string, unknown: readonly string[], known: readonly string[]): ReleaseError {
  const first = unknown[0]!
  const meant = suggest(first, known)
  const names = [...new Set(unknown)].map(name => `\${${name}}`).join(', ')
  return new ReleaseError(
    'RECIPE_PLACEHOLDER',
    `${place} uses ${names}, which ${unknown.length > 1 ? 'have' : 'has'} no value`,
    {
      hint:
        meant === undefined
          ? `known are ${known.toSorted().join(', ')}; write $$ for a dollar sign`
          : `did you mean \${${meant}}?`,
      details: { place, unknown },
    },
  )
}
