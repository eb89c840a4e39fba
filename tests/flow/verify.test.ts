import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ReleaseError } from '../../src/core/error.ts'
import { install } from '../../src/flow/install.ts'
import { type Resolver, resolveFromFolder } from '../../src/flow/resolve.ts'
import { type VerifyInstalledOptions, verify } from '../../src/flow/verify.ts'
import type { VerifyResult } from '../../src/flow/verify-report.ts'
import { prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { writeWrappers } from '../../src/prefix/wrappers.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { type ToyInstallation, type ToyRelease, toyInstallation } from '../support/toy-release.ts'

const files = {
  'bin/run.sh': '#!/bin/sh\n',
  'lib/a': 'a',
  'lib/deep/b': 'b'.repeat(100_000),
  'lib/link': { link: 'deep/b' },
}
/** Makes a file and a folder, as setup commands do. */
const setup = [{ run: 'mkdir made && echo made > made/here' }]

let plain: ToyInstallation
let setUp: ToyInstallation

beforeAll(async () => {
  plain = toyInstallation()
  await put(plain, { version: '0.9.0', files: { ...files, 'lib/a': 'other' } })
  await put(plain, { version: '1.0.0', files })
  setUp = toyInstallation()
  await put(setUp, { version: '1.0.0', files, node: { setup } })
})

/** A prefix of its own, with 1.0.0 active and 0.9.0 beside it, or with what setup has made. */
function installed(from: ToyInstallation = plain): ToyInstallation {
  const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
  fs.cpSync(from.paths.root, paths.root, { recursive: true, verbatimSymlinks: true })
  writeWrappers(paths, [process.execPath, '/opt/cutover.js'])
  return { ...from, paths }
}

async function put(toy: ToyInstallation, release: ToyRelease): Promise<void> {
  const resolve = resolveFromFolder(await toy.cut(release))
  await install({ prefix: toy.paths.root, version: release.version, resolve }, recordedTools())
}

const at = (toy: ToyInstallation, name: string, version = '1.0.0') =>
  path.join(releasePaths(toy.paths, version).root, name)

type Asked = Omit<VerifyInstalledOptions, 'prefix'>

function check(toy: ToyInstallation, options: Asked = {}): Promise<VerifyResult> {
  return verify({ prefix: toy.paths.root, offline: true, ...options }, recordedTools())
}

/** What differs, as `KIND PATH`; the paths of the release itself without its folder. */
async function differences(toy: ToyInstallation, options: Asked = {}): Promise<readonly string[]> {
  const tools = recordedTools()
  const error = await verify({ prefix: toy.paths.root, offline: true, ...options }, tools).catch(caught => caught)
  if (!(error instanceof ReleaseError)) return []
  expect(error).toMatchObject({ code: 'VERIFY_FAILED', exitCode: 3 })
  const table = tools.events.find(event => event.kind === 'table')
  return (table?.rows ?? []).map(([name, kind]) => `${kind} ${name?.replace('releases/1.0.0/', '')}`)
}

const repairFrom = (toy: ToyInstallation, version = '1.0.0') =>
  ({ repair: true, offline: false, resolve: resolveFromFolder(path.join(toy.dist, version)) }) as const

describe('verify', () => {
  it('accepts what was installed, with what setup has made', async () => {
    const toy = installed(setUp)
    expect(await check(toy)).toMatchObject({ versions: ['1.0.0'], mended: [], quarantined: [] })
  })

  it.each<[string, (toy: ToyInstallation) => void, readonly string[]]>([
    ['a byte', toy => fs.writeFileSync(at(toy, 'lib/a'), 'A'), ['content lib/a']],
    ['what setup has made', toy => fs.appendFileSync(at(toy, 'made/here'), 'more'), ['content made/here']],
    ['what setup has made and is gone', toy => fs.rmSync(at(toy, 'made/here')), ['missing made/here']],
    ['a file beside what setup has made', toy => fs.writeFileSync(at(toy, 'made/more'), ''), ['extra made/more']],
    ['a file beside our documents', toy => fs.writeFileSync(at(toy, '.cutover/x'), ''), ['extra .cutover/x']],
    ['a file that looks compiled', toy => fs.mkdirSync(at(toy, 'lib/__pycache__')), ['extra lib/__pycache__']],
    ['a pipe', toy => execFileSync('mkfifo', [at(toy, 'lib/pipe')]), ['extra lib/pipe']],
    ['setuid', toy => fs.chmodSync(at(toy, 'bin/run.sh'), 0o4755), ['mode bin/run.sh']],
    [
      'the recipe',
      toy => fs.appendFileSync(releasePaths(toy.paths, '1.0.0').recipe, ' '),
      ['content .cutover/recipe.json'],
    ],
    ['the manifest', toy => fs.rmSync(releasePaths(toy.paths, '1.0.0').manifest), ['missing .cutover/manifest']],
    [
      'the record',
      toy => fs.appendFileSync(releasePaths(toy.paths, '1.0.0').record, ' '),
      ['content .cutover/release.json'],
    ],
    [
      'the list of what setup has made',
      toy => fs.rmSync(releasePaths(toy.paths, '1.0.0').additions),
      ['missing .cutover/additions.json', 'extra made'],
    ],
    [
      'the current link',
      toy => {
        fs.rmSync(toy.paths.current)
        fs.symlinkSync(tempFolder(), toy.paths.current)
      },
      ['target current'],
    ],
    ['a command', toy => fs.appendFileSync(path.join(toy.paths.bin, 'status'), 'id\n'), ['content bin/status']],
    ['another command', toy => fs.writeFileSync(path.join(toy.paths.bin, 'evil'), ''), ['extra bin/evil']],
    ['a release that the journal does not know', toy => fs.mkdirSync(at(toy, '', '9.9.9')), ['extra releases/9.9.9']],
    ['a folder that others may write to', toy => fs.chmodSync(at(toy, ''), 0o777), ['mode releases/1.0.0']],
    ['the identity, writable by others', toy => fs.chmodSync(toy.paths.identity, 0o666), ['mode prefix.json']],
    [
      'secrets that others may read',
      toy => fs.writeFileSync(toy.paths.secrets, '{}', { mode: 0o644 }),
      ['mode shared/secrets.json'],
    ],
  ])('finds a change of %s', async (_, change, expected) => {
    const toy = installed(setUp)
    change(toy)
    expect(await differences(toy)).toEqual(expected)
  })

  it('warns of what Python has compiled, and of nothing else that looks so', async () => {
    const toy = installed()
    const isPython = { runtime: { kind: 'python' } } as const
    await put(toy, { version: '1.1.0', files, node: isPython })
    fs.mkdirSync(at(toy, 'lib/__pycache__', '1.1.0'))
    const tools = recordedTools()
    await verify({ prefix: toy.paths.root, offline: true }, tools)
    expect(tools.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'VERIFY_CACHE' }))
  })

  it('looks at every release, and lists as many differences as are asked for', async () => {
    const toy = installed()
    for (const name of ['lib/a', 'bin/run.sh']) fs.appendFileSync(at(toy, name, '0.9.0'), 'more')
    expect(await differences(toy)).toEqual([])
    const all = { all: true }
    expect(await differences(toy, all)).toHaveLength(2)
    expect(await differences(toy, { ...all, listed: 1 })).toHaveLength(1)
  })

  it('finds a folder above the prefix in which everybody may put another in its place', async () => {
    const toy = installed()
    const above = path.dirname(toy.paths.root)
    fs.chmodSync(above, 0o777)
    expect(await differences(toy)).toEqual([`mode ${above}`])
    fs.chmodSync(above, 0o1777)
    expect(await differences(toy)).toEqual([])
  })

  it('finds a file that belongs to another user than the prefix', async context => {
    if (process.getuid!() !== 0) return context.skip('only root gives files away')
    const toy = installed()
    fs.chownSync(at(toy, 'lib/a'), 65_534, 65_534)
    expect(await differences(toy)).toEqual(['owner lib/a'])
    await check(toy, repairFrom(toy))
    expect(fs.statSync(at(toy, 'lib/a')).uid).toBe(0)
  })
})

describe('verify --repair', () => {
  const damage: Readonly<Record<string, (toy: ToyInstallation) => void>> = {
    'changed bytes': toy => fs.writeFileSync(at(toy, 'lib/a'), 'A'),
    'a file that is gone': toy => fs.rmSync(at(toy, 'lib/deep/b')),
    'a folder that is gone': toy => fs.rmSync(at(toy, 'lib'), { recursive: true }),
    'a mode': toy => fs.chmodSync(at(toy, 'bin/run.sh'), 0o4755),
    'the mode of a folder': toy => fs.chmodSync(at(toy, 'lib'), 0o777),
    'a link': toy => {
      fs.rmSync(at(toy, 'lib/link'))
      fs.symlinkSync('/etc/passwd', at(toy, 'lib/link'))
    },
    'a file that became a link': toy => {
      fs.rmSync(at(toy, 'lib/a'))
      fs.symlinkSync('/etc/passwd', at(toy, 'lib/a'))
    },
    'a folder that became a link': toy => {
      fs.rmSync(at(toy, 'lib'), { recursive: true })
      fs.symlinkSync(tempFolder(), at(toy, 'lib'))
    },
    'a file that became a folder': toy => {
      fs.rmSync(at(toy, 'lib/a'))
      fs.mkdirSync(at(toy, 'lib/a/full'), { recursive: true })
    },
    'a file that became a pipe': toy => {
      fs.rmSync(at(toy, 'lib/a'))
      execFileSync('mkfifo', [at(toy, 'lib/a')])
    },
    'the record': toy => fs.writeFileSync(releasePaths(toy.paths, '1.0.0').record, '{}'),
    'the manifest': toy => fs.rmSync(releasePaths(toy.paths, '1.0.0').manifest),
    'the recipe': toy => fs.appendFileSync(releasePaths(toy.paths, '1.0.0').recipe, ' '),
    'the record, and files as well': toy => {
      fs.writeFileSync(releasePaths(toy.paths, '1.0.0').record, '{}')
      fs.rmSync(at(toy, 'bin'), { recursive: true })
    },
  }
  it.each(Object.entries(damage))('puts back %s', async (_, change) => {
    const toy = installed()
    change(toy)
    expect(await differences(toy)).not.toEqual([])
    const { mended } = await check(toy, repairFrom(toy))
    expect(mended).not.toEqual([])
    expect(await check(toy)).toMatchObject({ mended: [] })
    expect(fs.readdirSync(toy.paths.releases).filter(name => name.startsWith('.mend'))).toEqual([])
  })

  it('fetches the segments of what differs, and nothing that another release has', async () => {
    const toy = installed()
    fs.writeFileSync(at(toy, 'lib/deep/b'), 'damaged')
    expect(await check(toy, { repair: true })).toMatchObject({ fetchedBytes: 0 })
    fs.writeFileSync(at(toy, 'lib/a'), 'A')
    expect(await differences(toy, { repair: true })).toEqual(['content lib/a'])
    const { fetchedBytes } = await check(toy, repairFrom(toy))
    expect(fetchedBytes).toBeGreaterThan(0)
  })

  it('does not write to the file that another release shares by a hard link', async () => {
    const toy = installed()
    const shared = path.join(toy.dist, 'shared')
    fs.linkSync(at(toy, 'lib/a'), shared)
    fs.writeFileSync(shared, 'damaged')
    const tools = recordedTools()
    await verify({ prefix: toy.paths.root, ...repairFrom(toy) }, tools)
    expect(tools.events).toContainEqual({ kind: 'note', message: expect.stringContaining('verify --all --repair') })
    expect(fs.readFileSync(at(toy, 'lib/a'), 'utf8')).toBe('a')
    expect(fs.readFileSync(shared, 'utf8')).toBe('damaged')
    expect(fs.statSync(at(toy, 'lib/a')).nlink).toBe(1)
  })

  it('leaves to who has a file open what it opened', async () => {
    const toy = installed()
    fs.writeFileSync(at(toy, 'lib/a'), 'A')
    const open = fs.openSync(at(toy, 'lib/a'), 'r')
    await check(toy, repairFrom(toy))
    expect(fs.readFileSync(open, 'utf8')).toBe('A')
    fs.closeSync(open)
  })

  it('takes nothing away that nobody put there, but when it is told to, and then keeps it', async () => {
    const toy = installed()
    fs.mkdirSync(at(toy, 'lib/planted'))
    fs.writeFileSync(at(toy, 'lib/planted/file'), 'kept')
    expect(await differences(toy, repairFrom(toy))).toEqual(['extra lib/planted'])
    const { quarantined } = await check(toy, { ...repairFrom(toy), removeExtra: true })
    expect(fs.existsSync(at(toy, 'lib/planted'))).toBe(false)
    expect(fs.readFileSync(path.join(quarantined[0]!, 'file'), 'utf8')).toBe('kept')
    expect(fs.statSync(path.join(toy.paths.releases, '.quarantine')).mode & 0o777).toBe(0o700)
  })

  it('keeps what stood in the place of a file or folder', async () => {
    const toy = installed()
    fs.rmSync(at(toy, 'lib/a'))
    fs.mkdirSync(at(toy, 'lib/a'))
    fs.writeFileSync(at(toy, 'lib/a/evidence'), 'kept')
    const { quarantined } = await check(toy, repairFrom(toy))
    expect(fs.readFileSync(path.join(quarantined[0]!, 'evidence'), 'utf8')).toBe('kept')
  })

  it('does not make what setup has made, and says what to do', async () => {
    const toy = installed(setUp)
    fs.rmSync(at(toy, 'made/here'))
    const tools = recordedTools()
    const error = await verify({ prefix: toy.paths.root, ...repairFrom(toy) }, tools).catch(caught => caught)
    expect(error).toMatchObject({ code: 'VERIFY_FAILED', hint: expect.stringContaining('install 1.0.0 again') })
  })

  it('refuses a repository that has another record of the version', async () => {
    const toy = installed()
    fs.rmSync(at(toy, 'lib/a'))
    const other = resolveFromFolder(await toyInstallation().cut({ version: '1.0.0', files: { 'lib/a': 'evil' } }))
    await expect(check(toy, { repair: true, offline: false, resolve: other })).rejects.toMatchObject({
      code: 'RELEASE_CHANGED',
    })
    expect(fs.existsSync(at(toy, 'lib/a'))).toBe(false)
  })

  it('opens no place to fetch from when nothing has to be fetched', async () => {
    const toy = installed()
    const { resolve } = repairFrom(toy)
    const nobody: Resolver = {
      ...resolve,
      release: async (...asked) => ({ ...(await resolve.release(...asked)), source: () => expect.fail('asked') }),
    }
    fs.chmodSync(at(toy, 'lib/a'), 0o600)
    expect((await check(toy, { repair: true, offline: false, resolve: nobody })).mended).toEqual([
      'releases/1.0.0/lib/a',
    ])
  })
})
