import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { Json } from '../../src/core/canonical-json.ts'
import { install } from '../../src/flow/install.ts'
import type { AskedCanary } from '../../src/flow/overlap.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { replay } from '../../src/prefix/state.ts'
import { startLoad } from '../support/load.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { type Serving, startServing, until } from '../support/toy-prefix.ts'
import { servedFiles, servedNode, type ToyInstallation, toyInstallation } from '../support/toy-release.ts'

for (const mode of ['proxy', 'handover'] as const) {
  it(`upgrades and rolls back with both versions running, holding nobody and failing nobody (${mode})`, async () => {
    await withServing(mode, async (toy, serving) => {
      const load = startLoad(serving.url, 8)
      const tools = recordedTools()
      await put(toy, '1.1.0', { canary: mode === 'handover' ? { share: 0.5 } : undefined }, tools)
      expect(stepsOf(tools)).toEqual(['start-beside', 'probe', 'switch', 'promote', 'watch', 'retire'])
      const code = mode === 'handover' ? 'CANARY_UNROUTED' : 'CANARY_UNWANTED'
      expect(tools.events).toContainEqual(expect.objectContaining({ kind: 'step-skipped', step: 'canary', code }))
      await rollback({ prefix: toy.paths.root }, recordedTools())
      const report = await load.stop()
      expect(report.failures).toEqual([])
      expect(report.versions.toSorted()).toEqual(['1.0.0', '1.1.0'])
      await expectAlone(serving, '1.0.0')
    })
  })
}

it('stops a version beside that is not healthy, and no client notices', async () => {
  await withServing('proxy', async (toy, serving) => {
    const load = startLoad(serving.url, 4)
    const failed = await failure(put(toy, '1.1.0', { toy: 'unhealthy', deadline: '300ms' }))
    expect(failed).toMatchObject({ code: 'INSTALL_UNHEALTHY' })
    expect(failed.message).toContain('web_2.log')
    const report = await load.stop()
    expect(report).toMatchObject({ failures: [], versions: ['1.0.0'] })
    expect(currentVersion(toy.paths)).toBe('1.0.0')
    expect(replay(readJournal(toy.paths.journal))).toMatchObject({ active: '1.0.0', avoided: new Set(['1.1.0']) })
    await expectAlone(serving, '1.0.0')
  })
})

it('shows a new version to a part of the clients, which stay with it, and to those who ask; then to all', async () => {
  await withServing('proxy', async (toy, { url, client }) => {
    const interruption = new AbortController()
    const tools = recordedTools({ signal: interruption.signal })
    const interrupted = failure(put(toy, '1.1.0', { canary: { share: 0.5, forMs: 60_000 } }, tools))
    await until(async () => (await client.request({ kind: 'status' })).status.beside?.share === 0.5)
    expect((await ask(url, 'cutover-canary=new')).version).toBe('1.1.0')
    expect((await ask(url, 'cutover-canary=old')).version).toBe('1.0.0')
    for (let visitor = 0; visitor < 5; visitor += 1) {
      const { version, cookie } = await ask(url, 'theme=dark')
      const told = version === '1.1.0' ? 'new' : 'old'
      expect(cookie).toBe(`cutover-canary=${told}; Path=/; HttpOnly; SameSite=Lax; Max-Age=60`)
      expect(await ask(url, `theme=dark; cutover-canary=${told}`)).toEqual({ status: 200, version, cookie: null })
    }
    interruption.abort()
    await interrupted
    expect(await ask(url, 'cutover-canary=new')).toEqual({ status: 200, version: '1.0.0', cookie: null })
    await put(toy, '1.1.0', { canary: { share: 0.5, forMs: 50 } })
    expect(await ask(url, 'cutover-canary=old')).toEqual({ status: 200, version: '1.1.0', cookie: null })
  })
})

it('takes back a version that fails more requests of its part of the clients than it may, with the figures of both', async () => {
  await withServing('proxy', async (toy, serving) => {
    const canary = { share: 0.5, for: '30s', failures: 0.1 }
    const installed = failure(put(toy, '1.1.0', { toy: 'faulty', gate: { canary } }))
    const failed = await until(async () => {
      await ask(serving.url, 'theme=dark')
      return Promise.race([installed, Promise.resolve(undefined)])
    })
    expect(failed).toMatchObject({ code: 'INSTALL_UNHEALTHY' })
    expect(failed.message).toMatch(
      /with 50 % of the clients.*[1-9]\d* of [1-9]\d* answers failed, of the version before 0 of/,
    )
    await expectAlone(serving, '1.0.0')
    expect((await ask(serving.url, 'cutover-canary=new')).version).toBe('1.0.0')
  })
})

it('has services that do not listen run once, those of the version that gets the requests', async () => {
  const log = 'echo "$0$VERSION" >> "$LOG"'
  const script = `${log.replace('$0', '+')}; trap '${log.replace('$0', '-')}; exit' TERM; while :; do sleep 0.02; done`
  const worker = (before: Json = []): Json => ({
    name: 'worker',
    command: ['sh', '-c', script],
    environment: { VERSION: '${version}', LOG: '${shared}/workers' },
    before,
  })
  await withServing('proxy', async (toy, serving) => {
    const told = () => fs.readFileSync(path.join(toy.paths.shared, 'workers'), 'utf8').split('\n').slice(0, -1)
    await put(toy, '1.1.0', { more: [worker()] })
    await until(async () => told().includes('+1.1.0'))
    await put(toy, '1.2.0', { more: [worker()] })
    await until(async () => told().includes('+1.2.0'))
    expect(told()).toEqual(['+1.1.0', '-1.1.0', '+1.2.0'])
    const load = startLoad(serving.url, 2)
    const failed = await failure(put(toy, '1.3.0', { more: [worker([{ run: 'exit 1' }])] }))
    expect(failed).toMatchObject({ code: 'INSTALL_UNHEALTHY' })
    await until(async () => told().length === 5)
    expect(told().slice(3)).toEqual(['-1.2.0', '+1.2.0'])
    expect(await load.stop()).toMatchObject({ failures: [], versions: ['1.2.0'] })
  })
})

async function withServing(
  mode: 'proxy' | 'handover',
  run: (toy: ToyInstallation, serving: Serving) => Promise<void>,
): Promise<void> {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  const serving = await startServing(toy.paths.root, '--mode', mode)
  try {
    // The start itself lets the first request wait.
    await until(async () => (await fetch(serving.url)).ok)
    await run(toy, serving)
  } finally {
    expect(await serving.end('SIGTERM')).toBe(0)
  }
}

/** One version runs, and nobody waited since it was started first. */
async function expectAlone(serving: Serving, version: string): Promise<void> {
  const { status } = await serving.client.request({ kind: 'status' })
  expect(status).toMatchObject({ version, counters: { backedOff: 0 } })
  expect(status.counters.held).toBeLessThan(2)
  expect(status.beside).toBeUndefined()
}

async function ask(url: string, cookie: string) {
  const response = await fetch(`${url}/echo`, { headers: { cookie } })
  await response.text()
  const { status, headers } = response
  return { status, version: headers.get('x-version'), cookie: headers.get('set-cookie') }
}

interface Put {
  readonly toy?: string
  readonly deadline?: string
  readonly gate?: { readonly [key: string]: Json }
  /** Services besides. */
  readonly more?: readonly Json[]
  readonly canary?: AskedCanary | undefined
}

async function put(toy: ToyInstallation, version: string, how: Put = {}, tools = recordedTools()) {
  const served = servedNode(how)
  const services = [...(served['services'] as readonly Json[]), ...(how.more ?? [])]
  const node = { ...served, services, gate: { listen: '127.0.0.1:0', overlap: true, ...how.gate } }
  const folder = await toy.cut({ version, node, files: servedFiles })
  const { canary } = how
  return install({ prefix: toy.paths.root, version, resolve: resolveFromFolder(folder), canary }, tools)
}

/** The operations after those on files. */
function stepsOf(tools: ReturnType<typeof recordedTools>): readonly string[] {
  const steps = tools.events.flatMap(event => (event.kind === 'step-done' ? [event.step] : []))
  return steps.slice(steps.indexOf('share') + 1)
}

async function failure(promise: Promise<unknown>): Promise<Error & { readonly code: string }> {
  return promise.then(
    () => {
      throw new Error('it did not fail')
    },
    caught => caught as Error & { readonly code: string },
  )
}
