import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { type ChannelRepository, channelRepository } from '../support/channel-repository.ts'
import { minimalRecipe } from '../unit/recipe/recipe-text.ts'

const all = (version: string) => ({ edge: version, beta: version, stable: version })

/** The key of the packages of architecture `all` that the Release file of `stable` names. */
function packagesKey(release: string): string {
  const hex = /^ ([0-9a-f]{64}) \d+ main\/binary-all\/Packages\.gz$/m.exec(release)?.[1]
  return `dists/stable/main/binary-all/by-hash/SHA256/${hex}`
}

let released: ChannelRepository
let repository: ChannelRepository
beforeAll(async () => {
  released = await channelRepository()
  for (const version of ['1.0.0', '1.1.0', '1.2.0-rc.1']) await released.release(version)
})
beforeEach(() => {
  repository = released.copy()
})

describe('release promote', () => {
  it('offers a release to apt, installers and image pulls at once, and a second run finds it so', async () => {
    expect(await repository.offers()).toMatchObject({
      apt: {
        edge: ['1.0.0', '1.1.0', '1.2.0~rc.1'],
        beta: ['1.0.0', '1.1.0', '1.2.0~rc.1'],
        stable: ['1.0.0', '1.1.0'],
      },
      targets: { edge: '1.2.0-rc.1', beta: '1.2.0-rc.1', stable: '1.1.0' },
      tags: { edge: '1.2.0-rc.1', beta: '1.2.0-rc.1', stable: '1.1.0' },
    })
    const first = await repository.run('promote', '1.2.0-rc.1', '--to', 'stable')
    expect(first).toMatchObject({
      exitCode: 0,
      changed: true,
      result: { application: 'notes', moves: [{ channel: 'stable', before: '1.1.0', after: '1.2.0-rc.1' }] },
    })
    const offers = await repository.offers()
    expect(offers).toMatchObject({ targets: all('1.2.0-rc.1'), tags: all('1.2.0-rc.1') })
    expect(offers.apt['stable']).toEqual(['1.0.0', '1.1.0', '1.2.0~rc.1'])
    const before = repository.files()
    expect(await repository.run('promote', '1.2.0-rc.1', '--to', 'stable')).toMatchObject({
      exitCode: 0,
      changed: false,
    })
    expect(repository.files()).toEqual(before)
  })

  it('rolls a channel back to an older release with a newer Release file, and forward again', async () => {
    const dateOf = () => /^Date: (.*)$/m.exec(read('dists/stable/Release'))?.[1] ?? ''
    const read = (key: string) => fs.readFileSync(path.join(repository.folder, key), 'utf8')
    const date = dateOf()
    expect(await repository.run('promote', '1.0.0', '--to', 'stable')).toMatchObject({ exitCode: 0, changed: true })
    const offers = await repository.offers()
    expect(offers).toMatchObject({ targets: { beta: '1.2.0-rc.1', stable: '1.0.0' }, tags: { stable: '1.0.0' } })
    expect(offers.apt['stable']).toEqual(['1.0.0'])
    expect(Date.parse(dateOf())).toBeGreaterThan(Date.parse(date))
    await repository.run('promote', '1.1.0', '--to', 'stable')
    expect((await repository.offers()).apt['stable']).toEqual(['1.0.0', '1.1.0'])
  })

  it('refuses what cannot be offered, with what to do instead', async () => {
    await repository.release('1.3.0-git20260101.abcdef1')
    const refusal = async (...argv: string[]) => {
      const { exitCode, error } = await repository.run('promote', ...argv)
      return { exitCode, code: error?.code, hint: error?.hint }
    }
    expect(await refusal('1.0.1', '--to', 'stable')).toMatchObject({
      exitCode: 1,
      code: 'RELEASE_UNKNOWN',
      hint: expect.stringContaining('1.0.0, 1.1.0'),
    })
    expect(await refusal('1.0.0', '--to', 'nightly')).toMatchObject({
      code: 'CHANNEL_UNKNOWN',
      hint: expect.stringContaining('edge, beta, stable'),
    })
    expect(await refusal('1.3.0-git20260101.abcdef1', '--to', 'stable')).toMatchObject({ code: 'CHANNEL_SNAPSHOT' })
    expect(await refusal('1.0.0', '--to', 'stable', '--application', 'votes')).toMatchObject({
      code: 'RELEASE_UNKNOWN',
      hint: expect.stringContaining('notes'),
    })
  })
})

describe('release yank and unyank', () => {
  it('withdraw a release everywhere, keep it for who names it, and bring it back', async () => {
    const before = await repository.offers()
    const yank = await repository.run('yank', '1.1.0', '--reason', 'loses data')
    expect(yank).toMatchObject({
      exitCode: 0,
      changed: true,
      result: { moves: [{ channel: 'stable', before: '1.1.0', after: '1.0.0' }] },
    })
    const offers = await repository.offers()
    expect(offers).toMatchObject({ targets: { stable: '1.0.0' }, tags: { stable: '1.0.0' } })
    expect(offers.apt).toEqual({
      edge: ['1.0.0', '1.2.0~rc.1'],
      beta: ['1.0.0', '1.2.0~rc.1'],
      stable: ['1.0.0'],
    })
    expect(offers.yanked).toEqual(['notes-1.1.0.sdist.tar.gz: loses data'])
    expect(await repository.fetch('1.1.0')).toBeGreaterThan(0)
    expect(await repository.run('yank', '1.1.0', '--reason', 'loses data')).toMatchObject({
      exitCode: 0,
      changed: false,
    })
    expect((await repository.run('promote', '1.1.0', '--to', 'stable')).error?.code).toBe('RELEASE_YANKED')
    expect(await repository.run('unyank', '1.1.0')).toMatchObject({ exitCode: 0, changed: true })
    expect(await repository.offers()).toEqual(before)
    expect(await repository.run('unyank', '1.1.0')).toMatchObject({ exitCode: 0, changed: false })
  })

  it('warn when a channel is left with nothing', async () => {
    await repository.run('yank', '1.0.0', '--reason', 'old')
    const { text } = await repository.run('yank', '1.1.0', '--reason', 'broken')
    expect(text).toContain('CHANNEL_EMPTY')
    expect(await repository.offers()).toMatchObject({ targets: { stable: undefined }, tags: { stable: undefined } })
  })

  it('refuse a reason that is not one line of text', async () => {
    for (const reason of ['  ', 'two\nlines', '\u001b[31mred']) {
      const { exitCode, error } = await released.run('yank', '1.0.0', '--reason', reason)
      expect({ reason, exitCode, code: error?.code }).toEqual({ reason, exitCode: 2, code: 'USAGE' })
    }
  })
})

describe('the application that is meant', () => {
  it('is the only one, else that of the recipe in the clone, else it must be named', async () => {
    await repository.run('init', repository.folder, '--application', 'votes')
    const hold = async (...argv: string[]) => {
      const { exitCode, error, changed } = await repository.run('hold', '1.0.0', ...argv)
      return { exitCode, code: error?.code, hint: error?.hint, changed }
    }
    expect(await hold()).toMatchObject({ exitCode: 2, code: 'USAGE', hint: expect.stringContaining('notes, votes') })
    expect(await hold('--application', 'votes')).toMatchObject({ exitCode: 1, code: 'RELEASE_UNKNOWN' })
    expect(await hold('--application', 'notes')).toMatchObject({ exitCode: 0, changed: true })
    repository.writeRecipe(minimalRecipe)
    expect(await hold('--release')).toMatchObject({ exitCode: 0, changed: true })
    repository.writeRecipe(minimalRecipe.replace('name: notes', 'name: other'))
    expect(await hold()).toMatchObject({ code: 'RELEASE_UNKNOWN', hint: expect.stringContaining('notes, votes') })
    repository.writeRecipe('name: [')
    expect((await hold()).code).toMatch(/^RECIPE_/)
    repository.writeRecipe(undefined)
  })
})

describe('release list', () => {
  it('tells channels, what is yanked and what is held', async () => {
    await repository.run('yank', '1.1.0', '--reason', 'loses data')
    await repository.run('hold', '1.0.0')
    const { result } = await repository.run('list')
    expect(result).toMatchObject({
      heads: { notes: { edge: '1.2.0-rc.1', beta: '1.2.0-rc.1', stable: '1.0.0' } },
      releases: [
        { version: '1.2.0-rc.1', kind: 'pre-release', channels: ['edge', 'beta'], held: false },
        { version: '1.1.0', channels: ['edge', 'beta', 'stable'], yanked: 'loses data' },
        { version: '1.0.0', kind: 'release', held: true, forms: ['deb', 'oci', 'python'] },
      ],
    })
  })
})

describe('release prune', () => {
  it('shows first and changes nothing, then removes the files that no other release needs', async () => {
    await repository.release('1.1.1')
    const before = repository.files()
    const shown = await repository.run('prune', '--keep', '1')
    expect(shown).toMatchObject({ exitCode: 0, changed: false, result: { applied: false } })
    expect(repository.files()).toEqual(before)
    expect(shown.rows).toEqual([
      ['1.0.0', 'remove', expect.stringContaining('older')],
      ['1.1.0', 'remove', expect.stringContaining('older')],
      ['1.1.1', 'keep', 'offered by stable'],
      ['1.2.0-rc.1', 'keep', 'offered by beta, edge'],
    ])
    const applied = await repository.run('prune', '--keep', '1', '--apply')
    expect(applied).toMatchObject({ exitCode: 0, changed: true, result: { applied: true } })
    const { freedBytes } = applied.result as { readonly freedBytes: number }
    expect(freedBytes).toBeGreaterThan(0)
    const left = repository.files()
    expect(left.filter(file => /1\.[01]\.0[/._-]/.test(file))).toEqual([])
    expect(await repository.offers()).toMatchObject({
      apt: { edge: ['1.1.1', '1.2.0~rc.1'], stable: ['1.1.1'] },
      targets: { stable: '1.1.1' },
    })
    expect(await repository.fetch('1.1.0')).toBe('RELEASE_UNKNOWN')
    expect(await repository.run('prune', '--keep', '1', '--apply')).toMatchObject({ exitCode: 0, changed: false })
    expect(await repository.run('reindex', '--check')).toMatchObject({ exitCode: 0, result: { outdated: [] } })
  })

  it('keeps what is held until it is let go', async () => {
    await repository.release('1.1.1')
    await repository.run('hold', '1.0.0')
    expect(await repository.run('hold', '1.0.0')).toMatchObject({ changed: false })
    await repository.run('prune', '--keep', '1', '--apply')
    expect(await repository.fetch('1.0.0')).toBeGreaterThan(0)
    expect(await repository.run('hold', '1.0.0', '--release')).toMatchObject({ changed: true })
    await repository.run('prune', '--keep', '1', '--apply')
    expect(await repository.fetch('1.0.0')).toBe('RELEASE_UNKNOWN')
  })
})

describe('release prune of releases with delta packs', () => {
  it('keeps what the delta packs of kept releases start from, and no more', async () => {
    await repository.release('1.1.1', { deltaFrom: '1.0.0' })
    await repository.release('1.1.2', { deltaFrom: '1.1.1' })
    const { rows } = await repository.run('prune', '--keep', '1')
    expect(rows.map(([version, decision]) => [version, decision])).toEqual([
      ['1.0.0', 'remove'],
      ['1.1.0', 'remove'],
      ['1.1.1', 'keep'],
      ['1.1.2', 'keep'],
      ['1.2.0-rc.1', 'keep'],
    ])
    expect(rows[2]?.[2]).toBe('the delta pack of 1.1.2 starts from it')
  })
})

describe('release snapshot', () => {
  it('keeps the suites of a time, and the packages that they list', async () => {
    const id = '20260101T000000Z'
    expect(await repository.run('snapshot', id)).toMatchObject({ exitCode: 0, changed: true, result: { ids: [id] } })
    expect(await repository.run('snapshot', id)).toMatchObject({ exitCode: 0, changed: false })
    const earlier = '20251231T235959Z'
    await repository.run('snapshot', earlier)
    expect((await repository.run('snapshot', '--list')).result).toEqual({ ids: [earlier, id] })
    await repository.run('snapshot', '--drop', earlier)
    await repository.release('1.1.1')
    const { rows } = await repository.run('prune', '--keep', '1', '--apply')
    expect(rows[0]).toEqual(['1.0.0', 'keep', `in the snapshot ${id}`])
    // As many states of the suite as are kept without it.
    for (const version of ['1.1.2', '1.1.3']) await repository.release(version)
    const release = fs.readFileSync(path.join(repository.folder, `snapshot/${id}/dists/stable/Release`), 'utf8')
    const packages = packagesKey(release)
    expect(repository.files()).toContain(packages)
    await cannotBeTampered(packages)
    expect(await repository.run('snapshot', '--drop', id)).toMatchObject({ exitCode: 0, changed: true })
    expect(await repository.run('snapshot', '--drop', id)).toMatchObject({ exitCode: 0, changed: false })
    expect((await repository.run('snapshot', '--list')).result).toEqual({ ids: [] })
    const left = repository.files()
    expect(left.filter(file => file.startsWith('snapshot/'))).toEqual([])
    expect(left).not.toContain(packages)
    await repository.run('prune', '--keep', '1', '--apply')
    expect(await repository.fetch('1.0.0')).toBe('RELEASE_UNKNOWN')
  })

  /** Whoever writes to the target cannot make what a snapshot lists be forgotten. */
  async function cannotBeTampered(key: string): Promise<void> {
    const file = path.join(repository.folder, key)
    const bytes = fs.readFileSync(file)
    fs.writeFileSync(file, gzipSync(''))
    for (const argv of [['prune', '--keep', '1', '--apply'], ['reindex']]) {
      expect((await repository.run(...argv)).error?.code).toBe('REPOSITORY_DAMAGED')
    }
    fs.writeFileSync(file, bytes)
  }

  it('refuses a name that is no time', async () => {
    expect(await released.run('snapshot', 'yesterday')).toMatchObject({ exitCode: 2, error: { code: 'SNAPSHOT_ID' } })
    expect(await released.run('snapshot', '--drop', '../pool')).toMatchObject({ error: { code: 'SNAPSHOT_ID' } })
  })
})

describe('release reindex', () => {
  it('makes lost and altered indexes anew', async () => {
    const at = (key: string) => path.join(repository.folder, key)
    const currentPackages = () => packagesKey(fs.readFileSync(at('dists/stable/Release'), 'utf8'))
    fs.rmSync(at('simple/notes/index.html'))
    fs.rmSync(at('dists/stable/main/binary-all/by-hash'), { recursive: true })
    fs.writeFileSync(at('oci/notes/index.json'), '{}')
    fs.writeFileSync(at('dists/stable/main/binary-all/Packages.gz'), '')
    const checked = await repository.run('reindex', '--check')
    expect(checked).toMatchObject({ exitCode: 1, error: { code: 'REPOSITORY_DAMAGED' } })
    expect(checked.rows.flat().toSorted()).toEqual([
      'dists/stable/main/binary-all/Packages.gz',
      'oci/notes/index.json',
      'simple/notes/index.html',
    ])
    expect(await repository.run('reindex')).toMatchObject({ exitCode: 0, changed: true, result: { releases: 3 } })
    expect((await repository.run('reindex', '--check')).result).toMatchObject({ outdated: [] })
    expect(repository.files()).toContain(currentPackages())
    expect(await repository.offers()).toMatchObject({ targets: { stable: '1.1.0' }, tags: { stable: '1.1.0' } })
  })

  it('names every damaged file, and writes nothing', async () => {
    const pool = path.join(repository.folder, 'pool/notes/1.0.0')
    fs.writeFileSync(path.join(pool, 'notes-1.0.0.manifest.json'), 'another')
    fs.rmSync(path.join(pool, 'notes_1.0.0-1_all.deb'))
    const before = fs.readFileSync(path.join(repository.folder, 'metadata/timestamp.json'))
    const { exitCode, error, rows } = await repository.run('reindex')
    expect({ exitCode, code: error?.code }).toEqual({ exitCode: 1, code: 'REPOSITORY_DAMAGED' })
    expect(rows).toHaveLength(2)
    expect(rows.map(([key, found]) => [key, found]).toSorted()).toEqual([
      ['pool/notes/1.0.0/notes-1.0.0.manifest.json', digestOf('another')],
      ['pool/notes/1.0.0/notes_1.0.0-1_all.deb', 'missing'],
    ])
    expect(fs.readFileSync(path.join(repository.folder, 'metadata/timestamp.json'))).toEqual(before)
  })
})

describe('every page', () => {
  it('says where the repository is and which root to trust, also where nothing else of it changes', async () => {
    const read = (key: string) => fs.readFileSync(path.join(repository.folder, key), 'utf8')
    const pages = ['', 'pages/notes/', ...['1.0.0', '1.1.0', '1.2.0-rc.1'].map(version => `pages/notes/${version}/`)]
    const saying = (text: string) => pages.filter(page => read(`${page}index.html`).includes(text))
    await repository.run('init', repository.folder, '--url', 'https://moved.example/')
    expect(saying('https://moved.example')).toEqual(pages)
    await repository.run('keys', 'rotate', 'root')
    expect(saying(digestOf(read('metadata/root.json')))).toEqual(pages)
  })

  it('does not keep the root of a stolen key in place where what it is made of is damaged', async () => {
    const folder = path.join(repository.folder, 'targets/notes/1.0.0')
    for (const name of fs.readdirSync(folder)) fs.writeFileSync(path.join(folder, name), '{}')
    expect(await repository.run('keys', 'rotate', 'root')).toMatchObject({ exitCode: 0 })
    const root = digestOf(fs.readFileSync(path.join(repository.folder, 'metadata/root.json')))
    const saysRoot = (version: string) =>
      fs.readFileSync(path.join(repository.folder, 'pages/notes', version, 'index.html'), 'utf8').includes(root)
    expect({ damaged: saysRoot('1.0.0'), sound: saysRoot('1.1.0') }).toEqual({ damaged: false, sound: true })
  })
})
