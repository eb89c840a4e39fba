import { expect, it } from 'vitest'
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

it('upgrades and rolls back with both versions running, holding nobody and failing nobody', async () => {
  await withServing(async (toy, serving) => {
    const load = startLoad(serving.url, 8)
    const tools = recordedTools()
    await put(toy, '1.1.0', {}, tools)
    expect(stepsOf(tools)).toEqual(['start-beside', 'probe', 'switch', 'promote', 'watch', 'retire'])
    await rollback({ prefix: toy.paths.root }, recordedTools())
    const report = await load.stop()
    expect(report.failures).toEqual([])
    expect(report.versions.toSorted()).toEqual(['1.0.0', '1.1.0'])
    await expectAlone(serving, '1.0.0')
  })
})

for (const kind of ['unhealthy', 'exit'] as const) {
  it(`stops a version beside that is ${kind}, and no client notices`, async () => {
    await withServing(async (toy, serving) => {
      const load = startLoad(serving.url, 4)
      const failed = await failure(put(toy, '1.1.0', { toy: kind, deadline: '300ms' }))
      expect(failed).toMatchObject({ code: 'INSTALL_UNHEALTHY' })
      expect(failed.message).toContain('web_2.log')
      const report = await load.stop()
      expect(report).toMatchObject({ failures: [], versions: ['1.0.0'] })
      expect(currentVersion(toy.paths)).toBe('1.0.0')
      expect(replay(readJournal(toy.paths.journal))).toMatchObject({ active: '1.0.0', avoided: new Set(['1.1.0']) })
      await expectAlone(serving, '1.0.0')
    })
  })
}

async function withServing(run: (toy: ToyInstallation, serving: Serving) => Promise<void>): Promise<void> {
  const toy = toyInstallation()
  await put(toy, '1.0.0')
  const serving = await startServing(toy.paths.root)
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
  expect(status).toMatchObject({ version, counters: { held: 1, backedOff: 0 } })
  expect(status.beside).toBeUndefined()
}

interface Put {
  readonly toy?: string
  readonly deadline?: string
  readonly gate?: { readonly [key: string]: boolean | number | string | { readonly [key: string]: number | string } }
  readonly canary?: AskedCanary
}

async function put(toy: ToyInstallation, version: string, how: Put = {}, tools = recordedTools()) {
  const node = { ...servedNode(how), gate: { listen: '127.0.0.1:0', overlap: true, ...how.gate } }
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
