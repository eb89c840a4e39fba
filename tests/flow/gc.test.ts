import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { collectGarbage, type GcOptions, type GcResult } from '../../src/flow/gc.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { readIdentity, writeIdentity } from '../../src/prefix/identity.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { type PrefixPaths, prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { replay } from '../../src/prefix/state.ts'
import { takeLock } from '../../src/sys/lock.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { toyInstallation } from '../support/toy-release.ts'

const versions = ['1.0.0', '1.1.0', '1.2.0', '1.3.0']
const monthMs = 30 * 86_400_000
let template: PrefixPaths

beforeAll(async () => {
  const toy = toyInstallation()
  for (const version of versions) {
    const resolve = resolveFromFolder(await toy.cut({ version, files: { 'a.txt': 'a'.repeat(50_000) } }))
    await install({ prefix: toy.paths.root, version, resolve }, recordedTools())
  }
  template = toy.paths
})

/** A prefix of its own with four releases, the last of which is active. */
function installed(): PrefixPaths {
  const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
  fs.cpSync(template.root, paths.root, { recursive: true, verbatimSymlinks: true })
  return paths
}

function gc(paths: PrefixPaths, options: Omit<GcOptions, 'prefix'> = {}, nowMs = Date.now()): Promise<GcResult> {
  return collectGarbage({ prefix: paths.root, ...options }, recordedTools({ nowMs }))
}

const left = (paths: PrefixPaths) => fs.readdirSync(paths.releases).toSorted()
const known = (paths: PrefixPaths) => [...replay(readJournal(paths.journal)).releases.keys()]

describe('gc', () => {
  it('keeps as many releases as it is told to, and always what is active and what a rollback needs', async () => {
    const paths = installed()
    expect((await gc(paths)).versions).toEqual([])
    expect((await gc(paths, { keep: 3 })).versions).toEqual(['1.0.0'])
    expect((await gc(paths, { keep: 0 })).versions).toEqual(['1.1.0'])
    expect(left(paths)).toEqual(['1.2.0', '1.3.0'])
    expect(known(paths)).toEqual(['1.2.0', '1.3.0'])
  })

  it('goes by the settings of the prefix', async () => {
    const paths = installed()
    writeIdentity(paths, { ...readIdentity(paths), settings: { keepReleases: 2 } })
    expect((await gc(paths)).versions).toEqual(['1.1.0', '1.0.0'])
  })

  it('changes nothing in a dry run, and tells what is really freed', async () => {
    const paths = installed()
    const shared = path.join(tempFolder(), 'shared')
    fs.linkSync(path.join(releasePaths(paths, '1.0.0').root, 'a.txt'), shared)
    const before = fs.readFileSync(paths.journal)
    const { removed, freedBytes } = await gc(paths, { keep: 3, dryRun: true })
    expect(removed.map(each => each.path)).toEqual(['releases/1.0.0'])
    expect(removed[0]!.sizeBytes - freedBytes).toBeGreaterThanOrEqual(50_000)
    expect(left(paths)).toEqual(versions)
    expect(fs.readFileSync(paths.journal)).toEqual(before)
  })

  it('removes what killed commands left, once it is old enough, and nothing that is not ours', async () => {
    const paths = installed()
    const put = (name: string) => {
      fs.mkdirSync(path.dirname(path.join(paths.root, name)), { recursive: true })
      fs.writeFileSync(path.join(paths.root, name), '')
    }
    const garbage = [
      'releases/.removed-0.9.0-abcdef01/file',
      'releases/.mend-1.3.0/file',
      'releases/.leftover/1/file',
      'releases/2.0.0/file',
      'releases/2.0.0.incomplete',
      'cache/abc.part',
      'cache/delta/1.3.0.from-1.2.0',
      'bin/.install.1a-99999999-abcdef01.tmp',
    ]
    const others = ['releases/9.9.9/file', 'releases/.quarantine/x/file', 'cache/source/objects', 'bin/.profile']
    for (const name of [...garbage, ...others]) put(name)
    const young = ['cache/abc.part', 'cache/delta/1.3.0.from-1.2.0', 'bin/.install.1a-99999999-abcdef01.tmp']
    const first = await gc(paths)
    for (const name of garbage) expect(fs.existsSync(path.join(paths.root, name)), name).toBe(young.includes(name))
    expect(first.left.map(each => each.path)).toEqual(['releases/.quarantine/x', 'releases/9.9.9'])
    await gc(paths, {}, Date.now() + monthMs)
    for (const name of young) expect(fs.existsSync(path.join(paths.root, name)), name).toBe(false)
    for (const name of others) expect(fs.existsSync(path.join(paths.root, name)), name).toBe(true)
    expect(await gc(paths, {}, Date.now() + monthMs)).toMatchObject({ removed: [], freedBytes: 0 })
  })

  it('does not follow a link that stands in the place of what it removes', async () => {
    const paths = installed()
    const outside = tempFolder()
    fs.writeFileSync(path.join(outside, 'kept'), '')
    fs.symlinkSync(outside, path.join(paths.releases, '.removed-1.0.0-abcdef01'))
    fs.symlinkSync(outside, path.join(paths.releases, '.leftover'))
    await gc(paths)
    expect(fs.readdirSync(outside)).toEqual(['kept'])
    expect(left(paths)).toEqual(versions)
  })

  it('is refused while another command is at work', async () => {
    const paths = installed()
    using _lock = await takeLock(paths.lock, { command: 'install' })
    await expect(gc(paths)).rejects.toMatchObject({ code: 'LOCKED' })
  })
})
