import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { install } from '../../src/flow/install.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { verify } from '../../src/flow/verify.ts'
import { currentVersion, isComplete } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { replay } from '../../src/prefix/state.ts'
import { type CommandEnd, runCutover, startCutover } from '../support/cutover-cli.ts'
import { startLoad } from '../support/load.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { startServing, until } from '../support/toy-prefix.ts'
import { cutToy, servedFiles, servedNode } from '../support/toy-release.ts'

const versions = ['1.0.0', '1.1.0'] as const

it('an installation killed after any record is ended by the same command', async () => {
  const { base, paths } = await preparedPrefix()
  await install({ prefix: paths.root, version: '1.0.0' }, recordedTools())
  const start = snapshot(base, paths)
  await forEachKill(['install', '--prefix', paths.root, '--version', '1.1.0'], {
    before: () => start.restore(),
    killed: () => expectWhole(paths),
    again: () => {
      expect(currentVersion(paths)).toBe('1.1.0')
      expectEnded(paths, '1.1.0')
      expect(migrated(paths)).toContain('1.1.0')
    },
  })
  await verify({ prefix: paths.root }, recordedTools())
})

it('a first installation killed after any record leaves nothing or all', async () => {
  const { base, paths } = await preparedPrefix()
  const start = snapshot(base, paths)
  await forEachKill(['install', '--prefix', paths.root, '--version', '1.0.0'], {
    before: () => start.restore(),
    killed: () => expectWhole(paths),
    again: () => expectEnded(paths, '1.0.0'),
  })
})

it('a rollback killed after any record is ended by the same command with the version named', async () => {
  const { base, paths } = await preparedPrefix()
  for (const version of versions) await install({ prefix: paths.root, version }, recordedTools())
  const start = snapshot(base, paths)
  await forEachKill(['rollback', '--prefix', paths.root], {
    before: () => start.restore(),
    killed: () => expectWhole(paths),
    // The same command may find the rollback finished, and nothing older to go to.
    againFails: 'ROLLBACK_NONE',
    again: () => expectEnded(paths, '1.0.0'),
  })
})

it('an installation killed after any record, under load, costs no request', async () => {
  const { paths } = await preparedPrefix()
  await install({ prefix: paths.root, version: '1.0.0' }, recordedTools())
  const serving = await startServing(paths.root)
  try {
    await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
    const load = startLoad(serving.url, 4)
    await forEachKill(['install', '--prefix', paths.root, '--version', '1.1.0'], {
      before: async () => {
        if (currentVersion(paths) === '1.1.0') await rollback({ prefix: paths.root }, recordedTools())
      },
      killed: () => expectWhole(paths),
      again: async () => {
        expectEnded(paths, '1.1.0')
        const { status } = await serving.client.request({ kind: 'status' })
        expect(status).toMatchObject({ version: '1.1.0', gate: { mode: 'pass' } })
      },
    })
    expect((await load.stop()).failures).toEqual([])
  } finally {
    expect(await serving.end('SIGTERM')).toBe(0)
  }
})

it('an automatic rollback killed after any record is ended by the next command', async () => {
  const { base, paths } = await preparedPrefix()
  await install({ prefix: paths.root, version: '1.0.0' }, recordedTools())
  const start = snapshot(base, paths)
  await forEachKill(['install', '--prefix', paths.root, '--version', '1.2.0'], {
    before: () => start.restore(),
    killed: () => expectWhole(paths),
    againFails: 'MIGRATION_FAILED',
    unkilledFails: 'MIGRATION_FAILED',
    again: () => {
      expectEnded(paths, '1.0.0')
      expect(replay(readJournal(paths.journal)).avoided).toEqual(new Set(['1.2.0']))
      expect(fs.readdirSync(paths.releases)).toEqual(['1.0.0'])
    },
  })
})

it('an automatic rollback of a served prefix, killed after any record of it, costs no request', async () => {
  const { paths } = await preparedPrefix()
  await install({ prefix: paths.root, version: '1.0.0' }, recordedTools())
  const serving = await startServing(paths.root)
  const args = ['install', '--prefix', paths.root, '--version', '1.3.0']
  try {
    await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
    const load = startLoad(serving.url, 4)
    const before = readJournal(paths.journal).length
    expectExit(await runCutover(args), 'INSTALL_UNHEALTHY')
    const undone = readJournal(paths.journal).findIndex(record => record.kind === 'undo')
    await forEachKill(args, {
      firstKill: undone - before + 1,
      before: () => {},
      killed: () => expectWhole(paths),
      againFails: 'INSTALL_UNHEALTHY',
      unkilledFails: 'INSTALL_UNHEALTHY',
      again: async () => {
        expectEnded(paths, '1.0.0')
        const { status } = await serving.client.request({ kind: 'status' })
        expect(status).toMatchObject({ version: '1.0.0', gate: { mode: 'pass' } })
      },
    })
    expect((await load.stop()).failures).toEqual([])
  } finally {
    expect(await serving.end('SIGTERM')).toBe(0)
  }
})

it('a migration that goes on after its installer was killed is ended before anything else is done', async () => {
  const { paths, repository } = await preparedPrefix()
  await install({ prefix: paths.root, version: '1.0.0' }, recordedTools())
  const slow = migration('expand', 'echo $$ > "$shared/pid"; sleep 60; echo late >> "$shared/migrated"')
  await publish(repository, '1.4.0', [slow])
  const installing = startCutover(['install', '--prefix', paths.root, '--version', '1.4.0'])
  const pidFile = path.join(paths.shared, 'pid')
  await until(async () => fs.existsSync(pidFile) && fs.readFileSync(pidFile, 'utf8') !== '')
  installing.kill('SIGKILL')
  const pid = Number(fs.readFileSync(pidFile, 'utf8'))
  expect(isAlive(pid)).toBe(true)
  expectExit(await runCutover(['recover', '--prefix', paths.root]), undefined)
  expect(isAlive(pid)).toBe(false)
  expectEnded(paths, '1.0.0')
})

interface Kills {
  /** After how many records the first kill comes; 1 when absent. */
  readonly firstKill?: number
  readonly before: () => void | Promise<void>
  /** Right after the kill. */
  readonly killed: () => void
  /** After the same command has run again. */
  readonly again: () => void | Promise<void>
  /** The code that the command may end with when it runs again. */
  readonly againFails?: string
  /** The code that the command ends with when it is not killed. */
  readonly unkilledFails?: string
}

/** Run a command again and again, killed after one record more each time, until it gets to its end. */
async function forEachKill(args: readonly string[], kills: Kills): Promise<void> {
  for (let killAtSync = kills.firstKill ?? 1; ; killAtSync += 1) {
    await kills.before()
    const end = await runCutover(args, { killAtSync })
    if (end.signal !== 'SIGKILL') {
      expectExit(end, kills.unkilledFails)
      expect(killAtSync).toBeGreaterThan(5)
      return
    }
    kills.killed()
    const again = await runCutover(args)
    if (again.exitCode !== 0) expectExit(again, kills.againFails)
    await kills.again()
  }
}

function expectExit(end: CommandEnd, code: string | undefined): void {
  expect(end, end.stderr).toMatchObject({ exitCode: code === undefined ? 0 : 1, signal: null })
  if (code !== undefined) expect(end.stderr).toContain(code)
}

function expectWhole(paths: PrefixPaths): void {
  const version = currentVersion(paths)
  if (version === undefined) return
  expect(isComplete(paths, version)).toBe(true)
  expect(fs.readFileSync(path.join(paths.current, 'version.txt'), 'utf8')).toBe(version)
}

function expectEnded(paths: PrefixPaths, version: string): void {
  expectWhole(paths)
  const state = replay(readJournal(paths.journal))
  expect(state).toMatchObject({ active: version, unfinished: undefined })
  expect(currentVersion(paths)).toBe(version)
  expect(fs.readdirSync(paths.releases).filter(name => name.endsWith('.incomplete'))).toEqual([])
}

function isAlive(pid: number): boolean {
  try {
    // One that has ended may wait for a parent that never looks.
    return !/\) [ZX] /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

function migrated(paths: PrefixPaths): readonly string[] {
  return fs.readFileSync(path.join(paths.shared, 'migrated'), 'utf8').trim().split('\n')
}

async function preparedPrefix(): Promise<{ base: string; paths: PrefixPaths; repository: MadeRepository }> {
  const base = tempFolder()
  const repository = await makeRepository(base, { applications: ['toy'] })
  await publish(repository, '1.0.0', [])
  await publish(repository, '1.1.0', [migration('expand', 'exit 0'), migration('short', 'exit 0')])
  await publish(repository, '1.2.0', [migration('short', 'exit 1')])
  await publish(repository, '1.3.0', [], { toy: 'unhealthy', deadline: '100ms' })
  const paths = prefixPaths(path.join(base, 'prefix'))
  const made = await runCutover(['init', paths.root, '--repository', repository.url, '--application', 'toy'])
  expectExit(made, undefined)
  return { base, paths, repository }
}

const migration = (phase: string, end: string) => ({
  name: phase,
  phase,
  run: `echo "$version" >> "$shared/migrated"; ${end}`,
})

async function publish(
  repository: MadeRepository,
  version: string,
  migrations: ReturnType<typeof migration>[],
  misbehaviour: Parameters<typeof servedNode>[0] = {},
) {
  const node = { ...servedNode(misbehaviour), migrations }
  await cutToy(repository.distFolder, { version, node, files: servedFiles })
  await repository.upload(version)
}

/** Keep a copy of a prefix to start from again. */
function snapshot(base: string, paths: PrefixPaths): { readonly restore: () => void } {
  const copy = path.join(base, 'snapshot')
  const copyTree = (from: string, to: string) => {
    fs.rmSync(to, { recursive: true, force: true })
    fs.cpSync(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  }
  copyTree(paths.root, copy)
  return { restore: () => copyTree(copy, paths.root) }
}
