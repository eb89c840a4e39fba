import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { serveRepository } from '../../src/flow/repository-serve.ts'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
let repository: MadeRepository

beforeAll(async () => {
  repository = await makeRepository(base)
  await repository.publish({ version: '1.0.0-dev.1' })
})

const optionsFor = (folder: string, listen = '127.0.0.1:0') => ({
  cwd: base,
  environment: {},
  repository: folder,
  listen,
})

describe('release serve', () => {
  it('serves installers until it is told to end', async () => {
    const controller = new AbortController()
    const tools = recordedTools({ signal: controller.signal })
    const { promise: address, resolve } = Promise.withResolvers<string>()
    const serving = serveRepository(optionsFor(repository.folder), {
      ...tools,
      emit: event => {
        tools.emit(event)
        if (event.kind === 'note') resolve(/http:\S+/.exec(event.message)?.[0] ?? '')
      },
    })
    const repositoryUrl = await address
    const folder = path.join(base, 'trust')
    await pinRoot({ folder, repositoryUrl, fingerprint: repository.fingerprint })
    const { record } = await openRepository({ folder, repositoryUrl }).record('notes', '1.0.0-dev.1')
    expect(record.version).toBe('1.0.0-dev.1')
    controller.abort()
    await serving
    expect(tools.result<{ requests: number }>().requests).toBeGreaterThan(4)
    await expect(fetch(repositoryUrl)).rejects.toThrow()
  })

  it.each([
    ['a folder that is no repository', base, '127.0.0.1:0', 'REPOSITORY_UNKNOWN'],
    ['a unix socket', undefined, 'unix:/run/x.sock', 'USAGE'],
    ['what is no address', undefined, 'everywhere', 'GATE_ADDRESS_INVALID'],
  ])('refuses %s', async (_, folder, listen, code) => {
    const refused = serveRepository(optionsFor(folder ?? repository.folder, listen), recordedTools())
    await expect(refused).rejects.toMatchObject({ code })
  })
})
