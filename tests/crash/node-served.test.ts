import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { currentVersion, isComplete } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { replay } from '../../src/prefix/state.ts'
import { publishToy, repeatable } from '../support/crash-releases.ts'
import { isLong, type KillPoint, sample } from '../support/kill-points.ts'
import { type BuiltCutover, builtCutover, type ToldEnd } from '../support/killed-cutover.ts'
import { startLoad } from '../support/load.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { memoryFolder, tempFolder } from '../support/temp.ts'
import { type Serving, startServing, until } from '../support/toy-prefix.ts'

/** How many kills each test makes; every one upgrades to a version of its own. */
const kills = isLong ? 60 : 4
const unhealthy = '9.0.0'
/** Versions that run beside the one before. */
const besideKills = isLong ? 60 : 2
const beside = (number: number) => `2.0.${number}`
const besideUnhealthy = '9.1.0'
const gate = { listen: '127.0.0.1:0', overlap: true }
/** Where the serving process is killed, by a hook of the version. */
const serveKills = isLong
  ? ['start-beside', 'probe', 'switch', 'promote', 'watch', 'retire'].flatMap(phase =>
      ['before', 'after'].map(when => ({ phase, when })),
    )
  : [{ phase: 'promote', when: 'after' }]

let cutover: BuiltCutover
let cases = 0

beforeAll(async () => {
  cutover = await builtCutover()
})

afterAll(() => {
  console.log(`kill -9: ${cases} commands on a served node killed and run again, no request failed`)
  expect(cases).toBeGreaterThan(kills)
})

describe('a command on a prefix that is served under load', () => {
  let repository: MadeRepository

  beforeAll(async () => {
    repository = await makeRepository(tempFolder(), { applications: ['toy'] })
    for (let patch = 0; patch <= kills + 1; patch += 1) {
      await publishToy(repository, `1.0.${patch}`, { migrations: [repeatable('short')] })
    }
    await publishToy(repository, unhealthy, { toy: { toy: 'unhealthy', deadline: '100ms' } })
    for (let number = 0; number <= besideKills + 1; number += 1)
      await publishToy(repository, beside(number), { node: { gate } })
    await publishToy(repository, besideUnhealthy, { toy: { toy: 'unhealthy', deadline: '100ms' }, node: { gate } })
    for (const [index, place] of serveKills.entries()) {
      const once = 'test -e "$shared/$version" || { touch "$shared/$version"; kill -9 $(cat "$shared/pid"); }'
      await publishToy(repository, `3.0.${index}`, { node: { gate, hooks: [{ ...place, run: once }] } })
    }
  })

  it('is killed, run again, and costs no request: an upgrade', async () => {
    await underLoad(repository, async ({ paths, serving, install }) => {
      const recorded = await cutover.record(install('1.0.1'))
      const points = chosen(recorded.points, step => servingSteps.has(step))
      for (const [index, at] of points.entries()) {
        const version = `1.0.${index + 2}`
        const what = `${at.step} ${at.operation}, ${at.what}`
        const first = await cutover.run(install(version), { kind: 'kill', at })
        expectWhole(paths)
        expectEnd(await cutover.run(install(version)), undefined)
        await expectServed({ paths, serving }, version, what)
        count(first)
      }
    })
  })

  it('is killed, run again, and costs no request: an upgrade with both versions side by side', async () => {
    await underLoad(repository, async ({ paths, serving, install }) => {
      const recorded = await cutover.record(install(beside(0)))
      const points = chosen(recorded.points, step => besideSteps.has(step), besideKills)
      const waited = async () => {
        const { held, backedOff } = (await serving.client.request({ kind: 'status' })).status.counters
        return held + backedOff
      }
      // The first start lets requests wait.
      const waitedBefore = await waited()
      for (const [index, at] of points.entries()) {
        const what = `${at.step} ${at.operation}, ${at.what}`
        const first = await cutover.run(install(beside(index + 1)), { kind: 'kill', at })
        expectWhole(paths)
        expectEnd(await cutover.run(install(beside(index + 1))), undefined)
        await expectServed({ paths, serving }, beside(index + 1), what)
        count(first)
      }
      expect(await waited()).toBe(waitedBefore)
    })
  })

  it.runIf(isLong)('is killed, run again, and costs no request: a version beside that is taken back', async () => {
    await underLoad(repository, async ({ paths, serving, install }) => {
      const args = [...install(besideUnhealthy), '--retry']
      const recorded = await cutover.record(args)
      expectEnd(recorded, 'INSTALL_UNHEALTHY')
      const isWanted = (step: string) => step.startsWith('undo ') || step === 'start-beside' || step === 'probe'
      for (const at of chosen(recorded.points, isWanted, besideKills)) {
        const what = `${at.step} ${at.operation}, ${at.what}`
        const first = await cutover.run(args, { kind: 'kill', at })
        expectWhole(paths)
        expectEnd(await cutover.run(args), 'INSTALL_UNHEALTHY')
        await expectServed({ paths, serving }, '1.0.0', what)
        count(first)
      }
    })
  })

  it('meets the death of the serving process, which comes back with one version, and is run again', async () => {
    const paths = await installed(repository)
    let serving = await startServing(paths.root)
    const install = (version: string) => ['install', '--version', version, '--prefix', paths.root]
    try {
      for (const [index, { when, phase }] of serveKills.entries()) {
        const version = `3.0.${index}`
        const what = `${when} ${phase}`
        fs.writeFileSync(path.join(paths.shared, 'pid'), String(serving.child.pid))
        await cutover.run(install(version))
        await once(serving.child)
        expectWhole(paths)
        serving = await startServing(paths.root)
        await expectServed({ paths, serving }, currentVersion(paths)!, what)
        expectEnd(await cutover.run(install(version)), undefined)
        await expectServed({ paths, serving }, version, what)
      }
    } finally {
      await serving.end('SIGTERM')
    }
  })

  it('is killed, run again, and costs no request: an upgrade that is taken back', async () => {
    await underLoad(repository, async ({ paths, serving, install }) => {
      const args = [...install(unhealthy), '--retry']
      const recorded = await cutover.record(args)
      expectEnd(recorded, 'INSTALL_UNHEALTHY')
      for (const at of chosen(recorded.points, step => step.startsWith('undo '))) {
        const what = `${at.step} ${at.operation}, ${at.what}`
        const first = await cutover.run(args, { kind: 'kill', at })
        expectWhole(paths)
        expectEnd(await cutover.run(args), 'INSTALL_UNHEALTHY')
        await expectServed({ paths, serving }, '1.0.0', what)
        count(first)
      }
    })
  })
})

/** What is done while requests wait, or to bring a version before them. */
const servingSteps: ReadonlySet<string> = new Set([
  'hold',
  'drain',
  'stop',
  'backup',
  'migrate:short',
  'switch',
  'start',
  'probe',
  'pass',
  'watch',
])

/** What is done while two versions run, or to come to that. */
const besideSteps: ReadonlySet<string> = new Set(['start-beside', 'probe', 'switch', 'promote', 'watch', 'retire'])

function chosen(
  points: readonly KillPoint[],
  isWanted: (step: string) => boolean,
  count = kills,
): readonly KillPoint[] {
  const wanted = points.filter(({ step }) => isWanted(step))
  expect(wanted.length).toBeGreaterThan(8)
  return sample(wanted, count).slice(0, count)
}

async function once(child: Serving['child']): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise(resolve => child.once('close', resolve))
}

interface Served {
  readonly paths: PrefixPaths
  readonly serving: Serving
}

interface Run extends Served {
  readonly install: (version: string) => readonly string[]
}

/** Serve 1.0.0 to clients while something is done, and see that none of them met a failure. */
async function underLoad(repository: MadeRepository, act: (run: Run) => Promise<void>): Promise<void> {
  const paths = await installed(repository)
  const install = (version: string) => ['install', '--version', version, '--prefix', paths.root]
  const serving = await startServing(paths.root)
  try {
    await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
    const load = startLoad(serving.url, 4)
    await act({ paths, serving, install })
    const report = await load.stop()
    expect(report.failures).toEqual([])
    expect(report.answered).toBeGreaterThan(100)
  } finally {
    expect(await serving.end('SIGTERM')).toBe(0)
  }
}

/** Make a prefix that has 1.0.0. */
async function installed(repository: MadeRepository): Promise<PrefixPaths> {
  const paths = prefixPaths(path.join(memoryFolder(), 'prefix'))
  const init = ['init', paths.root, '--repository', repository.url, '--application', 'toy']
  const install = ['install', '--version', '1.0.0', '--prefix', paths.root]
  for (const args of [init, install]) expectEnd(await cutover.run(args), undefined)
  return paths
}

function expectEnd(end: ToldEnd, code: string | undefined): void {
  expect(end, `${end.stdout}${end.stderr}`).toMatchObject({ signal: null, code })
}

function expectWhole(paths: PrefixPaths): void {
  const version = currentVersion(paths)!
  expect(isComplete(paths, version)).toBe(true)
  expect(fs.readFileSync(path.join(paths.current, 'version.txt'), 'utf8')).toBe(version)
}

async function expectServed({ paths, serving }: Served, version: string, what: string): Promise<void> {
  expect(currentVersion(paths), what).toBe(version)
  expect(replay(readJournal(paths.journal)), what).toMatchObject({ active: version, unfinished: undefined })
  const { status } = await serving.client.request({ kind: 'status' })
  expect(status, what).toMatchObject({ version, gate: { mode: 'pass' } })
  expect(status.beside, what).toBeUndefined()
}

/** How often a step asks for something depends on how long it waits: now and then one ends before its last operation of the recording. */
function count(killed: ToldEnd): void {
  if (killed.signal === 'SIGKILL') cases += 1
}
