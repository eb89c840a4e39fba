import { expect, it } from 'vitest'
import type { ReleaseError } from '../../../src/core/error.ts'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { minimalRecipe } from './recipe-text.ts'

function problem(node: string): string {
  try {
    parseRecipe(`${minimalRecipe}node: ${node}\n`, 'release.yaml')
  } catch (caught) {
    return (caught as ReleaseError).message
  }
  return ''
}

it.each([
  ['{ state: { reads: [1, 2], writes: 3 } }', 'node.state.reads: expected 3 among them'],
  ['{ restore: { run: [a] } }', 'node.restore: expected backup'],
  [
    '{ health: { http: {}, command: { run: [a] } } }',
    'node.health.command: expected one of http and command, found both',
  ],
  ['{ health: { tcp: "localhost:1", command: { run: [a] } } }', 'node.health.command: expected one of tcp and command'],
  ['{ health: { http: {} } }', 'node.health.http: expected a service with `listens: true`'],
  ['{ health: { tcp: gate } }', 'node.health.tcp: expected a service with `listens: true`'],
  ['{ health: { tcp: "localhost:${PORTS}" } }', 'node.health.tcp: expected ${PORTS} to be a variable'],
  ['{ hooks: [{ when: before, phase: hold, run: ["${CUTOVER_NOTHING}"] }] }', 'node.hooks[0].run[0]: expected'],
  ['{ backup: { run: ["${BACKUP_FOLDERS}"] } }', 'node.backup.run[0]: expected'],
])('finds what is wrong in %s', (node, expected) => {
  expect(problem(node)).toContain(expected)
})

it.each([
  '{ state: { reads: [1, 2], writes: 2 } }',
  '{ backup: { run: [cp, "${BACKUP_FOLDER}"] }, restore: { run: [cp, "${BACKUP_FOLDER}"] } }',
  '{ health: { tcp: "localhost:5432" } }',
  '{ hooks: [{ when: after, phase: commit, run: [tell, "${CUTOVER_OUTCOME}", "${CUTOVER_FROM}"] }] }',
  '{ migrations: [{ name: drop, phase: contract, run: [a] }] }',
])('takes %s', node => {
  expect(problem(node)).toBe('')
})
