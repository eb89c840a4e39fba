import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { Json } from '../../src/core/canonical-json.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { type WhyResult, why } from '../../src/flow/why.ts'
import { codeOfAsync } from '../support/codes.ts'
import { runCutover } from '../support/cutover-cli.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { startServing } from '../support/toy-prefix.ts'
import { servedFiles, servedNode, type ToyInstallation, toyInstallation } from '../support/toy-release.ts'

type Node = { readonly [key: string]: Json }

async function put(toy: ToyInstallation, version: string, node: Node = {}, files = {}) {
  const resolve = resolveFromFolder(await toy.cut({ version, node, files }))
  return await install({ prefix: toy.paths.root, version, resolve }, recordedTools())
}

const ask = (toy: ToyInstallation, version?: string): Promise<WhyResult> =>
  why({ prefix: toy.paths.root, version }, recordedTools())

it('tells in one screen what was seen, what the service wrote last and how long each step took', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0', servedNode(), servedFiles)
  const serving = await startServing(toy.paths.root)
  try {
    const secrets = [{ name: 'TOKEN' }]
    // Whatever a service writes is kept, but for secrets.
    const services = [
      {
        name: 'web',
        command: ['/bin/sh', '-c', 'echo the token is $TOKEN; exec "$0" toy-app.ts', '${runtime}'],
        environment: { TOKEN: '${TOKEN}', VERSION: '${version}', TOY: 'unhealthy', PORT: '${port}' },
        listens: true,
        stopTimeout: '5s',
      },
    ]
    const { health } = servedNode({ deadline: '20s' })
    const node = { ...servedNode(), health: { ...(health as object), patience: '50ms' }, services, secrets }
    expect(await codeOfAsync(put(toy, '1.1.0', node, servedFiles))).toBe('INSTALL_UNHEALTHY')
  } finally {
    await serving.end('SIGTERM')
  }
  const told = await ask(toy)
  expect(told).toMatchObject({ answer: 'failed', version: '1.1.0', active: '1.0.0', isAvoided: true })
  expect(told.failure).toMatchObject({ op: 'probe', code: 'INSTALL_UNHEALTHY', services: [{ name: 'web' }] })
  expect(told.failure?.logs[0]?.lines).toContain('the token is ***')
  const outcomes = told.timeline.map(({ step, outcome }) => `${step} ${outcome}`)
  expect(outcomes).toContain('probe failed')
  expect(outcomes.at(-1)).toBe('undo stage done')
  const { stdout, exitCode } = await runCutover(['why', '--prefix', toy.paths.root])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/1\.1\.0 was taken back to 1\.0\.0 \(INSTALL_UNHEALTHY: .*500, expected 200/)
  expect(stdout).toContain('the token is ***')
  expect(stdout.split('\n').length).toBeLessThan(50)
})

it('tells it from the journal alone where nothing else was written down', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  expect(await codeOfAsync(put(toy, '1.1.0', { setup: [{ run: 'echo no compiler; exit 3' }] }))).toBe('SETUP_FAILED')
  expect((await ask(toy)).failure?.message).toContain('no compiler')
  fs.rmSync(path.join(toy.paths.root, 'journal', 'failures'), { recursive: true })
  expect(await ask(toy, '1.1.0')).toMatchObject({
    answer: 'failed',
    failure: undefined,
    change: { failure: { code: 'SETUP_FAILED' } },
  })
})

it('tells of versions that did not fail why they are not chosen, or that nothing is held against them', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  expect(await ask(toy)).toMatchObject({ answer: 'never', version: undefined })
  await put(toy, '1.1.0')
  await rollback({ prefix: toy.paths.root }, recordedTools())
  expect(await ask(toy)).toMatchObject({ answer: 'left', version: '1.1.0', isAvoided: true })
  const migrations = [{ name: 'drop', phase: 'short', rollback: 'forward-only', run: ['/bin/true'] }]
  await put(toy, '1.2.0', { migrations })
  expect(await ask(toy, '1.0.0')).toMatchObject({ answer: 'floor', rollbackFloor: '1.2.0', change: { txn: 4 } })
  expect(await ask(toy, '1.2.0')).toMatchObject({ answer: 'fine' })
  expect(await ask(toy, '1.3.0')).toMatchObject({ answer: 'never', version: '1.3.0' })
})
