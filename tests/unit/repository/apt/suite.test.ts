import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../../src/core/digest.ts'
import { listedPackage, type MadeSuites, makeSuites } from '../../../support/apt-suite.ts'

const nowMs = Date.parse('2026-11-21T10:11:12.345Z')
const amd64 = 'dists/stable/main/binary-amd64/Packages'

function text(made: MadeSuites, key: string): string {
  return made.files.get(key)!.toString()
}

describe('nextSuite', () => {
  it('writes the Release text that apt expects', async () => {
    const made = await makeSuites({ validDays: 7 }, nowMs)
    await made.publish('beta', { added: [listedPackage('notes', '1')] })
    expect(text(made, 'dists/beta/Release').split('\n').slice(0, 17)).toEqual([
      'Origin: vendor',
      'Label: vendor',
      'Suite: beta',
      'Codename: beta',
      'Date: Sat, 21 Nov 2026 10:10:12 +0000',
      'Valid-Until: Sat, 28 Nov 2026 10:10:12 +0000',
      'NotAutomatic: yes',
      'ButAutomaticUpgrades: yes',
      'Acquire-By-Hash: yes',
      'No-Support-for-Architecture-all: Packages',
      'Architectures: all amd64 arm64',
      'Components: main',
      'Description: The channel beta of vendor',
      'Snapshots: https://packages.example/snapshot/@SNAPSHOTID@/',
      `Signed-By: ${made.keys[0]!.fingerprint.toUpperCase()}`,
      'SHA256:',
      expect.stringMatching(/^ [0-9a-f]{64} \d+ main\/binary-all\/Packages$/),
    ])
  })

  it('installs from the last channel without being asked, and never changes its mind', async () => {
    const made = await makeSuites({}, nowMs)
    await made.publish('stable', {})
    expect(text(made, 'dists/stable/Release')).not.toContain('NotAutomatic')
    made.description = { ...made.description, url: '/srv/packages', channels: ['edge', 'stable', 'lts'] }
    await made.publish('stable', {})
    expect(text(made, 'dists/stable/Release')).not.toMatch(/NotAutomatic|Valid-Until|Snapshots/)
  })

  it('stores each form under its plain name and by its hash, in the same bytes', async () => {
    const made = await makeSuites({}, nowMs)
    const added = [
      listedPackage('notes', '2'),
      listedPackage('notes', '10'),
      listedPackage('ark', '1', { architecture: 'all' }),
    ]
    const { documents } = await made.publish('stable', { added })
    const plain = made.files.get(amd64)!
    expect(plain.toString().match(/^(Package|Version): .*$/gm)).toEqual(
      ['ark', '1', 'notes', '2', 'notes', '10'].map((value, at) => `${at % 2 === 0 ? 'Package' : 'Version'}: ${value}`),
    )
    expect(gunzipSync(made.files.get(`${amd64}.gz`)!)).toEqual(plain)
    expect(zstdDecompressSync(made.files.get(`${amd64}.zst`)!)).toEqual(plain)
    for (const extension of ['', '.gz', '.zst']) {
      const bytes = made.files.get(`${amd64}${extension}`)!
      const hex = hexOf(digestOf(bytes))
      const byHash = documents.find(({ key }) => key === `dists/stable/main/binary-amd64/by-hash/SHA256/${hex}`)
      expect(byHash).toMatchObject({ phase: 'indexes', immutable: true })
      expect(byHash!.bytes).toBe(bytes)
      expect(text(made, 'dists/stable/Release')).toContain(
        ` ${hex} ${bytes.byteLength} main/binary-amd64/Packages${extension}\n`,
      )
    }
  })

  it('lists what fits every architecture in each, and makes the files that are alike once', async () => {
    const made = await makeSuites({}, nowMs)
    await made.publish('stable', { added: [listedPackage('ark', '1', { architecture: 'all' })] })
    const files = ['all', 'amd64', 'arm64'].map(
      name => made.files.get(`dists/stable/main/binary-${name}/Packages.zst`)!,
    )
    expect(zstdDecompressSync(files[0]!).toString()).toContain('Package: ark\n')
    expect(new Set(files).size).toBe(1)
    await made.publish('stable', { added: [listedPackage('ark', '2', { architecture: 'riscv64' })] })
    expect(text(made, 'dists/stable/main/binary-riscv64/Packages').match(/^Version: .*$/gm)).toEqual([
      'Version: 1',
      'Version: 2',
    ])
    expect(text(made, 'dists/stable/Release')).toContain('Architectures: all amd64 arm64 riscv64\n')
  })

  it('writes only the indexes that change', async () => {
    const made = await makeSuites({}, nowMs)
    await made.publish('stable', { added: [listedPackage('notes', '1', { component: 'notes' })] })
    const { documents } = await made.publish('stable', {
      added: [listedPackage('weave', '1', { component: 'weave', architecture: 'arm64' })],
    })
    const names = documents.map(({ key }) => key).filter(key => !key.includes('by-hash') && !key.includes('/weave/'))
    expect(names).toEqual(['Release', 'Release.gpg', 'InRelease'].map(name => `dists/stable/${name}`))
    expect(text(made, 'dists/stable/Release')).toContain('Components: main notes weave\n')
  })

  it('keeps an index that has lost its last package, empty', async () => {
    const made = await makeSuites({}, nowMs)
    const notes = listedPackage('notes', '1', { component: 'notes', architecture: 'riscv64' })
    await made.publish('stable', { added: [notes] })
    await made.publish('stable', { removed: [notes] })
    const listed = new RegExp(`^ ${hexOf(digestOf(''))} 0 notes/binary-riscv64/Packages$`, 'm')
    expect(text(made, 'dists/stable/Release')).toMatch(listed)
    expect(gunzipSync(made.files.get('dists/stable/notes/binary-riscv64/Packages.gz')!)).toHaveLength(0)
  })

  it('keeps three generations by hash and says which files nobody names any more', async () => {
    const made = await makeSuites({ compressions: ['gz'] }, nowMs)
    const byHash = () => [...made.files.keys()].filter(key => key.startsWith('dists/stable/main/binary-amd64/by-hash/'))
    for (const version of ['1', '2', '3']) await made.publish('stable', { added: [listedPackage('notes', version)] })
    const oldest = made.states.get('stable')!.indexes['main/binary-amd64/Packages']!.generations[0]!
    const names = Object.values(oldest).map(
      file => `dists/stable/main/binary-amd64/by-hash/SHA256/${hexOf(file.digest)}`,
    )
    expect(byHash()).toHaveLength(6)
    const { obsolete } = await made.publish('stable', {
      added: [listedPackage('notes', '4')],
      kept: new Set(names.slice(0, 1)),
    })
    expect(obsolete).toEqual(names.slice(1))
    expect(byHash()).toHaveLength(7)
  })

  it('takes a state that it had before for the newest, once', async () => {
    const made = await makeSuites({}, nowMs)
    const [one, two] = [listedPackage('notes', '1'), listedPackage('notes', '2')]
    await made.publish('stable', { added: [one] })
    await made.publish('stable', { added: [two] })
    const { obsolete } = await made.publish('stable', { removed: [two] })
    expect(made.states.get('stable')!.indexes['main/binary-amd64/Packages']!.generations).toHaveLength(2)
    expect(obsolete).toEqual([])
    expect(text(made, amd64)).not.toContain('Version: 2')
  })

  it('is later than the one before, even when a clock went back', async () => {
    const made = await makeSuites({}, nowMs)
    await made.publish('stable', {})
    const { dateMs } = made.states.get('stable')!
    made.nowMs -= 3_600_000
    await made.publish('stable', {})
    expect(made.states.get('stable')!.dateMs).toBe(dateMs + 1000)
  })

  it('follows the settings: another form, and one less', async () => {
    const made = await makeSuites({ compressions: ['gz'] }, nowMs)
    await made.publish('stable', { added: [listedPackage('notes', '1')] })
    made.description = { ...made.description, apt: { ...made.description.apt, compressions: ['zst'] } }
    const { obsolete } = await made.publish('stable', {})
    expect(zstdDecompressSync(made.files.get(`${amd64}.zst`)!).toString()).toContain('Package: notes\n')
    expect(obsolete).toContain(`${amd64}.gz`)
  })

  it.each(['missing', 'damaged'])('refuses to go on from an index that is %s', async how => {
    const made = await makeSuites({}, nowMs)
    await made.publish('stable', { added: [listedPackage('notes', '1')] })
    const file = made.states.get('stable')!.indexes['main/binary-amd64/Packages']!.generations[0]!['.gz']!
    const key = `dists/stable/main/binary-amd64/by-hash/SHA256/${hexOf(file.digest)}`
    if (how === 'missing') made.files.delete(key)
    else made.files.set(key, Buffer.alloc(file.sizeBytes))
    const changed = made.publish('stable', { added: [listedPackage('notes', '2')] })
    await expect(changed).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
      hint: expect.stringContaining('release reindex'),
    })
    await made.publish('stable', { added: [listedPackage('notes', '2')], rebuild: true })
    expect(text(made, amd64).match(/^Version: .*$/gm)).toEqual(['Version: 2'])
  })

  it('refuses a stanza that names another package than the one that is listed', async () => {
    const made = await makeSuites({}, nowMs)
    const added = [{ ...listedPackage('notes', '1'), package: 'weave' }]
    await expect(made.publish('stable', { added })).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
  })
})
