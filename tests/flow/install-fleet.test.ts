import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { cutoverExecutable } from '../../src/cli/cutover-commands.ts'
import { runProgram } from '../../src/cli/program.ts'
import { install } from '../../src/flow/install.ts'
import { parseIdentity } from '../../src/prefix/identity.ts'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { takeLock } from '../../src/sys/lock.ts'
import { testRepository } from '../support/git-repository.ts'
import { recordIo } from '../support/io.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { cutToy } from '../support/toy-release.ts'

let base: string
let repository: MadeRepository
let prefix: string

beforeAll(async () => {
  const clone = testRepository()
  clone.commit('feat: begin')
  const tree = clone.git('rev-parse', 'HEAD^{tree}').trim()
  base = clone.folder
  repository = await makeRepository(base, { applications: ['toy'] })
  for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
    clone.git('tag', `v${version}`)
    const tagged = { tag: `v${version}`, tree }
    await cutToy(repository.distFolder, { version, tagged, files: { 'lib/a.txt': `a ${version}` } })
    await repository.upload(version)
  }
})

beforeEach(async () => {
  prefix = tempFolder()
  expect(await cutover('init', prefix, '--repository', repository.url, '--application', 'toy')).toMatchObject({
    exitCode: 0,
  })
})

describe('a fleet', () => {
  it('is told what changed by an exit code of its own choice, and finds nothing to do the second time', async () => {
    const args = ['install', '--version', '1.1.0', '--changed-exit-code', '10'] as const
    expect(await inPrefix(...args)).toMatchObject({ exitCode: 10, last: { kind: 'run-done', changed: true } })
    expect(await inPrefix(...args)).toMatchObject({ exitCode: 0, last: { kind: 'run-done', changed: false } })
    expect(await inPrefix('install', '--version', '9.9.9', '--changed-exit-code', '10')).toMatchObject({
      exitCode: 1,
      last: { kind: 'run-failed', error: { code: 'RELEASE_UNKNOWN' } },
    })
    expect(await inPrefix('install', '--changed-exit-code', '2')).toMatchObject({ exitCode: 2 })
  })

  it('goes to an older version only when told so, and never beyond what expired metadata says', async () => {
    await inPrefix('install', '--version', '1.2.0')
    expect(await inPrefix('install', '--version', '1.1.0')).toMatchObject({
      exitCode: 1,
      last: { error: { code: 'DOWNGRADE', hint: expect.stringContaining('--allow-downgrade') } },
    })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 400 * 86_400_000 })
    try {
      expect(await inPrefix('install', '--version', '1.0.0', '--allow-downgrade')).toMatchObject({
        exitCode: 3,
        last: { error: { code: 'TRUST_EXPIRED' } },
      })
    } finally {
      vi.useRealTimers()
    }
    expect(await inPrefix('install', '--version', '1.1.0', '--allow-downgrade')).toMatchObject({ exitCode: 0 })
    expect(fs.readlinkSync(path.join(prefix, 'current'))).toBe('releases/1.1.0')
  })

  it('does nothing outside of its maintenance window, which is no failure', async () => {
    const before = files()
    const closed = await inPrefix('install', '--version', '1.1.0', '--not-after', '2026-01-01T00:00:00Z')
    expect(closed).toMatchObject({ exitCode: 0, last: { changed: false, result: { deferred: {} } } })
    const later = await inPrefix('install', '--version', '1.1.0', '--not-before', '2126-01-01T00:00:00Z')
    expect(later.last).toMatchObject({ result: { deferred: { untilMs: Date.parse('2126-01-01T00:00:00Z') } } })
    expect(files()).toEqual(before)
    expect(await inPrefix('install', '--not-before', '25:00')).toMatchObject({ exitCode: 2 })
    expect(await inPrefix('install', '--not-after', '2126-01-01T00:00:00Z')).toMatchObject({ exitCode: 0 })
  })

  it('asks nobody with --offline, for what is here and for what is not', async () => {
    await inPrefix('install', '--version', '1.1.0')
    await inPrefix('install', '--version', '1.2.0')
    const identity = path.join(prefix, 'prefix.json')
    // Nobody listens there: whoever asked would fail.
    fs.writeFileSync(identity, fs.readFileSync(identity, 'utf8').replace(repository.url, 'http://127.0.0.1:1'))
    expect(await inPrefix('install', '--offline')).toMatchObject({ exitCode: 0, last: { changed: false } })
    expect(await inPrefix('install', '--version', '1.0.0', '--allow-downgrade', '--offline')).toMatchObject({
      exitCode: 1,
      last: { error: { code: 'OFFLINE' } },
    })
    expect(await inPrefix('install', '--version', '1.1.0', '--allow-downgrade', '--offline')).toMatchObject({
      exitCode: 0,
      last: { changed: true },
    })
    expect(await inPrefix('install', '--version', '1.1.0')).toMatchObject({ exitCode: 0, last: { changed: false } })
    expect(await inPrefix('install')).toMatchObject({ exitCode: 1, last: { error: { code: 'HTTP_FAILED' } } })
  })

  it('waits at random before it asks, and not at all for what is settled', async () => {
    const waiting = new AbortController()
    const tools = recordedTools({ signal: waiting.signal })
    const splay = { prefix, version: '1.1.0', splayMs: 1e9 }
    const started = install(splay, {
      ...tools,
      emit: event => {
        tools.emit(event)
        if (event.kind === 'note') waiting.abort(new Error('enough'))
      },
    })
    await expect(started).rejects.toThrow('enough')
    await install({ prefix, version: '1.1.0' }, recordedTools())
    expect(await install(splay, recordedTools())).toMatchObject({ changed: false })
  })

  it('sees before what an installation takes: bytes, operations and what clients notice', async () => {
    await inPrefix('install', '--version', '1.1.0')
    const { last } = await inPrefix('install', '--version', '1.2.0', '--dry-run')
    expect(last).toMatchObject({
      changed: false,
      result: { plan: { downtime: 'none', operations: expect.arrayContaining(['stage', 'switch']) } },
    })
    const { staging } = (last as { result: { plan: { staging: Record<string, number> } } }).result.plan
    expect(staging).toMatchObject({ files: 2, reusedFiles: 0 })
    expect(staging['fetchBytes']).toBeGreaterThan(0)
    expect(fs.readlinkSync(path.join(prefix, 'current'))).toBe('releases/1.1.0')
  })
})

describe('settings', () => {
  it('are listed, changed in one step or not at all, and kept by init', async () => {
    const changed = await inPrefix('settings', 'keepReleases=3', 'PORT=8081', 'mirrors=/srv/a', 'mirrors=/srv/b')
    expect(changed).toMatchObject({ exitCode: 0, last: { changed: true } })
    const identity = () => parseIdentity(fs.readFileSync(path.join(prefix, 'prefix.json'), 'utf8'), 'prefix.json')
    expect(identity()).toMatchObject({
      settings: { keepReleases: 3, mirrors: ['/srv/a', '/srv/b'] },
      variables: { PORT: '8081' },
    })
    expect(await inPrefix('settings', 'keepReleases=4', 'driver=docker')).toMatchObject({ exitCode: 2 })
    expect(identity().settings?.keepReleases).toBe(3)
    const again = await cutover('init', prefix, '--repository', repository.url, '--application', 'toy')
    expect(again.last).toMatchObject({ changed: false })
    await inPrefix('settings', 'keepReleases=', 'mirrors=', 'PORT=')
    expect(identity()).not.toHaveProperty('settings')
    expect(await inPrefix('settings')).toMatchObject({ exitCode: 0, last: { changed: false } })
  })
})

describe('check', () => {
  const condition = async (...more: string[]) => {
    const { exitCode, last } = await inPrefix('check', ...more)
    const { findings } = (last as unknown as { result: { findings: readonly { name: string; condition: string }[] } })
      .result
    return { exitCode, bad: findings.filter(each => each.condition !== 'ok').map(each => each.name) }
  }
  const roomy = ['--used', '100,100']

  it('tells what is not well by exit code and name', async () => {
    expect(await condition(...roomy)).toEqual({ exitCode: 2, bad: ['version'] })
    await inPrefix('install', '--version', '1.1.0')
    expect(await condition(...roomy)).toEqual({ exitCode: 1, bad: ['version'] })
    await inPrefix('install')
    expect(await condition(...roomy)).toEqual({ exitCode: 0, bad: [] })
    expect(await condition('--used', '0,100')).toEqual({ exitCode: 1, bad: ['space'] })
    expect(await condition(...roomy, '--metadata', '0s,1h')).toEqual({ exitCode: 1, bad: ['metadata'] })
    fs.rmSync(path.join(prefix, 'current'))
    expect(await condition(...roomy)).toEqual({ exitCode: 2, bad: ['files'] })
  })

  it('sees who is at work, and what was interrupted', async () => {
    await inPrefix('install', '--version', '1.2.0')
    using _lock = await takeLock(prefixPaths(prefix).lock, { command: 'install' })
    expect(await condition(...roomy, '--lock', '0s,1h')).toEqual({ exitCode: 1, bad: ['lock'] })
  })

  it('writes a line for monitoring systems, and knows nothing of what is no prefix', async () => {
    await inPrefix('install', '--version', '1.2.0')
    const io = { ...recordIo(), cwd: prefix }
    expect(await runProgram(cutoverExecutable, ['check', ...roomy], io)).toBe(0)
    expect(io.text().stdout).toMatch(/^TOY OK: 1\.2\.0 is active \| .*metadata_age=\d+s;604800;2592000.*\n/)
    expect((await cutover('check', '--prefix', base)).exitCode).toBe(3)
    expect((await cutover('check', '--prefix', prefix, '--used', '90')).exitCode).toBe(3)
    expect((await cutover('check', '--nonsense')).exitCode).toBe(3)
  })
})

function files(): readonly string[] {
  return fs.readdirSync(prefix, { recursive: true, encoding: 'utf8' }).toSorted()
}

const inPrefix = (command: string, ...more: string[]) => cutover(command, '--prefix', prefix, ...more)

/** Run a command in this process. */
async function cutover(...argv: string[]) {
  const io = { ...recordIo(), cwd: base }
  const exitCode = await runProgram(cutoverExecutable, [...argv, '--json'], io)
  process.exitCode = 0
  const last = JSON.parse(io.text().stdout.trim().split('\n').at(-1) ?? 'null') as Readonly<Record<string, unknown>>
  return { exitCode, last }
}
