import { expect, it } from 'vitest'
import { variableProblem } from '../../../src/recipe/variable.ts'

it.each([
  ['text', ''],
  ['port', '1'],
  ['port', '65535'],
  ['host', 'localhost'],
  ['host', 'db-1.example.org'],
  ['host', '10.0.0.1'],
  ['host', '::1'],
  ['host', 'fe80::1'],
  ['url', 'https://example.org/path?x=1'],
  ['url', 'postgresql:///notes?host=/run/postgresql'],
] as const)('%s takes %j', (type, value) => {
  expect(variableProblem({ type }, value)).toBeUndefined()
})

it.each([
  ['text', 'a\0b'],
  ['port', '0'],
  ['port', '65536'],
  ['port', '080'],
  ['port', '8080 '],
  ['host', ''],
  ['host', '-bad.example'],
  ['host', 'a b'],
  ['host', 'example.org:80'],
  ['host', '10.0.0.300'],
  ['host', '1.2.3'],
  ['host', `${'a'.repeat(64)}.example`],
  ['host', ':::'],
  ['url', 'example.org'],
  ['url', 'mailto:ada@example.org'],
  ['url', 'https://exa mple.org'],
] as const)('%s refuses %j', (type, value) => {
  expect(variableProblem({ type }, value)).toMatch(/^expected .*, found "/)
})

it('tells what a missing one is for', () => {
  const problem = variableProblem({ type: 'host', description: 'where mail goes' }, undefined)
  expect(problem).toBe('expected the name of a host or an IP address (where mail goes), found none')
})
