import { expect, it } from 'vitest'
import { testInventory } from '../../support/evidence.ts'
import type { TestFiles } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const json = (value: unknown) => JSON.stringify(value)
const pack = (name: string, version: string, more: object = {}) => json({ name, version, ...more })

/** Each package with what it depends on. */
async function graph(files: TestFiles) {
  const { inventory } = await testInventory(tempFolder(), files)
  return Object.fromEntries(
    inventory.packages.map(({ component }) => [
      component.bomRef.value,
      [...component.dependencies].map(ref => ref.value),
    ]),
  )
}

async function only(packageJson: unknown) {
  const { inventory } = await testInventory(tempFolder(), { 'node_modules/a/package.json': json(packageJson) })
  return { component: inventory.packages[0]?.component, problems: inventory.problems }
}

it('lists each copy once, and depends on the one that Node would load', async () => {
  const needs = { dependencies: { '@s/b': '1', c: '1', missing: '1' } }
  expect(
    await graph({
      'node_modules/a/package.json': pack('a', '1.0.0', needs),
      'node_modules/a/node_modules/c/package.json': pack('c', '2.0.0', { peerDependencies: { '@s/b': '1' } }),
      'node_modules/@s/b/package.json': pack('@s/b', '1.0.0', { optionalDependencies: { c: '1' } }),
      'node_modules/c/package.json': pack('c', '1.0.0'),
    }),
  ).toEqual({
    'node_modules/@s/b': ['node_modules/c'],
    'node_modules/a': ['node_modules/@s/b', 'node_modules/a/node_modules/c'],
    'node_modules/a/node_modules/c': ['node_modules/@s/b'],
    'node_modules/c': [],
  })
})

it('follows the links of workspaces and of stores', async () => {
  expect(
    await graph({
      'node_modules/lib': { link: '../packages/lib' },
      'packages/lib/package.json': pack('lib', '0.1.0', { dependencies: { dep: '1' } }),
      'node_modules/dep': { link: '.store/dep@1/node_modules/dep' },
      'node_modules/.store/dep@1/node_modules/dep/package.json': pack('dep', '1.0.0', { dependencies: { sub: '1' } }),
      'node_modules/.store/dep@1/node_modules/sub': { link: '../../sub@1/node_modules/sub' },
      'node_modules/.store/sub@1/node_modules/sub/package.json': pack('sub', '1.0.0'),
    }),
  ).toEqual({
    'node_modules/.store/dep@1/node_modules/dep': ['node_modules/.store/sub@1/node_modules/sub'],
    'node_modules/.store/sub@1/node_modules/sub': [],
    'packages/lib': ['node_modules/.store/dep@1/node_modules/dep'],
  })
})

it('takes only what Node resolves by name for a package', async () => {
  const { inventory } = await testInventory(tempFolder(), {
    'package.json': pack('app', '1.0.0', { dependencies: { a: '1' } }),
    'node_modules/a/package.json': pack('a', '1.0.0'),
    'node_modules/a/esm/package.json': json({ type: 'module' }),
    'node_modules/a/test/fixtures/node_modules.d/x/package.json': pack('x', '1.0.0'),
    'node_modules/.cache/tool/package.json': pack('tool', '1.0.0'),
  })
  expect(inventory.packages.map(({ component }) => component.purl)).toEqual(['pkg:npm/a@1.0.0'])
  expect(inventory.wanted.map(({ name }) => name)).toEqual(['a'])
  expect(inventory.problems).toEqual([])
})

it('does not go round in circles', async () => {
  const files: TestFiles = {
    'node_modules/a': { link: 'b' },
    'node_modules/b': { link: 'a' },
    'node_modules/c/package.json': pack('c', '1.0.0', { dependencies: { a: '1', c: '1' } }),
  }
  expect(await graph(files)).toEqual({ 'node_modules/c': ['node_modules/c'] })
})

it.each([
  ['MIT', { id: 'MIT' }],
  ['mit', { id: 'MIT' }],
  ['(MIT OR Apache-2.0)', { expression: '(MIT OR Apache-2.0)' }],
  [{ type: 'ISC', url: 'https://example.org' }, { id: 'ISC' }],
  ['SEE LICENSE IN LICENSE.txt', { name: 'SEE LICENSE IN LICENSE.txt' }],
])('reads the licence %j', async (license, expected) => {
  const { component } = await only({ name: 'a', version: '1.0.0', license })
  expect([...component!.licenses]).toMatchObject([expected])
})

it.each([{ license: '' }, { license: null }, { license: 7 }, { license: ['MIT'] }, { license: {} }, {}])(
  'finds no licence in %j',
  async named => {
    const { component } = await only({ name: 'a', version: '1.0.0', ...named })
    expect(component?.licenses.size).toBe(0)
  },
)

it.each([
  ['{', 'is not JSON'],
  ['[]', 'is not a JSON object'],
  ['null', 'is not a JSON object'],
  ['{}', 'names no package'],
  ['{"name":7}', 'names no package'],
])('passes over %s', async (text, reason) => {
  const { inventory } = await testInventory(tempFolder(), {
    'node_modules/a/package.json': text,
    'node_modules/b/package.json': pack('b', '1.0.0'),
  })
  expect(inventory.problems).toEqual([{ path: 'node_modules/a/package.json', reason }])
  expect(inventory.packages).toHaveLength(1)
})

it('passes over what is too large to describe a package', async () => {
  const { problems } = await only({ name: 'a', version: '1.0.0', padding: 'x'.repeat(4 * 1024 * 1024) })
  expect(problems).toMatchObject([{ path: 'node_modules/a/package.json' }])
})

it('bears members of every kind', async () => {
  for (const odd of [null, 7, [], {}, 'x', { url: 7 }, [null]]) {
    const members = ['author', 'bugs', 'dependencies', 'description', 'dist', 'engines', 'homepage', 'licenses']
    const { component } = await only({
      name: 'a',
      version: '1.0.0',
      ...Object.fromEntries([...members, 'repository', 'peerDependencies'].map(member => [member, odd])),
    })
    expect(component?.name).toBe('a')
  }
})

it('has the digest of the lock file for the very place and version', async () => {
  const sha512 = Buffer.alloc(64, 7)
  const integrity = `sha512-${sha512.toString('base64')}`
  const folder = tempFolder()
  const { inventory } = await testInventory(folder, {
    'web/package-lock.json': json({
      packages: {
        'node_modules/a': { version: '1.0.0', integrity },
        'node_modules/b': { version: '1.0.0', integrity },
        'node_modules/c': { version: '1.0.0', integrity: 'md5-x' },
      },
    }),
    'web/node_modules/a/package.json': pack('a', '1.0.0'),
    'web/node_modules/b/package.json': pack('b', '1.0.1'),
    'web/node_modules/c/package.json': pack('c', '1.0.0'),
    'node_modules/a/package.json': pack('a', '1.0.0'),
    'package-lock.json': '{ not JSON',
  })
  const hashes = inventory.packages.map(({ component }) => [component.bomRef.value, [...component.hashes.values()]])
  expect(Object.fromEntries(hashes)).toEqual({
    'node_modules/a': [],
    'web/node_modules/a': [sha512.toString('hex')],
    'web/node_modules/b': [],
    'web/node_modules/c': [],
  })
  expect(inventory.problems).toEqual([{ path: 'package-lock.json', reason: 'is not JSON' }])
})
