import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Json } from '../../src/core/canonical-json.ts'
import { install } from '../../src/flow/install.ts'
import { migrate } from '../../src/flow/migrate.ts'
import { recover } from '../../src/flow/recover.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { why } from '../../src/flow/why.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { replay } from '../../src/prefix/state.ts'
import { identifyProcess, isProcessRunning } from '../../src/sys/process.ts'
import { codeOfAsync } from '../support/codes.ts'
import { runCutover } from '../support/cutover-cli.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { startServing, until } from '../support/toy-prefix.ts'
import { servedFiles, servedNode, type ToyInstallation, toyInstallation } from '../support/toy-release.ts'

type Node = { readonly [key: string]: Json }

/** Data is a file; a release's migrations and hooks are commands of the shell on it. */
const data = (toy: ToyInstallation) => path.join(toy.paths.shared, 'data')
const read = (toy: ToyInstallation) => fs.readFileSync(data(toy), 'utf8')
const sh = (script: string) => ['/bin/sh', '-euc', script]
const migration = (name: string, phase: string, script: string, rollback = 'compatible') => ({
  name,
  phase,
  rollback,
  run: sh(script),
})
const copies = {
  backup: { run: sh('cp ${shared}/data "$BACKUP_FOLDER/data"') },
  restore: { run: sh('cp "$BACKUP_FOLDER/data" ${shared}/data') },
}
const state = (toy: ToyInstallation) => replay(readJournal(toy.paths.journal))

async function put(toy: ToyInstallation, version: string, node: Node, files = {}, tools = recordedTools()) {
  const resolve = resolveFromFolder(await toy.cut({ version, node, files }))
  return await install({ prefix: toy.paths.root, version, resolve }, tools)
}

/** A prefix with 1.0.0, whose data says so. */
async function withData(node: Node = {}, files = {}): Promise<ToyInstallation> {
  const toy = toyInstallation()
  await put(toy, '1.0.0', node, files)
  fs.writeFileSync(data(toy), 'of 1.0.0')
  return toy
}

describe('a migration that cannot be taken back', () => {
  const node = { migrations: [migration('convert', 'short', 'echo half > ${shared}/data; false', 'forward-only')] }

  it('has its data put back when it fails, and the version before stays', async () => {
    const toy = await withData()
    expect(await codeOfAsync(put(toy, '1.1.0', { ...node, ...copies }))).toBe('MIGRATION_FAILED')
    expect(read(toy)).toBe('of 1.0.0')
    expect(currentVersion(toy.paths)).toBe('1.0.0')
    expect(state(toy)).toMatchObject({ rollbackFloor: undefined, unfinished: undefined })
    expect(fs.readdirSync(path.join(toy.paths.shared, 'backups'))).toEqual(['1.0.0-2'])
  })

  it('is not begun when its data cannot be copied', async () => {
    const toy = await withData()
    const backup = { run: sh('echo "no room"; exit 3') }
    expect(await codeOfAsync(put(toy, '1.1.0', { ...node, ...copies, backup }))).toBe('BACKUP_FAILED')
    expect(read(toy)).toBe('of 1.0.0')
    expect(state(toy)).toMatchObject({ active: '1.0.0', avoided: new Set() })
    expect(fs.readdirSync(path.join(toy.paths.shared, 'backups'))).toEqual(['1.0.0-2.incomplete'])
  })

  it('is put back by the next command where that failed, and nothing is started before', async () => {
    const toy = await withData(servedNode(), servedFiles)
    const restore = { run: sh('test -e ${shared}/may; cp "$BACKUP_FOLDER/data" ${shared}/data') }
    const bad = { ...servedNode(), ...node, ...copies, restore }
    expect(await codeOfAsync(put(toy, '1.1.0', bad, servedFiles))).toBe('RECOVERY_INCOMPLETE')
    const serving = await startServing(toy.paths.root)
    try {
      const running = async () => (await serving.client.request({ kind: 'status' })).status.version
      expect(await running()).toBeUndefined()
      const pass = serving.client.request({ kind: 'gate', mode: 'pass', reason: 'impatience', by: 'operator' })
      expect(await codeOfAsync(pass)).toBe('DATA_UNSETTLED')
      fs.writeFileSync(path.join(toy.paths.shared, 'may'), '')
      await recover({ prefix: toy.paths.root, waitLockMs: 0 }, recordedTools())
      expect(read(toy)).toBe('of 1.0.0')
      expect(await until(running)).toBe('1.0.0')
    } finally {
      await serving.end('SIGTERM')
    }
  })

  it('keeps as many backups as the recipe says', async () => {
    const toy = await withData()
    const always = { ...copies, backup: { ...copies.backup, when: 'always', keep: 2 } }
    for (const version of ['1.1.0', '1.2.0', '1.3.0']) await put(toy, version, always)
    expect(fs.readdirSync(path.join(toy.paths.shared, 'backups'))).toEqual(['1.1.0-3', '1.2.0-4'])
  })
})

it('puts data back under a version that was not healthy on it, while clients wait', async () => {
  const toy = await withData(servedNode(), servedFiles)
  const serving = await startServing(toy.paths.root)
  try {
    const node = {
      ...servedNode({ toy: 'unhealthy', deadline: '200ms' }),
      ...copies,
      migrations: [migration('convert', 'short', 'echo of 1.1.0 > ${shared}/data', 'forward-only')],
    }
    expect(await codeOfAsync(put(toy, '1.1.0', node, servedFiles))).toBe('INSTALL_UNHEALTHY')
    expect(read(toy)).toBe('of 1.0.0')
    expect(state(toy)).toMatchObject({ active: '1.0.0', rollbackFloor: undefined, unfinished: undefined })
    const { status } = await serving.client.request({ kind: 'status' })
    expect(status).toMatchObject({ version: '1.0.0', gate: { mode: 'pass' } })
  } finally {
    await serving.end('SIGTERM')
  }
})

it('never takes back what clients may have written, and tells of the backup from before it', async () => {
  const toy = await withData()
  const grow = migration('grow', 'expand', 'echo more >> ${shared}/data', 'forward-only')
  const tools = recordedTools()
  const failing = { ...copies, migrations: [grow, migration('next', 'expand', 'false')] }
  expect(await codeOfAsync(put(toy, '1.1.0', failing, {}, tools))).toBe('MIGRATION_FAILED')
  expect(read(toy)).toContain('more')
  expect(currentVersion(toy.paths)).toBe('1.0.0')
  expect(tools.events).toContainEqual({ kind: 'note', message: expect.stringContaining('backups/1.0.0-2-expand') })
  fs.writeFileSync(data(toy), 'of 1.0.0')
  await put(toy, '1.2.0', { ...copies, migrations: [grow] })
  expect(fs.readFileSync(path.join(toy.paths.shared, 'backups', '1.0.0-3-expand', 'data'), 'utf8')).toBe('of 1.0.0')
  expect(await codeOfAsync(rollback({ prefix: toy.paths.root }, recordedTools()))).toBe('ROLLBACK_FLOOR')
})

describe('formats of the data', () => {
  const format = (reads: number[], writes: number) => ({ state: { reads, writes } })

  it('keep away a version that cannot read what was written, before anything stops', async () => {
    const toy = await withData(format([1], 1))
    await put(toy, '1.1.0', format([1, 2], 2))
    const before = readJournal(toy.paths.journal).length
    expect(await codeOfAsync(rollback({ prefix: toy.paths.root }, recordedTools()))).toBe('STATE_EPOCH')
    expect(await codeOfAsync(put(toy, '1.2.0', format([3], 3)))).toBe('STATE_EPOCH')
    expect(readJournal(toy.paths.journal)).toHaveLength(before)
    const told = await why({ prefix: toy.paths.root, version: '1.0.0' }, recordedTools())
    expect(told).toMatchObject({ answer: 'epoch', stateEpoch: 2 })
    await put(toy, '1.2.0', format([2, 3], 3))
    expect(currentVersion(toy.paths)).toBe('1.2.0')
  })
})

describe('cutover migrate', () => {
  const contracting = (script: string) => ({
    ...copies,
    migrations: [
      migration('grow', 'expand', 'echo grown >> ${shared}/data'),
      migration('first', 'contract', 'echo first >> ${shared}/data'),
      migration('drop', 'contract', script),
    ],
  })
  const contract = (toy: ToyInstallation, answer: boolean) =>
    migrate({ prefix: toy.paths.root, waitLockMs: 0, confirmContract: () => Promise.resolve(answer) }, recordedTools())

  it('contracts the data once, by nobody but whoever says so, and there is no way back', async () => {
    const toy = await withData()
    await put(toy, '1.1.0', contracting('echo dropped >> ${shared}/data'))
    expect(read(toy)).not.toContain('first')
    expect(await codeOfAsync(contract(toy, false))).toBe('CONTRACT_UNCONFIRMED')
    const listed = await migrate({ prefix: toy.paths.root, waitLockMs: 0 }, recordedTools())
    expect(listed.migrations.map(({ name, state: how }) => `${name} ${how}`)).toEqual([
      'grow done',
      'first pending',
      'drop pending',
    ])
    expect(await contract(toy, true)).toMatchObject({ contracted: ['first', 'drop'], rollbackFloor: '1.1.0' })
    expect(read(toy).split('\n').slice(-3)).toEqual(['first', 'dropped', ''])
    expect(fs.readdirSync(path.join(toy.paths.shared, 'backups'))).toEqual(['1.1.0-3-contract'])
    expect(await contract(toy, true)).toMatchObject({ contracted: [] })
    expect(await codeOfAsync(rollback({ prefix: toy.paths.root }, recordedTools()))).toBe('ROLLBACK_FLOOR')
  })

  it('runs only what is left after one of them failed', async () => {
    const toy = await withData()
    await put(toy, '1.1.0', contracting('test -e ${shared}/may'))
    expect(await codeOfAsync(contract(toy, true))).toBe('MIGRATION_FAILED')
    expect(state(toy)).toMatchObject({ active: '1.1.0', rollbackFloor: '1.1.0', avoided: new Set() })
    fs.writeFileSync(path.join(toy.paths.shared, 'may'), '')
    expect(await contract(toy, true)).toMatchObject({ contracted: ['drop'] })
  })

  it('does nothing where nobody can be asked, and is finished by the next command when it was killed', async () => {
    const toy = await withData()
    await put(toy, '1.1.0', contracting('true'))
    const unasked = await runCutover(['migrate', '--prefix', toy.paths.root, '--contract', '--json'])
    expect(unasked).toMatchObject({ exitCode: 2, stdout: expect.stringContaining('CONTRACT_UNCONFIRMED') })
    const command = ['migrate', '--prefix', toy.paths.root, '--contract', '--yes'] as const
    // Behind begin, both records of the backup, and the intent of the first.
    expect(await runCutover(command, { killAtSync: 4 })).toMatchObject({ signal: 'SIGKILL' })
    expect(state(toy).unfinished).toMatchObject({ command: 'migrate' })
    expect(await runCutover(command)).toMatchObject({ exitCode: 0 })
    expect(state(toy)).toMatchObject({ unfinished: undefined, active: '1.1.0', rollbackFloor: '1.1.0' })
    expect(state(toy).transactions.map(({ command: how, outcome }) => `${how} ${outcome}`)).toEqual([
      'install committed',
      'install committed',
      'migrate committed',
    ])
  })
})

it('ends what a killed serving process has left running before it puts data back under it', async () => {
  const toy = await withData(servedNode(), servedFiles)
  const serving = await startServing(toy.paths.root)
  const { services } = (await serving.client.request({ kind: 'status' })).status
  const orphan = identifyProcess(services[0]!.pid!)!
  const migrations = [migration('convert', 'short', 'echo half > ${shared}/data; false', 'forward-only')]
  await serving.end('SIGKILL')
  expect(isProcessRunning(orphan)).toBe(true)
  const node = { ...servedNode(), ...copies, migrations }
  expect(await codeOfAsync(put(toy, '1.1.0', node, servedFiles))).toBe('MIGRATION_FAILED')
  expect(read(toy)).toBe('of 1.0.0')
  expect(isProcessRunning(orphan)).toBe(false)
})
