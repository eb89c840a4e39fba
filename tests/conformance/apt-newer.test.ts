import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { renderDatedSnapshot } from '../../src/repository/apt/snapshot.ts'
import type { AptPackage } from '../../src/repository/apt/state.ts'
import { type AptArchive, buildDeb, serveArchive } from '../support/apt-archive.ts'
import { type DebianRoot, makeDebian, needRoots } from '../support/debian-root.ts'
import { needTool } from '../support/tools.ts'

/** The apt of Debian 13 (3.0, signatures checked by sqv), in a changed root and in a booted one. */
describe.skipIf(!(needRoots() && needTool('dpkg-deb')))('apt 3', () => {
  const id = '20260102T030405Z'
  let archive: AptArchive
  let newRoot: () => DebianRoot
  let one: AptPackage

  beforeAll(async () => {
    newRoot = makeDebian('trixie')
    archive = await serveArchive()
    one = await buildDeb(archive, 'notes', '1.0-1')
    await archive.publish('stable', { added: [one] })
    const suites = Object.fromEntries(archive.suites.states)
    const { documents, snapshot } = await renderDatedSnapshot(id, suites, archive.suites.read)
    archive.suites.store(documents)
    const kept = new Set(snapshot.files.map(file => file.key))
    // Four publications: what the snapshot names is no generation of the suite any more.
    await archive.publish('stable', { removed: [one], kept })
    for (const version of ['1.1-1', '1.2-1', '1.3-1']) {
      await archive.publish('stable', { added: [await buildDeb(archive, 'notes', version)], kept })
    }
  })
  afterAll(() => archive.close())

  function configure(root: DebianRoot, url?: string): void {
    const folder = path.join(root.folder, 'etc/apt')
    fs.rmSync(path.join(folder, 'sources.list'), { force: true })
    fs.rmSync(path.join(folder, 'sources.list.d'), { recursive: true })
    fs.mkdirSync(path.join(folder, 'sources.list.d'))
    fs.writeFileSync(
      path.join(folder, 'sources.list.d/vendor.sources'),
      archive.sources('stable', url === undefined ? {} : { url }),
    )
  }

  const installed = (root: DebianRoot) => fs.readFileSync(path.join(root.folder, 'opt/notes/version'), 'utf8')

  it('installs what is there now, and with --snapshot what was there then', async () => {
    const root = newRoot()
    configure(root)
    expect(await root.runBeside('apt-get', 'update', '--error-on=any')).not.toMatch(/^[WE]:/m)
    await root.runBeside('apt-get', 'install', '--yes', 'notes')
    expect(installed(root)).toBe('1.3-1')
    const start = archive.requests.length
    await root.runBeside('apt', '--snapshot', id, 'update', '--error-on=any')
    await root.runBeside('apt', '--snapshot', id, 'install', '--yes', '--allow-downgrades', 'notes=1.0-1')
    expect(installed(root)).toBe('1.0-1')
    const asked = archive.requests.slice(start).filter(line => line.includes('/snapshot/'))
    expect(asked).toContain(`200 /snapshot/${id}/dists/stable/InRelease`)
    expect(asked.some(line => line.startsWith(`200 /snapshot/${id}/dists/stable/main/binary-amd64/by-hash/`))).toBe(
      true,
    )
    expect(asked).toContain(`200 /snapshot/${id}/pool/notes/1.0-1/notes_1.0-1_amd64.deb`)
  })

  it('installs from a folder in a system that runs, which has no network', async () => {
    const root = newRoot()
    fs.cpSync(archive.folder, path.join(root.folder, 'srv/vendor'), { recursive: true })
    configure(root, 'file:/srv/vendor')
    const system = await root.boot()
    system.run('apt-get', 'update', '--error-on=any')
    system.run('apt-get', 'install', '--yes', 'notes')
    expect(installed(root)).toBe('1.3-1')
    const inRelease = path.join(root.folder, 'srv/vendor/dists/stable/InRelease')
    fs.writeFileSync(inRelease, fs.readFileSync(inRelease, 'utf8').replace('Label: vendor', 'Label: vender'))
    expect(() => system.run('apt-get', 'update', '--error-on=any')).toThrow(/OpenPGP|sqv|signature/i)
  })
})
