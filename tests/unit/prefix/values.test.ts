import fs from 'node:fs'
import { expect, it } from 'vitest'
import type { PrefixIdentity } from '../../../src/prefix/identity.ts'
import { prefixPaths, releasePaths } from '../../../src/prefix/layout.ts'
import { environmentVariables, releaseValues } from '../../../src/prefix/values.ts'
import { parseNodeRecipe } from '../../../src/recipe/node.ts'
import { tempFolder } from '../../support/temp.ts'

const identity: PrefixIdentity = {
  schema: 1,
  layout: 1,
  application: 'notes',
  repository: 'https://example.org/vendor',
  environment: 'production',
  variables: { PORT: '9090' },
}

const recipe = (kind: 'node' | 'python' | 'none') =>
  parseNodeRecipe({
    schema: 1,
    name: 'notes',
    node: { runtime: { kind, packages: [] } },
    environments: { production: { variables: { PORT: '8080', LOG_LEVEL: 'info' } } },
  })

it('names places, the version, variables and secrets; the prefix replaces variables of the environment', () => {
  const paths = prefixPaths('/srv/notes')
  const values = releaseValues({
    paths,
    identity,
    recipe: recipe('python'),
    version: '1.1.4',
    secrets: { SESSION_KEY: 'abc' },
  })
  expect(values).toEqual({
    release: '/srv/notes/releases/1.1.4',
    shared: '/srv/notes/shared',
    prefix: '/srv/notes',
    version: '1.1.4',
    pythonVersion: '1.1.4',
    environment: 'production',
    runtime: '/srv/notes/releases/1.1.4/venv/bin/python',
    PORT: '9090',
    LOG_LEVEL: 'info',
    SESSION_KEY: 'abc',
  })
})

it('takes the Node that setup chose, and our own when that is gone', () => {
  const paths = prefixPaths(tempFolder())
  const runtime = () =>
    releaseValues({ paths, identity, recipe: recipe('node'), version: '1.1.4', secrets: {} })['runtime']
  expect(runtime()).toBe(process.execPath)
  const release = releasePaths(paths, '1.1.4')
  fs.mkdirSync(release.metadata, { recursive: true })
  fs.symlinkSync('/bin/sh', release.runtime)
  expect(runtime()).toBe('/bin/sh')
  fs.rmSync(release.runtime)
  fs.symlinkSync('/nonexistent/node', release.runtime)
  expect(runtime()).toBe(process.execPath)
})

it('refuses an environment that the release does not have', () => {
  const options = { paths: prefixPaths('/srv'), recipe: recipe('none'), version: '1.1.4', secrets: {} }
  expect(() => releaseValues({ ...options, identity: { ...identity, environment: 'staging' } })).toThrow(
    expect.objectContaining({ code: 'ENVIRONMENT_UNKNOWN' }),
  )
})

it('takes a declared variable from the prefix, else from the environment, else from its default', () => {
  const declared = { type: 'port', default: '1' } as const
  const node = { variables: { A_PORT: declared, B_PORT: declared, C_PORT: declared, HOST: { type: 'host' } } } as const
  const environments = { production: { variables: { B_PORT: '2', C_PORT: '2' } } }
  const parsed = parseNodeRecipe({ schema: 1, name: 'toy', node, environments })
  const given = (variables: Readonly<Record<string, string>>) =>
    environmentVariables({ environment: 'production', variables }, parsed, '1.0.0')
  expect(given({ C_PORT: '3', HOST: 'a.example', OTHER: 'x' })).toEqual({
    A_PORT: '1',
    B_PORT: '2',
    C_PORT: '3',
    HOST: 'a.example',
    OTHER: 'x',
  })
  expect(() => given({ C_PORT: 'x' })).toThrow(
    expect.objectContaining({
      code: 'VARIABLE_INVALID',
      details: expect.objectContaining({ variables: ['C_PORT', 'HOST'] }),
    }),
  )
})
