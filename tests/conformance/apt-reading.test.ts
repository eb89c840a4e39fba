import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AptPackage } from '../../src/repository/apt/state.ts'
import { tryExecute } from '../../src/sys/exec.ts'
import { type AptArchive, buildDeb, serveArchive } from '../support/apt-archive.ts'
import { isolatedApt } from '../support/isolated-apt.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/** Suites as this machine's apt reads them, in a root of its own. */

const archives: AptArchive[] = []
afterAll(() => Promise.all(archives.map(archive => archive.close())))

async function archiveWith(...args: Parameters<typeof serveArchive>): Promise<AptArchive> {
  const archive = await serveArchive(...args)
  archives.push(archive)
  return archive
}

function installedVersion(root: string, name = 'notes'): string | undefined {
  const file = path.join(root, 'opt', name, 'version')
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined
}

describe.skipIf(!needTool('apt-get', 'apt-cache', 'dpkg-deb', 'dpkg', 'xz'))('apt', () => {
  let archive: AptArchive
  let one: AptPackage
  let two: AptPackage

  beforeAll(async () => {
    archive = await archiveWith({ compressions: ['gz', 'zst', 'xz'], validDays: 7 })
    one = await buildDeb(archive, 'notes', '1.0-1')
    two = await buildDeb(archive, 'notes', '1.1-1')
    // So many that the index has several chunks, the package that is installed in the middle of them.
    const more = Array.from({ length: 1500 }, (_, at) => filler(`${at % 2 === 0 ? 'a' : 'z'}-filler-${at}`))
    await archive.publish('stable', { added: more })
    await archive.publish('stable', {
      added: [one, two, await buildDeb(archive, 'paper', '2.0-1', { architecture: 'all' })],
    })
  })

  it('updates without a word, and installs what is signed', async () => {
    const apt = isolatedApt(archive.sources('stable'))
    expect(await apt.get('update')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await apt.get('install', 'notes', 'paper')).toMatchObject({ exitCode: 0 })
    expect(installedVersion(apt.root)).toBe('1.1-1')
    expect(installedVersion(apt.root, 'paper')).toBe('2.0-1')
  })

  it.each(['gz', 'zst', 'xz'])('reads every chunk of the form %s, asked for by its hash', async form => {
    const extension = `.${form}`
    const order = `Acquire::CompressionTypes::Order {"${form}";};`
    // Kept as it came: what apt makes of it is then read from that very form.
    const apt = isolatedApt(archive.sources('stable'), [order, 'Acquire::GzipIndexes "true";'])
    const start = archive.requests.length
    expect(await apt.get('update')).toMatchObject({ exitCode: 0, stderr: '' })
    expect((await apt.cache('pkgnames')).trim().split('\n')).toHaveLength(1502)
    const { indexes } = archive.suites.states.get('stable')!
    const { digest } = indexes['main/binary-amd64/Packages']!.generations.at(-1)![extension]!
    const asked = archive.requests.slice(start).filter(line => /Packages|by-hash/.test(line))
    expect(asked).toEqual([`200 /dists/stable/main/binary-amd64/by-hash/SHA256/${digest.slice('sha256:'.length)}`])
  })

  it('goes back to an older version by pin, and stays there', async () => {
    const apt = isolatedApt(archive.sources('stable'))
    await apt.get('update')
    await apt.get('install', 'notes')
    fs.writeFileSync(
      path.join(apt.root, 'etc/apt/preferences.d/notes'),
      'Package: notes\nPin: version 1.0-*\nPin-Priority: 1001\n',
    )
    expect(await apt.get('upgrade', '--allow-downgrades')).toMatchObject({ exitCode: 0 })
    expect(installedVersion(apt.root)).toBe('1.0-1')
    await apt.get('upgrade')
    expect(installedVersion(apt.root)).toBe('1.0-1')
  })

  it.each([
    [
      'InRelease',
      (copy: string) => edit(copy, 'dists/stable/InRelease', text => text.replace('Suite: stable', 'Suite: stably')),
    ],
    [
      'the signature',
      (copy: string) =>
        edit(copy, 'dists/stable/InRelease', text => text.replace(/\nw[A-Za-z0-9/+]{20}/, '\nwsAAAAAAAAAAAAAAAAAAA')),
    ],
    [
      'an index',
      (copy: string) => everyIndex(copy, file => fs.writeFileSync(file, gzipSync('Package: notes\nVersion: 9\n'))),
    ],
    [
      'an index by its end',
      (copy: string) => everyIndex(copy, file => fs.truncateSync(file, fs.statSync(file).size - 40)),
    ],
  ])('refuses %s that was tampered with', async (_, tamper) => {
    const copy = copyOf(archive)
    tamper(copy)
    const apt = isolatedApt(archive.sources('stable', { url: `file:${copy}` }))
    expect((await apt.get('update')).exitCode).not.toBe(0)
    expect(await apt.cache('pkgnames')).not.toContain('notes')
  })

  it('refuses a package that was tampered with, and takes it from an untouched copy of the folder', async () => {
    const copy = copyOf(archive)
    const apt = isolatedApt(archive.sources('stable', { url: `file:${copy}` }))
    await apt.get('update')
    const deb = path.join(copy, 'pool/notes/1.1-1/notes_1.1-1_amd64.deb')
    const bytes = fs.readFileSync(deb)
    fs.writeFileSync(deb, bytes.with(bytes.byteLength - 1, bytes.at(-1)! ^ 1))
    expect((await apt.get('install', 'notes')).exitCode).not.toBe(0)
    expect(installedVersion(apt.root)).toBeUndefined()
    fs.writeFileSync(deb, bytes)
    expect((await apt.get('install', 'notes')).exitCode).toBe(0)
  })

  it('refuses what has expired', async () => {
    const old = await archiveWith({ validDays: 1 }, { nowMs: Date.now() - 3 * 86_400_000 })
    await old.publish('stable', {})
    const updated = await isolatedApt(old.sources('stable')).get('update')
    expect(updated.exitCode).not.toBe(0)
    expect(updated.stderr).toContain('is expired')
  })
})

describe.skipIf(!needTool('apt-get', 'apt-cache', 'dpkg-deb', 'dpkg'))('apt, as a suite changes', () => {
  it('sees a channel that was rolled back, and a withdrawn package no more', async () => {
    const archive = await archiveWith()
    const [one, two] = [await buildDeb(archive, 'notes', '1.0-1'), await buildDeb(archive, 'notes', '1.1-1')]
    await archive.publish('stable', { added: [one, two] })
    const apt = isolatedApt(archive.sources('stable'))
    await apt.get('update')
    expect(await apt.cache('madison', 'notes')).toContain('1.1-1')
    await archive.publish('stable', { removed: [two] })
    expect(await apt.get('update')).toMatchObject({ exitCode: 0, stderr: '' })
    expect((await apt.cache('madison', 'notes')).match(/1\.\d-1/g)).toEqual(['1.0-1'])
    await archive.publish('stable', { removed: [one] })
    expect(await apt.get('update')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await apt.cache('madison', 'notes')).toBe('')
  })

  it('still finds the index that its Release file names, two publications later', async () => {
    const archive = await archiveWith()
    const copy = tempFolder()
    await archive.publish('stable', { added: [await buildDeb(archive, 'notes', '1.0-1')] })
    fs.cpSync(path.join(archive.folder, 'dists'), path.join(copy, 'dists'), { recursive: true })
    for (const version of ['1.1-1', '1.2-1'])
      await archive.publish('stable', { added: [await buildDeb(archive, 'notes', version)] })
    // A client that has read InRelease just before: it is answered with the old one, and the rest as it is now.
    fs.cpSync(path.join(copy, 'dists/stable/InRelease'), path.join(archive.folder, 'dists/stable/InRelease'))
    const apt = isolatedApt(archive.sources('stable'))
    expect(await apt.get('update')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await apt.cache('madison', 'notes')).toContain('1.0-1')
  })

  it('moves to a less stable channel only when asked, and then follows it', async () => {
    const archive = await archiveWith()
    await archive.publish('stable', { added: [await buildDeb(archive, 'notes', '1.0-1')] })
    const edge = [await buildDeb(archive, 'notes', '1.1~dev.1-1'), await buildDeb(archive, 'paper', '1~dev.1')]
    await archive.publish('edge', { added: edge })
    const apt = isolatedApt(`${archive.sources('stable')}\n${archive.sources('edge')}`)
    await apt.get('update')
    await apt.get('install', 'notes', 'paper')
    await apt.get('upgrade')
    expect([installedVersion(apt.root), installedVersion(apt.root, 'paper')]).toEqual(['1.0-1', '1~dev.1'])
    await apt.get('install', 'notes/edge')
    expect(installedVersion(apt.root)).toBe('1.1~dev.1-1')
    await archive.publish('edge', { added: [await buildDeb(archive, 'notes', '1.1~dev.2-1')] })
    await apt.get('update')
    await apt.get('upgrade')
    expect(installedVersion(apt.root)).toBe('1.1~dev.2-1')
    const only = isolatedApt(archive.sources('edge'))
    await only.get('update')
    await only.get('install', 'notes')
    expect(installedVersion(only.root)).toBe('1.1~dev.2-1')
  })

  it('sees the components and architectures that it asked for', async () => {
    const archive = await archiveWith({ components: 'application' })
    const added = [
      await buildDeb(archive, 'notes', '1.0-1', { component: 'notes' }),
      await buildDeb(archive, 'weave', '1.0-1', { component: 'weave', architecture: 'riscv64' }),
      await buildDeb(archive, 'ark', '1.0-1', { component: 'weave', architecture: 'all' }),
    ]
    await archive.publish('stable', { added })
    const names = async (components: readonly string[], architecture: string) => {
      const more = [
        `APT::Architecture "${architecture}";`,
        '#clear APT::Architectures;',
        `APT::Architectures {"${architecture}";};`,
      ]
      const apt = isolatedApt(archive.sources('stable', { components }), more)
      expect(await apt.get('update')).toMatchObject({ exitCode: 0, stderr: '' })
      return (await apt.cache('pkgnames')).split('\n').filter(Boolean).sort()
    }
    expect(await names(['notes'], 'amd64')).toEqual(['notes'])
    expect(await names(['notes', 'weave'], 'amd64')).toEqual(['ark', 'notes'])
    expect(await names(['notes', 'weave'], 'riscv64')).toEqual(['ark', 'weave'])
    expect(await names(['main'], 'arm64')).toEqual([])
  })

  it.skipIf(!needTool('apt-file'))('tells which package installs a file', async () => {
    const archive = await archiveWith({ contents: true })
    const [notes, ark] = [
      await buildDeb(archive, 'notes', '1.0-1'),
      await buildDeb(archive, 'ark', '1', { architecture: 'all' }),
    ]
    await archive.publish('stable', { added: [notes, ark] })
    const apt = isolatedApt(archive.sources('stable'), [fs.readFileSync('/etc/apt/apt.conf.d/50apt-file.conf', 'utf8')])
    expect(await apt.get('update')).toMatchObject({ exitCode: 0, stderr: '' })
    const search = async (file: string) => {
      const environment = { PATH: process.env['PATH'] ?? '', APT_CONFIG: apt.configuration, LC_ALL: 'C' }
      return (await tryExecute(['apt-file', 'search', file], { environment })).stdout
    }
    expect(await search('opt/notes/version')).toBe('notes: /opt/notes/version')
    expect(await search('opt/ark')).toBe('ark: /opt/ark/version')
  })
})

/** Listed, and never fetched. */
function filler(name: string): AptPackage {
  const stanza = `Package: ${name}
Version: 1.0
Architecture: amd64
Maintainer: Vendor <vendor@example.com>
Description: one of many
Filename: pool/${name}.deb
Size: 1
SHA256: ${'0'.repeat(64)}
`
  return { component: 'main', architecture: 'amd64', package: name, version: '1.0', stanza }
}

function copyOf(archive: AptArchive): string {
  const copy = tempFolder()
  fs.cpSync(archive.folder, copy, { recursive: true })
  return copy
}

function edit(folder: string, key: string, change: (text: string) => string): void {
  const file = path.join(folder, key)
  const before = fs.readFileSync(file, 'utf8')
  const after = change(before)
  expect(after).not.toBe(before)
  fs.writeFileSync(file, after)
}

function everyIndex(folder: string, change: (file: string) => void): void {
  const entries = fs.readdirSync(path.join(folder, 'dists/stable/main'), { recursive: true, withFileTypes: true })
  for (const entry of entries) if (entry.isFile()) change(path.join(entry.parentPath, entry.name))
}
