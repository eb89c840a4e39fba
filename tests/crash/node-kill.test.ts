import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureVersions } from '../../fixtures/make-repository.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { identifyProcess, isProcessRunning } from '../../src/sys/process.ts'
import { failing, fixtureRepository, publishToy, repeatable } from '../support/crash-releases.ts'
import { type Command, Disturber } from '../support/killed-command.ts'
import { type BuiltCutover, builtCutover } from '../support/killed-cutover.ts'
import { makeRepository } from '../support/made-repository.ts'
import { endOf } from '../support/prefix-tree.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { until } from '../support/toy-prefix.ts'

let cutover: BuiltCutover
let cases = 0

beforeAll(async () => {
  cutover = await builtCutover()
})

afterAll(() => console.log(`kill -9: ${cases} commands on a node killed and run again, 0 lost`))

const install = (version: string) => ['install', '--version', version]
const older = ['1.0.0', '1.0.1', '1.0.2', '1.0.3', '1.0.4']

const commands: Readonly<Record<string, Command>> = {
  'a first installation': { args: install('1.0.0'), before: [] },
  'an upgrade': { args: install('1.1.0'), before: [install('1.0.0')] },
  'an upgrade that is taken back': {
    args: install('1.2.0'),
    before: [install('1.0.0')],
    fails: 'MIGRATION_FAILED',
    againFails: ['RELEASE_AVOIDED'],
  },
  'a rollback': {
    args: ['rollback'],
    before: [install('1.0.0'), install('1.1.0')],
    // It may find the rollback finished, and nothing older to go to.
    againFails: ['ROLLBACK_NONE'],
  },
  'an upgrade that prunes': { args: install('1.1.0'), before: older.map(install) },
  'a recovery of a killed upgrade': {
    args: ['recover'],
    before: [install('1.0.0')],
    prepare: paths => killedAt('switch', [...install('1.1.0'), '--prefix', paths.root]),
  },
  'a recovery of a killed undoing': {
    args: ['recover'],
    before: [install('1.0.0')],
    prepare: paths => killedAt('undo stage', [...install('1.2.0'), '--prefix', paths.root]),
  },
  'a contraction': {
    args: ['migrate', '--contract', '--yes'],
    before: [install('1.0.0'), install('1.3.0')],
  },
  'a collection': { args: ['gc', '--keep', '2'], before: older.slice(0, 4).map(install) },
  'a repair': {
    args: ['verify', '--repair', '--remove-extra'],
    before: [install('1.0.0'), install('1.1.0')],
    prepare: damage,
    isPiecemeal: true,
  },
}

/** Leave what a killed command left. */
async function killedAt(step: string, args: readonly string[]): Promise<void> {
  const at = { step, operation: 3, what: 'in the midst of it' }
  expect(await cutover.run(args, { kind: 'kill', at })).toMatchObject({ signal: 'SIGKILL' })
}

/** Change, remove and add what a release has in every way. */
function damage({ current }: PrefixPaths): void {
  const at = (name: string) => path.join(current, name)
  fs.appendFileSync(at('assets/same.bin'), 'more')
  fs.rmSync(at('assets/other.bin'))
  fs.chmodSync(at('bin/run.sh'), 0o644)
  fs.rmSync(at('assets/link'))
  fs.symlinkSync('/etc/passwd', at('assets/link'))
  fs.rmSync(at('empty'), { recursive: true })
  fs.writeFileSync(at('extra'), 'nobody asked for it')
}

describe('a command that is killed after any operation', () => {
  let toy: Disturber

  beforeAll(async () => {
    const repository = await makeRepository(tempFolder(), { applications: ['toy'] })
    for (const version of older) await publishToy(repository, version)
    await publishToy(repository, '1.1.0', { migrations: [repeatable('expand'), repeatable('short')] })
    await publishToy(repository, '1.2.0', { migrations: [failing('short')] })
    await publishToy(repository, '1.3.0', { migrations: [repeatable('expand'), repeatable('contract')] })
    toy = new Disturber(cutover, ['--repository', repository.url, '--application', 'toy'])
  })

  afterAll(() => {
    cases += toy.cases
  })

  it.each(Object.entries(commands))('is ended by the same command: %s', async (_, command) => {
    await toy.killEach(command, { records: 6, others: 6 })
  })

  it('is ended by the same command: a beginning', async () => {
    await toy.killEach({ args: ['init', ...toy.init], before: [] }, { others: 10 })
  })
})

it('ends a migration that goes on after its installer was killed, before it does anything else', async () => {
  const repository = await makeRepository(tempFolder(), { applications: ['toy'] })
  const slow = { ...repeatable('expand'), run: 'echo $$ > "$shared/pid"; sleep 60; echo late > "$shared/late"' }
  await publishToy(repository, '1.0.0', { migrations: [slow] })
  const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
  await cutover.run(['init', paths.root, '--repository', repository.url, '--application', 'toy'])
  const installing = cutover.start([...install('1.0.0'), '--prefix', paths.root])
  const pidFile = path.join(paths.shared, 'pid')
  await until(async () => fs.existsSync(pidFile) && fs.readFileSync(pidFile, 'utf8') !== '')
  const migration = identifyProcess(Number(fs.readFileSync(pidFile, 'utf8')))!
  installing.kill('SIGKILL')
  await once(installing, 'close')
  expect(isProcessRunning(migration)).toBe(true)
  expect(await cutover.run(['recover', '--prefix', paths.root])).toMatchObject({ exitCode: 0 })
  expect(isProcessRunning(migration)).toBe(false)
  expect(endOf(paths).state).toMatchObject({ active: undefined, unfinished: undefined })
})

describe.each([
  ['notes', 'node'],
  ['weave', 'python3'],
] as const)('%s, which runs on %s', (fixture, tool) => {
  it.skipIf(!needTool(tool))('is installed, upgraded and rolled back although it is killed', async () => {
    const [first, second] = fixtureVersions(fixture)
    expect(second).toBeDefined()
    const repository = await fixtureRepository(tempFolder(), fixture, [first, second!])
    const init = ['--repository', repository.url, '--application', repository.application]
    const disturber = new Disturber(cutover, init)
    const samples = { records: 3, others: 3, long: 150 }
    await disturber.killEach({ args: install(first), before: [] }, samples)
    await disturber.killEach({ args: install(second!), before: [install(first)] }, samples)
    const upgraded = [install(first), install(second!)]
    await disturber.killEach({ args: ['rollback'], before: upgraded, againFails: ['ROLLBACK_NONE'] }, samples)
    cases += disturber.cases
  })
})
