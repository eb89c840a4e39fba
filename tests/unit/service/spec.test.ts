import { describe, expect, it } from 'vitest'
import type { RecipeService } from '../../../src/recipe/schema.ts'
import { baseEnvironment, resolveServices, usesSocket } from '../../../src/service/spec.ts'

const web: RecipeService = {
  name: 'web',
  command: ['${runtime}', 'server.js', '--port', '${port}'],
  environment: { DATA: '${shared}/data', PRICE: '5$$' },
  listens: true,
  stopSignal: 'SIGTERM',
  stopTimeout: 3000,
  readiness: 'started',
  limits: {},
  before: [],
  after: [],
  relax: [],
}
const worker: RecipeService = {
  ...web,
  name: 'worker',
  command: ['bin/worker'],
  environment: {},
  listens: false,
  directory: 'lib',
}

function resolve(services: readonly RecipeService[]) {
  return resolveServices({
    services,
    values: { runtime: '/usr/bin/node', shared: '/p/shared', version: '1.2.3', PORT: '80', SECRET: 's3cret' },
    releaseFolder: '/p/releases/1.2.3',
    listening: { port: '4711', socket: '/p/run/service.sock' },
    base: { PATH: '/bin', PORT: 'overridden' },
  })
}

describe('resolveServices', () => {
  it('fills in the command and the environment', () => {
    expect(resolve([web])[0]).toEqual({
      name: 'web',
      argv: ['/usr/bin/node', 'server.js', '--port', '4711'],
      cwd: '/p/releases/1.2.3',
      environment: { PATH: '/bin', PORT: '80', SECRET: 's3cret', DATA: '/p/shared/data', PRICE: '5$' },
      listens: true,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 3000,
      notifies: false,
      limits: { memoryBytes: undefined, openFiles: undefined, processes: undefined, cpu: undefined },
      account: undefined,
      relax: [],
      container: undefined,
    })
  })

  it('gives variables and secrets to every service, placeholders of the place only to the one that listens', () => {
    expect(resolve([worker])[0]).toMatchObject({ cwd: '/p/releases/1.2.3/lib', environment: { SECRET: 's3cret' } })
    expect(() => resolve([{ ...worker, command: ['x', '${port}'] }])).toThrow(
      expect.objectContaining({ code: 'RECIPE_PLACEHOLDER' }),
    )
  })
})

it('tells who listens on a socket', () => {
  expect(usesSocket(web)).toBe(false)
  expect(usesSocket({ ...web, environment: { BIND: 'unix:${socket}' } })).toBe(true)
  expect(usesSocket({ ...web, command: ['x', '$${socket}'] })).toBe(false)
})

it('gives services nothing of our environment that steers their runtime', () => {
  const ours = {
    PATH: '/bin',
    LANG: 'C.UTF-8',
    NODE_OPTIONS: '--require x',
    LISTEN_FDS: '1',
    PYTHONPATH: '/x',
    HOME: undefined,
  }
  expect(baseEnvironment(ours)).toEqual({ PATH: '/bin', LANG: 'C.UTF-8' })
})
