/** What a package URL is made of. */
export interface PackageUrlParts {
  readonly type: 'npm' | 'pypi' | 'deb' | 'oci' | 'generic'
  readonly namespace?: string | undefined
  readonly name: string
  readonly version?: string | undefined
  readonly qualifiers?: Readonly<Record<string, string | undefined>>
}

/**
 * Write a package URL.
 *
 * Shape: `pkg:npm/%40scope/name@1.0.0`. Pre: the name is in the one spelling that its type has.
 * Source: ECMA-427 (purl) §5, and its type definitions.
 */
export function packageUrl(parts: PackageUrlParts): string {
  const { type, namespace, name, version } = parts
  const path = [...(namespace === undefined ? [] : namespace.split('/')), name].map(encode).join('/')
  const at = version === undefined || version === '' ? '' : `@${encode(version)}`
  const qualifiers = Object.entries(parts.qualifiers ?? {})
    .flatMap(([key, value]) => (value === undefined || value === '' ? [] : [`${key}=${encode(value)}`]))
    .sort()
  return `pkg:${type}/${path}${at}${qualifiers.length === 0 ? '' : `?${qualifiers.join('&')}`}`
}

function encode(text: string): string {
  const wellFormed = text.toWellFormed()
  return encodeURIComponent(wellFormed)
    .replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':')
}
