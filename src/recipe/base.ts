/** What an image is put on, as a recipe names it. */
export type Base =
  | { readonly kind: 'scratch' }
  /** A folder or file, relative to the recipe, and which image of it. */
  | { readonly kind: 'layout' | 'archive'; readonly path: string; readonly reference?: string }
  /** An image at a registry. */
  | { readonly kind: 'registry'; readonly reference: string }

const files = { 'oci:': 'layout', 'archive:': 'archive' } as const

/**
 * Read what a recipe names as base of an image.
 *
 * Shape: `scratch`, `oci:FOLDER[:NAME]`, `archive:FILE[:NAME]`, or the name of an image with a tag or digest. As skopeo has it, a path ends
 * at its first colon.
 */
export function parseBase(text: string): Base {
  if (text === 'scratch') return { kind: 'scratch' }
  for (const [prefix, kind] of Object.entries(files)) {
    if (!text.startsWith(prefix)) continue
    const [path = '', ...reference] = text.slice(prefix.length).split(':')
    return { kind, path, ...(reference.length === 0 ? {} : { reference: reference.join(':') }) }
  }
  return { kind: 'registry', reference: text }
}

/** Tell whether a text can be a base: what it names is seen when it is locked. */
export function isBase(text: string): boolean {
  if (/[\u0000-\u0020\u007f]/.test(text)) return false
  const base = parseBase(text)
  switch (base.kind) {
    case 'scratch':
      return true
    case 'layout':
    case 'archive':
      return base.path !== '' && base.reference !== ''
    case 'registry':
      // Without a tag it would be `latest`, which says nothing to whoever reads the recipe.
      return (
        /^[a-zA-Z0-9[][^@]*(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$/.test(base.reference) &&
        hasTag(base.reference)
      )
  }
}

function hasTag(reference: string): boolean {
  return reference.includes('@') || reference.lastIndexOf(':') > reference.lastIndexOf('/')
}
