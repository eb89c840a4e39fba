import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ControlClient, connectControl } from '../../src/gate/control/client.ts'
import { controlSocket } from '../../src/gate/control/protocol.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { replay } from '../../src/prefix/state.ts'
import { publishToy, repeatable } from '../support/crash-releases.ts'
import { sample } from '../support/kill-points.ts'
import { type BuiltCutover, builtCutover } from '../support/killed-cutover.ts'
import { startLoad } from '../support/load.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { isAlive, servingProcesses } from '../support/successors.ts'
import { memoryFolder, tempFolder } from '../support/temp.ts'
import { type Serving, startServingBy, until } from '../support/toy-prefix.ts'

/*
 * What clients see when a part of an upgrade is killed at each step of it; node-served.test.ts has the third part, the installer.
 *
 * The gate: connections that it had break, and none can be made until it is back, which systemd sees to; the mode that it was in holds
 * then. The application: what it had is a 502 (unless it came on a connection that was used before and may be sent again), and so is what is
 * sent to it while the system takes its sockets down, one after the other; the rest waits until it is back. In both cases the same
 * command, given again, ends what was begun, and nobody sees anything else.
 */

const steps = ['hold', 'drain', 'stop', 'migrate:short', 'switch', 'start', 'probe', 'pass', 'watch'] as const
const targets = ['gate', 'application'] as const
const clients = 3
const cases = targets.flatMap(target => steps.map(step => ({ target, step })))

const broken = /^(GET|POST): .*(ECONNREFUSED|ECONNRESET|EPIPE|socket hang up|aborted)/
const unanswered = /^(GET|POST): 502$/

let cutover: BuiltCutover
let repository: MadeRepository
let killed = 0
const prefixes: PrefixPaths[] = []

beforeAll(async () => {
  cutover = await builtCutover()
  repository = await makeRepository(tempFolder(), { applications: ['toy'] })
  for (const version of ['1.0.0', '1.0.1']) {
    await publishToy(repository, version, { migrations: [repeatable('short')] })
  }
})

afterEach(async () => {
  for (const { root } of prefixes.splice(0)) {
    await (await connectControl(path.join(root, controlSocket)))?.request({ kind: 'shutdown' })
    await until(async () => servingProcesses(root).length === 0)
  }
})

afterAll(() => console.log(`kill -9: ${killed} of ${cases.length} parts of upgrades killed under load`))

const install = (version: string, { root }: PrefixPaths) => ['install', '--version', version, '--prefix', root]
const healthy = (client: ControlClient) => until(async () => (await client.request({ kind: 'probe' })).result?.ok)

async function served(): Promise<{ paths: PrefixPaths; serving: Serving }> {
  const paths = prefixPaths(path.join(memoryFolder(), 'prefix'))
  prefixes.push(paths)
  const init = ['init', paths.root, '--repository', repository.url, '--application', 'toy']
  for (const args of [init, install('1.0.0', paths)]) expect(await cutover.run(args)).toMatchObject({ exitCode: 0 })
  const serving = await startServingBy(cutover.program, paths.root)
  await healthy(serving.client)
  return { paths, serving }
}

/** Upgrade, and do something when a step of it begins. Post: it has ended, however. */
async function upgradeWith(paths: PrefixPaths, step: string, act: () => Promise<void>): Promise<void> {
  const child = cutover.start(install('1.0.1', paths))
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  let acted: Promise<void> | undefined
  createInterface({ input: child.stdout! }).on('line', line => {
    const event = JSON.parse(line) as { kind: string; step?: string }
    if (event.kind === 'step-started' && event.step === step) acted ??= act()
  })
  await ended
  await acted
}

describe('an upgrade under load', () => {
  it.each(sample(cases, 2))('goes on when the $target is killed: $step', async ({ target, step }) => {
    const { paths, serving } = await served()
    const { port } = serving
    const load = startLoad(serving.url, clients)
    await upgradeWith(paths, step, async () => {
      if (target === 'application') {
        const pid = (await serving.client.request({ kind: 'status' })).status.services[0]?.pid
        // Between two versions there is none.
        if (pid !== undefined) process.kill(pid, 'SIGKILL')
      } else {
        await serving.end('SIGKILL')
        await startServingBy(cutover.program, paths.root, '--listen', `127.0.0.1:${port}`)
      }
      killed += 1
    })
    // A version that died while it was watched is avoided, unless it is asked for again.
    const again = await cutover.run([...install('1.0.1', paths), '--retry'])
    expect(again, again.stdout).toMatchObject({ exitCode: 0 })
    const { failures, answered } = await load.stop()
    const expected = target === 'gate' ? broken : unanswered
    expect(failures.filter(failure => !expected.test(failure))).toEqual([])
    if (target === 'application') expect(failures.length).toBeLessThanOrEqual(2 * clients)
    expect(answered).toBeGreaterThan(clients)
    expect(currentVersion(paths)).toBe('1.0.1')
    expect(replay(readJournal(paths.journal))).toMatchObject({ active: '1.0.1', unfinished: undefined })
    const client = (await connectControl(path.join(paths.root, controlSocket)))!
    const { status } = await client.request({ kind: 'status' })
    expect(status).toMatchObject({ version: '1.0.1', gate: { mode: 'pass' }, services: [{ state: 'running' }] })
    expect(isAlive(status.services[0]!.pid!)).toBe(true)
    const calm = startLoad(`http://127.0.0.1:${port}`, clients)
    await until(async () => (await client.request({ kind: 'status' })).status.counters.requests > answered / 2)
    expect(await calm.stop()).toMatchObject({ failures: [], versions: ['1.0.1'] })
  })
})
