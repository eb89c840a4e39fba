import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { minimalRecipe } from './recipe-text.ts'

const withRoles = (production: object, development: object, node: object = {}) =>
  parseRecipe(`${minimalRecipe}node: ${JSON.stringify({ ...node, roles: { production, development } })}\n`, 'r.yaml')

const problemsOf = (parse: () => unknown): readonly string[] => {
  try {
    parse()
    return []
  } catch (caught) {
    return (caught as { details: { problems: readonly string[] } }).details.problems
  }
}

it('takes roles with variables, folders and what makes them healthy', () => {
  const node = {
    health: { http: { path: '/health' } },
    services: [{ name: 'web', command: ['web', '${port}'], listens: true }],
    gate: { listen: '127.0.0.1:80' },
  }
  const role = { environment: { LEVEL: 'warn' }, mounts: { data: 'live' }, health: { contains: '${role} ${LEVEL}' } }
  const { recipe } = withRoles(role, { ...role, mounts: { data: 'trial' }, host: 'test.example.org' }, node)
  expect(recipe.node.roles['production']).toEqual({ ...role, host: 'localhost' })
  expect(recipe.node.roles['development']).toMatchObject({ mounts: { data: 'trial' }, host: 'test.example.org' })
})

it('knows ${role} and ${slot} only where there are roles', () => {
  const setup = [{ run: ['echo', '${role}', '${slot}'] }]
  expect(problemsOf(() => withRoles({}, {}, { setup }))).toEqual([])
  const without = () => parseRecipe(`${minimalRecipe}node: ${JSON.stringify({ setup })}\n`, 'r.yaml')
  expect(problemsOf(without)).toHaveLength(2)
})

it('wants a variable in every role where no environment has it', () => {
  const setup = [{ run: ['echo', '${LEVEL}'] }]
  expect(problemsOf(() => withRoles({ environment: { LEVEL: 'a' } }, {}, { setup }))).toEqual([
    expect.stringContaining('production in role development'),
  ])
})

it.each<[string, object, object, object]>([
  ['a folder that the other role has not', { mounts: { data: 'live' } }, {}, {}],
  [
    'a folder that is shared by all',
    { mounts: { data: 'live' } },
    { mounts: { data: 'trial' } },
    { shared: ['data/up'] },
  ],
  ['a folder of our own', { mounts: { backups: 'live' } }, { mounts: { backups: 'trial' } }, {}],
  ['a path as folder', { mounts: { data: '../live' } }, { mounts: { data: 'trial' } }, {}],
  ['text in an answer that nobody asks for', { health: { contains: 'x' } }, {}, {}],
  ['a variable that is a secret', { environment: { KEY: 'x' } }, {}, { secrets: [{ name: 'KEY' }] }],
  ['a port that is none', { environment: { PORT: 'x' } }, {}, { variables: { PORT: { type: 'port', default: '1' } } }],
])('refuses %s', (_, production, development, node) => {
  expect(problemsOf(() => withRoles(production, development, node))).not.toEqual([])
})

it('takes the example that recipes/README.md shows', () => {
  const text = fs.readFileSync(path.join(import.meta.dirname, '..', '..', '..', 'recipes', 'README.md'), 'utf8')
  const example = [...text.matchAll(/```yaml\n(schema: 1\n[\s\S]*?)```/g)].map(match => match[1]!)
  const [, invenio] = example.map(each => parseRecipe(each, 'README.md').recipe)
  expect(Object.keys(invenio!.node.roles)).toEqual(['production', 'development'])
})
