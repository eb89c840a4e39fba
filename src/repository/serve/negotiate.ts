import { simpleJsonType } from '../python/simple.ts'

const jsonTypes: readonly string[] = [simpleJsonType, 'application/vnd.pypi.simple.latest+json']
const htmlTypes: readonly string[] = [
  'text/html',
  'application/vnd.pypi.simple.v1+html',
  'application/vnd.pypi.simple.latest+html',
  'text/*',
  'application/*',
  '*/*',
]

/**
 * Tell whether a client of Python's index wants JSON rather than the page: it has to name it, for a wildcard says nothing.
 *
 * Source: PEP 691 (server-driven content negotiation), RFC 9110 §12.4.2 (weights), §12.5.1 (Accept).
 */
export function wantsJson(accept: string | undefined): boolean {
  const ranges = (accept ?? '').split(',').map(parseRange)
  const weightOf = (types: readonly string[]) =>
    Math.max(0, ...ranges.filter(({ type }) => types.includes(type)).map(({ weight }) => weight))
  const json = weightOf(jsonTypes)
  return json > 0 && json >= weightOf(htmlTypes)
}

function parseRange(text: string): { readonly type: string; readonly weight: number } {
  const [type = '', ...parameters] = text.split(';').map(part => part.trim().toLowerCase())
  const weight = parameters.find(parameter => parameter.startsWith('q='))?.slice(2) ?? '1'
  return { type, weight: /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0 }
}
