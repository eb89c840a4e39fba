import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { status } from '../../src/flow/status.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { replay } from '../../src/prefix/state.ts'
import { startLoad } from '../support/load.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { type Serving, startServing, until } from '../support/toy-prefix.ts'
import { servedFiles, servedNode, type ToyInstallation, toyInstallation } from '../support/toy-release.ts'

for (const mode of ['proxy', 'handover'] as const) {
  it(`upgrades and rolls back under load without a failed request (${mode})`, async () => {
    const toy = toyInstallation()
    await put(toy, '1.0.0')
    await withServing(toy, ['--mode', mode], async serving => {
      const load = startLoad(serving.url, 8)
      const result = await put(toy, '1.1.0')
      expect(result.holdMs).toBeGreaterThan(0)
      await until(async () => (await serving.client.request({ kind: 'status' })).status.counters.heldNow === 0)
      await rollback({ prefix: toy.paths.root }, recordedTools())
      const report = await load.stop()
      expect(report.failures).toEqual([])
      expect(report.versions.toSorted()).toEqual(['1.0.0', '1.1.0'])
      const told = await status({ prefix: toy.paths.root }, recordedTools())
      expect(told).toMatchObject({ active: '1.0.0', serving: { version: '1.0.0', gate: { mode: 'pass' } } })
    })
  })
}

for (const toyKind of ['unhealthy', 'exit'] as const) {
  it(`goes back by itself from a version that is ${toyKind}, and no request fails`, async () => {
    const toy = toyInstallation()
    await put(toy, '1.0.0')
    await withServing(toy, [], async serving => {
      const load = startLoad(serving.url, 4)
      const error = await failure(put(toy, '1.1.0', { toy: toyKind, deadline: '500ms' }))
      expect(error).toMatchObject({ code: 'INSTALL_UNHEALTHY', exitCode: 1 })
      expect(error.message).toContain('web.log')
      expect((await load.stop()).failures).toEqual([])
      expect(currentVersion(toy.paths)).toBe('1.0.0')
      const told = await status({ prefix: toy.paths.root }, recordedTools())
      expect(told).toMatchObject({ active: '1.0.0', serving: { version: '1.0.0', gate: { mode: 'pass' } } })
      expect(state(toy).avoided).toEqual(new Set(['1.1.0']))
      expect(fs.readdirSync(toy.paths.releases)).toEqual(['1.0.0'])
    })
  })
}

it('leaves a gate in backoff that an operator has set', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  await withServing(toy, [], async serving => {
    const asked = { mode: 'backoff', reason: 'maintenance', by: 'operator' } as const
    await serving.client.request({ kind: 'gate', ...asked, deadlineMs: 60_000 })
    await put(toy, '1.1.0')
    const { status: now } = await serving.client.request({ kind: 'status' })
    expect(now).toMatchObject({ version: '1.1.0', gate: asked })
  })
})

it('holds for as long as a migration takes, also beyond the deadline of the gate', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  await withServing(toy, [], async serving => {
    const gate = { listen: '127.0.0.1:0', hold: { deadline: '1s' } }
    const migrations = [{ name: 'slow', phase: 'short', run: 'sleep 2.5' }]
    const node = { ...servedNode(), gate, migrations }
    const resolve = resolveFromFolder(await toy.cut({ version: '1.1.0', node, files: servedFiles }))
    const load = startLoad(serving.url, 4)
    const result = await install({ prefix: toy.paths.root, resolve }, recordedTools())
    const report = await load.stop()
    expect(report.failures).toEqual([])
    expect(report.longestMs).toBeGreaterThan(2000)
    expect(result).toMatchObject({ version: '1.1.0', heldRequests: 4 })
  })
})

it('installs the first version into a prefix that is served already', async () => {
  const toy = toyInstallation()
  await withServing(toy, ['--listen', '127.0.0.1:0'], async serving => {
    await put(toy, '1.0.0')
    const response = await fetch(`${serving.url}/`)
    expect(response.headers.get('x-version')).toBe('1.0.0')
  })
})

it('keeps the new version when a forward-only migration has run, though it is not healthy', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  await withServing(toy, [], async () => {
    const migrations = [{ name: 'contract', phase: 'short', rollback: 'forward-only', run: ['/bin/true'] }]
    const node = { ...servedNode({ toy: 'unhealthy', deadline: '200ms' }), migrations }
    const resolve = resolveFromFolder(await toy.cut({ version: '1.1.0', node, files: servedFiles }))
    const tools = recordedTools()
    const error = await failure(install({ prefix: toy.paths.root, resolve }, tools))
    expect(error).toMatchObject({ code: 'INSTALL_UNHEALTHY' })
    expect(tools.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'INSTALL_UNHEALTHY' }))
    const told = await status({ prefix: toy.paths.root }, recordedTools())
    expect(told).toMatchObject({ active: '1.1.0', rollbackFloor: '1.1.0', unfinished: undefined })
    expect(told.serving).toMatchObject({ version: '1.1.0', gate: { mode: 'pass' } })
  })
})

it('takes nothing for granted when the serving process ends in the middle', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  const serving = await startServing(toy.paths.root)
  const flag = path.join(toy.paths.shared, 'killed')
  const kill = `kill -9 ${serving.child.pid}; touch ${flag}`
  const migrations = [{ name: 'killer', phase: 'short', run: ['/bin/sh', '-c', kill] }]
  // A serving process that comes back goes on holding, until this deadline tells it that nobody will say more.
  const gate = { listen: '127.0.0.1:0', hold: { deadline: '1s' } }
  const node = { ...servedNode(), gate, migrations }
  const resolve = resolveFromFolder(await toy.cut({ version: '1.1.0', node, files: servedFiles }))
  const error = await failure(install({ prefix: toy.paths.root, resolve }, recordedTools()))
  expect(error).toMatchObject({ code: 'GATE_UNREACHABLE' })
  expect(fs.existsSync(flag)).toBe(true)
  expect(currentVersion(toy.paths)).toBe('1.0.0')
  expect(state(toy)).toMatchObject({ active: '1.0.0', unfinished: undefined, avoided: new Set() })
  await withServing(toy, [], async again => {
    expect((await fetch(`${again.url}/`)).headers.get('x-version')).toBe('1.0.0')
  })
})

async function put(toy: ToyInstallation, version: string, misbehaviour: Parameters<typeof servedNode>[0] = {}) {
  const folder = await toy.cut({ version, node: servedNode(misbehaviour), files: servedFiles })
  return await install({ prefix: toy.paths.root, version, resolve: resolveFromFolder(folder) }, recordedTools())
}

async function withServing(toy: ToyInstallation, options: string[], run: (serving: Serving) => Promise<void>) {
  const serving = await startServing(toy.paths.root, ...options)
  try {
    // Answered through the gate: what comes from now on waits for the installation only.
    if (currentVersion(toy.paths) !== undefined) await until(async () => (await fetch(serving.url)).ok)
    await run(serving)
  } finally {
    expect(await serving.end('SIGTERM')).toBe(0)
  }
}

function state(toy: ToyInstallation) {
  return replay(readJournal(toy.paths.journal))
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (caught) {
    return caught as Error
  }
  throw new Error('expected an error')
}
