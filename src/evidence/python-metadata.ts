import { Unreadable } from './unreadable.ts'

/** What METADATA or PKG-INFO says of a Python distribution. */
export interface PythonMetadata {
  readonly name: string
  readonly version: string
  readonly summary?: string | undefined
  readonly homepage?: string | undefined
  readonly author?: string | undefined
  /** The first that there is of the SPDX expression, the licence's classifiers and the free text. */
  readonly licences: readonly string[]
  /** Normalised names of what it needs on its own, extras left out. */
  readonly requires: readonly string[]
}

/** Read METADATA or PKG-INFO. Errors: Unreadable. Source: core metadata specifications 2.4; the form is that of e-mail headers. */
export function parsePythonMetadata(text: string): PythonMetadata {
  const fields = parseHeaders(text)
  const first = (name: string) => {
    const value = fields.get(name)?.[0]
    return value === undefined || value === '' || value === 'UNKNOWN' ? undefined : value
  }
  const [name, version] = [first('name'), first('version')]
  if (name === undefined || version === undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))
    throw new Unreadable('names no distribution and version')
  return {
    name,
    version,
    summary: first('summary'),
    homepage: first('home-page') ?? labelledUrl(fields.get('project-url') ?? [], 'homepage'),
    author: first('author') ?? first('author-email'),
    licences: licenceNames(first('license-expression'), fields.get('classifier') ?? [], first('license')),
    requires: [...new Set((fields.get('requires-dist') ?? []).flatMap(requiredName))].sort(),
  }
}

/** The one spelling of a distribution's name. Source: PEP 503. */
export function normalisedName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}

function parseHeaders(text: string): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, string[]>()
  let last: string[] | undefined
  for (const line of text.split(/\r?\n/)) {
    // The description follows the first empty line.
    if (line === '') break
    const [, name, value = ''] = /^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$/.exec(line) ?? []
    if (name !== undefined) {
      last = fields.get(name.toLowerCase()) ?? []
      last.push(value.trim())
      fields.set(name.toLowerCase(), last)
    } else if (last !== undefined && /^[ \t]/.test(line)) last.push(`${last.pop()}\n${line.trim()}`)
    else throw new Unreadable('is not a list of headers')
  }
  return fields
}

function licenceNames(expression: string | undefined, classifiers: readonly string[], text: string | undefined) {
  if (expression !== undefined) return [expression]
  const prefix = 'License :: '
  const classified = classifiers
    .filter(classifier => classifier.startsWith(prefix) && classifier !== 'License :: OSI Approved')
    .map(classifier => classifier.slice(prefix.length).replace('OSI Approved :: ', ''))
  // The free text is more often an SPDX id than a classifier is, and just as often the whole licence.
  if (text !== undefined && text.length <= 40 && !text.includes('\n')) return [text]
  return classified
}

function labelledUrl(urls: readonly string[], label: string): string | undefined {
  const found = urls.find(url => url.toLowerCase().startsWith(`${label},`))
  return found?.slice(label.length + 1).trim()
}

/** Source: PEP 508. What is only wanted with an extra is not needed. */
function requiredName(requirement: string): readonly string[] {
  if (/;.*\bextra\s*==/.test(requirement)) return []
  const name = /^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(requirement)?.[0]
  return name === undefined ? [] : [normalisedName(name)]
}
