import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { service as serviceSchema } from '../../../src/recipe/schema/service.ts'
import type { RecipeService } from '../../../src/recipe/schema.ts'
import { type ContainerContext, containService } from '../../../src/service/container.ts'
import { serviceSpec } from '../../support/services.ts'
import { tempFolder } from '../../support/temp.ts'

const digest = `sha256:${'0'.repeat(64)}`

function context(compose?: string): ContainerContext {
  const folder = tempFolder()
  if (compose !== undefined) fs.writeFileSync(path.join(folder, 'compose.yaml'), compose)
  return {
    values: { TOKEN_FILE: '/p/run/secrets/TOKEN', PORT: '80', shared: '/p/shared' },
    secretFiles: [],
    services: ['web'],
    releaseFolder: folder,
    sharedFolder: '/p/shared',
    mountedFolders: ['/site/shared/live'],
    socketFolder: '/p/run/service',
    releaseImage: () => undefined,
  }
}

const web = (container: object, more: object = {}): RecipeService =>
  serviceSchema.parse({ name: 'web', command: ['serve'], container, ...more })
const spec = (more: object = {}) => serviceSpec({ argv: ['serve'], environment: { A: 'recipe' }, ...more })

describe('containService', () => {
  it('leaves alone what is no container', async () => {
    const plain = serviceSchema.parse({ name: 'web', command: ['serve'] })
    expect(await containService(spec(), plain, context())).toEqual(spec())
  })

  it('takes an image by its digest, the release’s own by that of its record', async () => {
    const named = await containService(spec(), web({ image: `a.example/b@${digest}` }), context())
    expect(named.container?.image).toBe(`a.example/b@${digest}`)
    const own = await containService(spec(), web({ image: 'a.example/b' }), {
      ...context(),
      releaseImage: () => digest,
    })
    expect(own.container?.image).toBe(`a.example/b@${digest}`)
  })

  it('refuses an image that may be another tomorrow', async () => {
    await expect(containService(spec(), web({ image: 'a.example/b' }), context())).rejects.toMatchObject({
      code: 'SERVICE_DRIVER_UNSUITABLE',
    })
    expect(() => web({ image: 'a.example/b:latest' })).toThrow()
    expect(() => web({})).toThrow()
  })

  it('mounts the release, what is shared, the folder of the socket where it listens, and volumes', async () => {
    const made = context()
    const service = web({ image: `b@${digest}`, volumes: [{ from: 'data', to: '/data' }] })
    const { container } = await containService(spec({ listens: true }), service, made)
    expect(container?.mounts).toEqual([
      { from: made.releaseFolder, to: made.releaseFolder, readOnly: true },
      { from: '/p/shared', to: '/p/shared', readOnly: false },
      { from: '/site/shared/live', to: '/site/shared/live', readOnly: false },
      { from: '/p/run/service', to: '/p/run/service', readOnly: false },
      { from: '/p/shared/data', to: '/data', readOnly: false },
    ])
  })

  it('has secret files where images look for them', async () => {
    const made = await containService(spec(), web({ image: `b@${digest}` }), { ...context(), secretFiles: ['TOKEN'] })
    expect(made.environment).toEqual({ A: 'recipe', TOKEN_FILE: '/run/secrets/TOKEN' })
    expect(made.container?.mounts.at(-1)).toEqual({
      from: '/p/run/secrets/TOKEN',
      to: '/run/secrets/TOKEN',
      readOnly: true,
    })
  })

  it('takes from a compose file what the recipe does not say', async () => {
    const compose = `services:
  web:
    image: c.example/web@${digest}
    command: [run, "\${PORT}"]
    environment: { A: compose, B: compose }
    volumes: ["\${shared}/db:/db"]
`
    const whole = await containService(
      spec({ argv: [] }),
      web({ compose: 'compose.yaml' }, { command: [] }),
      context(compose),
    )
    expect(whole).toMatchObject({
      argv: ['run', '80'],
      environment: { A: 'recipe', B: 'compose' },
      container: { image: `c.example/web@${digest}`, keepsEntrypoint: true },
    })
    expect(whole.container?.mounts.at(-1)).toEqual({ from: '/p/shared/db', to: '/db', readOnly: false })
    const own = await containService(spec(), web({ compose: 'compose.yaml' }), context(compose))
    expect(own).toMatchObject({ argv: ['serve'], container: { keepsEntrypoint: false } })
  })

  it.each([
    ['is not there', undefined],
    ['is no YAML', 'services: {'],
    ['has no image', 'services: { web: {} }'],
    ['bites its tail', 'services: { web: &a { environment: *a } }'],
  ])('refuses a compose file that %s', async (_what, compose) => {
    const contained = containService(spec(), web({ compose: 'compose.yaml' }), context(compose))
    await expect(contained).rejects.toMatchObject({ code: 'COMPOSE_INVALID' })
  })
})
