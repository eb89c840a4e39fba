import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { runCutover } from '../support/cutover-cli.ts'
import { testRepository } from '../support/git-repository.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { tempFolder } from '../support/temp.ts'
import { cutToy } from '../support/toy-release.ts'

let base: string
let repository: MadeRepository
let paths: PrefixPaths
const init = (prefix: string, ...more: string[]) =>
  runCutover(['init', prefix, '--repository', repository.folder, '--application', 'toy', ...more])

beforeAll(async () => {
  const clone = testRepository()
  clone.commit('feat: begin')
  const tree = clone.git('rev-parse', 'HEAD^{tree}').trim()
  base = clone.folder
  repository = await makeRepository(base, { applications: ['toy'] })
  for (const version of ['1.0.0', '1.1.0', '2.0.0-rc.1']) {
    clone.git('tag', `v${version}`)
    const tagged = { tag: `v${version}`, tree }
    await cutToy(repository.distFolder, { version, tagged, files: { 'lib/a.txt': `a ${version}` } })
    await repository.upload(version)
  }
  paths = prefixPaths(path.join(base, 'prefix'))
})

describe('init', () => {
  it('pins the root that was named, and changes nothing the second time', async () => {
    const options = ['--root-fingerprint', repository.fingerprint, '--set', 'PORT=8080']
    expect(await init(paths.root, ...options)).toMatchObject({ exitCode: 0 })
    const before = fs.readFileSync(paths.identity, 'utf8')
    const again = await init(paths.root, ...options, '--json')
    expect(lastEvent(again.stdout)).toMatchObject({ kind: 'run-done', changed: false })
    expect(fs.readFileSync(paths.identity, 'utf8')).toBe(before)
  })

  it('refuses another root, and then leaves no prefix behind', async () => {
    const prefix = path.join(base, 'other')
    const refused = await init(prefix, '--root-fingerprint', 'ab'.repeat(32))
    expect(refused).toMatchObject({ exitCode: 3 })
    expect(refused.stderr).toContain('TRUST_PIN')
    expect(fs.existsSync(path.join(prefix, 'prefix.json'))).toBe(false)
  })

  it('refuses a prefix of another application, and settings that are none', async () => {
    const args = ['init', paths.root, '--repository', repository.folder, '--application', 'other']
    const refused = await runCutover(args)
    expect(refused).toMatchObject({ exitCode: 2 })
    expect(refused.stderr).toContain('PREFIX_MISMATCH')
    expect(await init(paths.root, '--set', 'port=1')).toMatchObject({ exitCode: 2 })
  })
})

describe('the commands of a prefix', () => {
  it('bin/install takes the newest release, not a pre-release', () => {
    const said = bin('install')
    expect(said).toContain('toy 1.1.0 is active')
    expect(fs.readFileSync(path.join(paths.current, 'lib/a.txt'), 'utf8')).toBe('a 1.1.0')
  })

  it('bin/install finds nothing to do, and writes no journal for it', () => {
    const journal = fs.readFileSync(paths.journal)
    expect(bin('install', '--version', '1.1.0')).toContain('nothing to do')
    expect(fs.readFileSync(paths.journal)).toEqual(journal)
  })

  it('bin/install takes a version by its name, older and pre-release too; bin/rollback goes back', () => {
    bin('install', '--version', '2.0.0-rc.1')
    expect(refused('install', '--version', '1.0.0').text).toMatch(/DOWNGRADE.*--allow-downgrade/s)
    bin('install', '--version', '1.0.0', '--allow-downgrade')
    expect(fs.readlinkSync(paths.current)).toBe('releases/1.0.0')
    bin('rollback')
    expect(fs.readlinkSync(paths.current)).toBe('releases/2.0.0-rc.1')
  })

  it('bin/install tells the nearest versions of one that is not there', () => {
    const { status, text } = refused('install', '--version', '1.1.9', '--allow-downgrade')
    expect(status).toBe(1)
    expect(text).toMatch(/RELEASE_UNKNOWN.*1\.1\.0/s)
  })

  it('bin/status and bin/history tell what happened, as text and as records', () => {
    const status = lastEvent(bin('status', '--json')) as { result: object }
    expect(status.result).toMatchObject({ active: '2.0.0-rc.1', previous: '1.1.0', application: 'toy' })
    expect(bin('status')).toContain('rollback goes here')
    const history = lastEvent(bin('history', '--json')) as { result: readonly object[] }
    expect(history.result).toHaveLength(4)
    expect(history.result.at(-1)).toMatchObject({ command: 'rollback', outcome: 'committed' })
    const last = lastEvent(bin('history', '--json', '--limit', '1')) as { result: readonly object[] }
    expect(last.result).toEqual(history.result.slice(-1))
    expect(refused('history', '--limit', 'x')).toMatchObject({ status: 2 })
  })

  it('bin/recover has nothing to do', () => {
    expect(bin('recover')).toContain('nothing to recover')
  })
})

describe('bin/verify', () => {
  it('follows the chain down to every file', () => {
    expect(bin('verify')).toContain('is what was signed')
    expect(bin('verify', '--offline', '--version', '1.0.0')).toContain('toy 1.0.0 is what was signed')
    expect(refused('verify', '--version', '9.9.9').text).toContain('VERIFY_NONE')
  })

  it.each([
    [
      'a changed file',
      (root: string) => fs.writeFileSync(path.join(root, 'lib/a.txt'), 'b 1.0.0'),
      /lib\/a\.txt +content/,
    ],
    ['a missing file', (root: string) => fs.rmSync(path.join(root, 'lib/a.txt')), /lib\/a\.txt +missing/],
    ['a new file', (root: string) => fs.writeFileSync(path.join(root, 'lib/b.txt'), ''), /lib\/b\.txt +extra/],
    [
      'another manifest',
      (root: string) => fs.appendFileSync(path.join(root, '.cutover/manifest'), ' '),
      /\.cutover\/manifest +content/,
    ],
    [
      'another recipe',
      (root: string) => fs.appendFileSync(path.join(root, '.cutover/recipe.json'), ' '),
      /recipe\.json +content/,
    ],
    [
      'another record',
      (root: string) => fs.appendFileSync(path.join(root, '.cutover/release.json'), ' '),
      /release\.json +content/,
    ],
  ])('tells %s', async (_what, spoil, text) => {
    const prefix = prefixPaths(path.join(tempFolder(), 'prefix'))
    await init(prefix.root)
    await runCutover(['install', '--prefix', prefix.root, '--version', '1.0.0'])
    spoil(fs.realpathSync(prefix.current))
    const end = await runCutover(['verify', '--prefix', prefix.root])
    expect(end).toMatchObject({ exitCode: 3 })
    expect(end.stderr).toContain('VERIFY_FAILED')
    expect(end.stdout + end.stderr).toMatch(text)
  })
})

function bin(name: string, ...args: string[]): string {
  return execFileSync(path.join(paths.bin, name), args, {
    cwd: '/',
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function refused(name: string, ...args: string[]): { status: number; text: string } {
  try {
    bin(name, ...args)
  } catch (caught) {
    const { status, stderr } = caught as { status: number; stderr: string }
    return { status, text: stderr }
  }
  throw new Error('expected a failure')
}

function lastEvent(ndjson: string): unknown {
  return JSON.parse(ndjson.trim().split('\n').at(-1)!)
}
