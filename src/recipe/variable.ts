import type { NodeRecipe } from './schema.ts'

/** A variable as a recipe declares it. */
export type DeclaredVariable = NodeRecipe['variables'][string]

/** The values of declared variables that nobody has given one. */
export function defaultVariables(declared: NodeRecipe['variables']): Readonly<Record<string, string>> {
  const given = Object.entries(declared).flatMap(([name, variable]) =>
    variable.default === undefined ? [] : [[name, variable.default] as const],
  )
  return Object.fromEntries(given)
}

/** Say what is wrong with the value of a declared variable, or undefined. Pure. */
export function variableProblem(
  { type, description }: DeclaredVariable,
  value: string | undefined,
): string | undefined {
  const expected = expectations[type]
  const purpose = description === undefined ? '' : ` (${description})`
  if (value === undefined) return `expected ${expected.what}${purpose}, found none`
  return expected.fits(value) ? undefined : `expected ${expected.what}${purpose}, found ${JSON.stringify(value)}`
}

const hostName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i

const expectations: Readonly<
  Record<DeclaredVariable['type'], { readonly what: string; readonly fits: (value: string) => boolean }>
> = {
  text: { what: 'a text', fits: value => !value.includes('\0') },
  port: {
    what: 'a port from 1 to 65535',
    fits: value => /^[1-9]\d{0,4}$/.test(value) && Number(value) <= 65_535,
  },
  host: { what: 'the name of a host or an IP address', fits: value => isAddress(value) || isHostName(value) },
  url: {
    what: 'an absolute address such as https://example.org',
    fits: value => /^[a-z][a-z0-9+.-]*:\/\//i.test(value) && URL.canParse(value),
  },
}

function isAddress(value: string): boolean {
  if (value.includes(':')) return URL.canParse(`http://[${value}]/`)
  const parts = value.split('.')
  return parts.length === 4 && parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** What looks like an IP address and is none, such as 10.0.0.300, is no name either. Source: RFC 1123 §2.1. */
function isHostName(value: string): boolean {
  return hostName.test(value) && !/^[\d.]+$/.test(value)
}
