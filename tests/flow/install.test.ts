import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { ReleaseError } from '../../src/core/error.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { type Artifact, parseReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { currentVersion, isComplete } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { releasePaths } from '../../src/prefix/layout.ts'
import { replay } from '../../src/prefix/state.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { until } from '../support/toy-prefix.ts'
import { type ToyInstallation, type ToyRelease, toyInstallation } from '../support/toy-release.ts'

describe('install without a serving process', () => {
  it('puts exactly the payload in place and makes it current', async () => {
    const toy = toyInstallation()
    const result = await put(toy, {
      version: '1.0.0',
      files: { 'bin/run.sh': '#!/bin/sh\n', 'lib/a.txt': 'a', 'lib/link': { link: 'a.txt' } },
    })
    expect(result).toMatchObject({ version: '1.0.0', from: undefined, changed: true, writtenFiles: 3, reusedFiles: 0 })
    expect(fs.readlinkSync(toy.paths.current)).toBe('releases/1.0.0')
    const release = releasePaths(toy.paths, '1.0.0').root
    expect(fs.readFileSync(path.join(release, 'lib/link'), 'utf8')).toBe('a')
    expect(fs.statSync(path.join(release, 'bin/run.sh')).mode & 0o777).toBe(0o755)
    expect(isComplete(toy.paths, '1.0.0')).toBe(true)
  })

  it('changes nothing the second time, and says so', async () => {
    const toy = toyInstallation()
    await put(toy, { version: '1.0.0' })
    const before = fs.readFileSync(toy.paths.journal)
    const tools = recordedTools()
    const again = await install({ prefix: toy.paths.root, version: '1.0.0' }, tools)
    expect(again).toMatchObject({ version: '1.0.0', changed: false })
    expect(tools.events.at(-1)).toMatchObject({ kind: 'run-done', changed: false })
    expect(fs.readFileSync(toy.paths.journal)).toEqual(before)
  })

  it('takes files that it has from the installed release and fetches the rest', async () => {
    const toy = toyInstallation()
    const same = { 'big.bin': Buffer.alloc(5_000_000, 'x'), 'lib/same.txt': 'same' }
    await put(toy, { version: '1.0.0', files: same })
    const result = await put(toy, { version: '1.1.0', files: { ...same, 'lib/new.txt': 'new' } })
    expect(result).toMatchObject({ from: '1.0.0', reusedFiles: 2, writtenFiles: 2 })
    expect(result.fetchedBytes).toBeLessThanOrEqual(result.releaseBytes)
    expect(fs.readFileSync(path.join(toy.paths.current, 'lib/new.txt'), 'utf8')).toBe('new')
  })

  it('does not take a file that somebody has changed', async () => {
    const toy = toyInstallation()
    await put(toy, { version: '1.0.0', files: { 'a.txt': 'right' } })
    fs.writeFileSync(path.join(toy.paths.current, 'a.txt'), 'wrong')
    const result = await put(toy, { version: '1.1.0', files: { 'a.txt': 'right' } })
    expect(result.reusedFiles).toBe(0)
    expect(fs.readFileSync(path.join(toy.paths.current, 'a.txt'), 'utf8')).toBe('right')
  })

  it('only tells what it would do in a dry run', async () => {
    const toy = toyInstallation()
    const resolve = resolveFromFolder(await toy.cut({ version: '1.0.0' }))
    const tools = recordedTools()
    await install({ prefix: toy.paths.root, dryRun: true, resolve }, tools)
    const table = tools.events.find(event => event.kind === 'table')
    expect(table?.rows.map(([name]) => name)).toContain('switch')
    expect(readJournal(toy.paths.journal)).toEqual([])
    expect(fs.readdirSync(toy.paths.releases)).toEqual([])
  })

  it('takes back what a failing setup command left, and does not choose that version by itself again', async () => {
    const toy = toyInstallation()
    await put(toy, { version: '1.0.0' })
    const bad = { version: '1.1.0', node: { setup: [{ run: 'echo broken >&2; exit 3' }] } }
    const dist = await toy.cut(bad)
    const options = { prefix: toy.paths.root, resolve: resolveFromFolder(dist) }
    const error = await failure(install(options, recordedTools()))
    expect(error).toMatchObject({ code: 'SETUP_FAILED' })
    expect(error.message).toContain('broken')
    expect(currentVersion(toy.paths)).toBe('1.0.0')
    expect(fs.readdirSync(toy.paths.releases)).toEqual(['1.0.0'])
    expect(await install(options, recordedTools())).toMatchObject({ version: '1.0.0', changed: false })
    const named = { ...options, version: '1.1.0' }
    expect(await failure(install(named, recordedTools()))).toMatchObject({ code: 'RELEASE_AVOIDED' })
    expect(await failure(install({ ...named, retry: true }, recordedTools()))).toMatchObject({ code: 'SETUP_FAILED' })
  })

  it('refuses bytes that are not those of the record', async () => {
    const toy = toyInstallation()
    const dist = await toy.cut({ version: '1.0.0', files: { 'a.txt': 'a'.repeat(10_000) } })
    const tarball = path.join(dist, 'toy-1.0.0.tar.zst')
    const bytes = fs.readFileSync(tarball)
    bytes[bytes.length >> 1]! ^= 1
    fs.writeFileSync(tarball, bytes)
    const error = await failure(install({ prefix: toy.paths.root, resolve: resolveFromFolder(dist) }, recordedTools()))
    expect(error).toMatchObject({ code: 'SEGMENT_DIGEST' })
    // What was good of it is for the next attempt.
    expect(fs.readdirSync(toy.paths.releases).filter(name => name !== '.leftover')).toEqual([])
    expect(currentVersion(toy.paths)).toBeUndefined()
  })

  it('goes on with the next envelope where one does not give what it should', async () => {
    const toy = toyInstallation()
    const dist = await toy.cut({ version: '1.0.0', files: { 'a.txt': 'a'.repeat(10_000) } })
    const tarball = path.join(dist, 'toy-1.0.0.tar.zst')
    wrapAsPackage(dist, tarball)
    fs.rmSync(tarball)
    const tools = recordedTools()
    await install({ prefix: toy.paths.root, resolve: resolveFromFolder(dist) }, tools)
    expect(fs.statSync(path.join(toy.paths.current, 'a.txt')).size).toBe(10_000)
    expect(tools.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'SEGMENT_MISSING' }))
  })

  it('keeps configuration and secrets of the first installation', async () => {
    const toy = toyInstallation()
    const node = {
      shared: ['data'],
      secrets: [{ name: 'TOKEN' }],
      files: [{ path: 'toy.ini', template: 'toy.ini.template', mode: '0600' }],
    }
    const files = { 'toy.ini.template': 'token=${TOKEN} version=${version}\n' }
    await put(toy, { version: '1.0.0', node, files })
    const file = path.join(toy.paths.shared, 'toy.ini')
    const text = fs.readFileSync(file, 'utf8')
    expect(text).toMatch(/^token=[0-9a-f]{64} version=1\.0\.0\n$/)
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    await put(toy, { version: '1.1.0', node, files })
    expect(fs.readFileSync(file, 'utf8')).toBe(text)
  })

  it('refuses what belongs to nobody: a folder that is no prefix, a link that the journal knows nothing of', async () => {
    const toy = toyInstallation()
    expect(await failure(install({ prefix: '/nonexistent', version: '1.0.0' }, recordedTools()))).toMatchObject({
      code: 'PREFIX_UNKNOWN',
    })
    await put(toy, { version: '1.0.0' })
    fs.rmSync(toy.paths.current)
    expect(await failure(put(toy, { version: '1.1.0' }))).toMatchObject({ code: 'PREFIX_DAMAGED' })
  })
})

it('ends at a signal with everything taken back, and blames nobody', async () => {
  const toy = toyInstallation()
  await put(toy, { version: '1.0.0' })
  const controller = new AbortController()
  const flag = path.join(toy.paths.shared, 'ready')
  const node = { setup: [{ run: `touch ${flag}; sleep 60` }] }
  const resolve = resolveFromFolder(await toy.cut({ version: '1.1.0', node }))
  const tools = recordedTools({ signal: controller.signal })
  const installing = failure(install({ prefix: toy.paths.root, resolve }, tools))
  await until(async () => fs.existsSync(flag))
  controller.abort(new ReleaseError('INTERRUPTED', 'ended by SIGTERM'))
  expect(await installing).toMatchObject({ code: 'INTERRUPTED' })
  expect(state(toy)).toMatchObject({ active: '1.0.0', unfinished: undefined, avoided: new Set() })
  expect(fs.readdirSync(toy.paths.releases)).toEqual(['1.0.0'])
})

describe('migrations', () => {
  const migrate = (version: string, rollback: string, command = 'echo ${version} >> ${shared}/log') => ({
    version,
    node: { migrations: [{ name: 'schema', phase: 'short', rollback, run: ['/bin/sh', '-c', command] }] },
  })
  const log = (toy: ToyInstallation) => fs.readFileSync(path.join(toy.paths.shared, 'log'), 'utf8').split('\n')

  it('run once for each version, not again after a rollback', async () => {
    const toy = toyInstallation()
    await put(toy, migrate('1.0.0', 'compatible'))
    await put(toy, migrate('1.1.0', 'compatible'))
    await rollback({ prefix: toy.paths.root }, recordedTools())
    await install({ prefix: toy.paths.root, version: '1.1.0', retry: true }, recordedTools())
    expect(log(toy)).toEqual(['1.0.0', '1.1.0', ''])
  })

  it('leave the old version active when they fail', async () => {
    const toy = toyInstallation()
    await put(toy, { version: '1.0.0' })
    const error = await failure(put(toy, migrate('1.1.0', 'forward-only', 'echo no such column; exit 1')))
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED' })
    expect(currentVersion(toy.paths)).toBe('1.0.0')
    expect(state(toy).rollbackFloor).toBeUndefined()
  })

  it('that are forward-only raise the rollback floor', async () => {
    const toy = toyInstallation()
    await put(toy, { version: '1.0.0' })
    await put(toy, migrate('1.1.0', 'forward-only'))
    expect(await failure(rollback({ prefix: toy.paths.root }, recordedTools()))).toMatchObject({
      code: 'ROLLBACK_FLOOR',
    })
    expect(await failure(install({ prefix: toy.paths.root, version: '1.0.0' }, recordedTools()))).toMatchObject({
      code: 'ROLLBACK_FLOOR',
    })
    expect(currentVersion(toy.paths)).toBe('1.1.0')
  })
})

describe('rollback', () => {
  it('goes to the version that was active before, and further with the next', async () => {
    const toy = toyInstallation()
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) await put(toy, { version })
    expect(await rollback({ prefix: toy.paths.root }, recordedTools())).toMatchObject({ version: '1.1.0' })
    expect(await rollback({ prefix: toy.paths.root }, recordedTools())).toMatchObject({ version: '1.0.0' })
    expect(await failure(rollback({ prefix: toy.paths.root }, recordedTools()))).toMatchObject({
      code: 'ROLLBACK_NONE',
    })
    expect(currentVersion(toy.paths)).toBe('1.0.0')
  })

  it('never goes to a folder that the journal does not know', async () => {
    const toy = toyInstallation()
    await put(toy, { version: '1.0.0' })
    fs.cpSync(releasePaths(toy.paths, '1.0.0').root, releasePaths(toy.paths, '0.9.0').root, { recursive: true })
    expect(await failure(rollback({ prefix: toy.paths.root }, recordedTools()))).toMatchObject({
      code: 'ROLLBACK_NONE',
    })
    expect(await failure(rollback({ prefix: toy.paths.root, to: '0.9.0' }, recordedTools()))).toMatchObject({
      code: 'ROLLBACK_NONE',
    })
  })

  it('leaves a version that is chosen again only when that is asked for', async () => {
    const toy = toyInstallation()
    await put(toy, { version: '1.0.0' })
    await put(toy, { version: '1.1.0' })
    await rollback({ prefix: toy.paths.root }, recordedTools())
    const resolve = resolveFromFolder(path.join(toy.dist, '1.1.0'))
    expect(await install({ prefix: toy.paths.root, resolve }, recordedTools())).toMatchObject({ changed: false })
    const named = { prefix: toy.paths.root, version: '1.1.0' }
    expect(await failure(install(named, recordedTools()))).toMatchObject({ code: 'RELEASE_AVOIDED' })
    await install({ ...named, retry: true }, recordedTools())
    expect(currentVersion(toy.paths)).toBe('1.1.0')
  })
})

it('keeps five releases, and the one that rollback needs', async () => {
  const toy = toyInstallation()
  const versions = ['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0', '1.5.0', '1.6.0']
  for (const version of versions) await put(toy, { version })
  expect(fs.readdirSync(toy.paths.releases).toSorted()).toEqual(versions.slice(2))
})

it('is refused while another command is at work', async () => {
  const toy = toyInstallation()
  const { takeLock } = await import('../../src/sys/lock.ts')
  using _lock = await takeLock(toy.paths.lock, { command: 'other' })
  expect(await failure(put(toy, { version: '1.0.0' }))).toMatchObject({ code: 'LOCKED', exitCode: 5 })
})

/** Put the same segments into another file, behind other bytes, and name it in the record as a package. */
function wrapAsPackage(dist: string, tarball: string): void {
  const header = Buffer.from('something else comes first')
  const bytes = Buffer.concat([header, fs.readFileSync(tarball)])
  fs.writeFileSync(path.join(dist, 'toy.deb'), bytes)
  const file = path.join(dist, 'release.json')
  const record = parseReleaseRecord(fs.readFileSync(file))
  const [component] = record.components
  const [original] = component!.artifacts.filter(artifact => artifact.kind === 'tarball')
  const deb: Artifact = {
    kind: 'deb',
    name: 'toy.deb',
    mediaType: 'application/vnd.debian.binary-package',
    sizeBytes: bytes.byteLength,
    digest: digestOf(bytes),
    payloadOffset: original!.payloadOffset + header.byteLength,
    package: 'toy',
    debianVersion: '1.0.0-1',
    architecture: 'all',
    control: '',
  }
  const components = [{ ...component!, artifacts: [deb, ...component!.artifacts] }]
  fs.writeFileSync(file, recordBytes({ ...record, components }))
}

async function put(toy: ToyInstallation, release: ToyRelease) {
  const resolve = resolveFromFolder(await toy.cut(release))
  return await install({ prefix: toy.paths.root, version: release.version, resolve }, recordedTools())
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
