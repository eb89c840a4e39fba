import type { z } from 'zod'
import type { Json } from '../core/canonical-json.ts'
import { allowedKeys } from './reference.ts'
import { suggest } from './suggest.ts'

/** A problem of one key: what was expected there and what was found. */
export interface IssueText {
  readonly path: readonly (string | number)[]
  readonly text: string
  /** The key itself is wrong, not its value. */
  readonly aboutKey: boolean
}

/** Say what a schema's issue means, in our words. Shape: one text, or one for each unknown key. */
export function describeIssue(issue: z.core.$ZodIssue, raw: Json): readonly IssueText[] {
  const path = issue.path.map(key => (typeof key === 'symbol' ? String(key) : key))
  if (issue.code === 'unrecognized_keys') return issue.keys.map(key => unknownKey(path, key))
  if (issue.code === 'invalid_key') {
    const reason = issue.issues[0]?.message ?? 'expected another name'
    return [{ path, aboutKey: true, text: `${reason}, found ${JSON.stringify(path.at(-1))}` }]
  }
  const found = valueAt(raw, path)
  const expected = expectation(issue)
  // Checks between keys (code `custom` with a complete sentence) already say what they found.
  const text = /, found /.test(expected) ? expected : `${expected}, found ${describeValue(found)}`
  return [{ path, aboutKey: false, text }]
}

/** Write a path as people do: `node.services[0].command`; the document itself is `recipe`. */
export function writeKeyPath(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'recipe'
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('')
}

function unknownKey(path: readonly (string | number)[], key: string): IssueText {
  const known = allowedKeys(path)
  const meant = suggest(key, known)
  const question = meant === undefined ? '' : `; did you mean ${meant}?`
  return {
    path: [...path, key],
    aboutKey: true,
    text: `expected one of ${known.join(', ')}, found this unknown key${question}`,
  }
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${typeName(issue.expected)}`
    case 'invalid_value':
      return `expected ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(value => String(value)).join(', ')}`
    case 'too_small':
      return `expected at least ${issue.minimum}${unitOf(issue.origin)}`
    case 'too_big':
      return `expected at most ${issue.maximum}${unitOf(issue.origin)}`
    case 'invalid_union':
      return `expected ${alternatives(issue)}`
    case 'invalid_format':
      return formatExpectation(issue)
    default:
      return issue.message
  }
}

function formatExpectation(issue: z.core.$ZodIssueInvalidStringFormat): string {
  if (issue.format === 'starts_with')
    return `expected text that starts with ${(issue as z.core.$ZodIssueStringStartsWith).prefix}`
  if (issue.format === 'url') return 'expected an address such as https://example.org/'
  // A pattern with its own words says them; one without shows itself.
  return issue.message.startsWith('expected') ? issue.message : `expected text like ${issue.pattern}`
}

function alternatives(issue: z.core.$ZodIssueInvalidUnion): string {
  const texts = issue.errors.flatMap(branch => (branch[0] === undefined ? [] : [expectation(branch[0])]))
  return [...new Set(texts.map(text => text.replace(/^expected /, '')))].join(' or ')
}

function unitOf(origin: string): string {
  if (origin === 'array') return ' items'
  return origin === 'string' ? ' characters' : ''
}

function typeName(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    string: 'text',
    array: 'a list',
    object: 'a mapping',
    record: 'a mapping',
    boolean: 'true or false',
    number: 'a number',
    int: 'a whole number',
  }
  return names[expected] ?? expected
}

function valueAt(raw: Json, path: readonly (string | number)[]): unknown {
  let value: unknown = raw
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Readonly<Record<string, unknown>>)[key]
  }
  return value
}

function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a mapping'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
