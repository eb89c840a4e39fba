import fs from 'node:fs'
import path from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute, tryExecute } from '../../src/sys/exec.ts'
import { type StaticServer, startStaticServer } from '../../src/sys/static-server.ts'
import { isolatedApt } from '../support/isolated-apt.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { tempFolder } from '../support/temp.ts'
import { controlText } from '../support/tiny-deb.ts'
import { needTool } from '../support/tools.ts'

/** The repository as programs that are not ours read it: apt, gpgv, skopeo; pip.test.ts has pip. */

const base = tempFolder()
let repository: MadeRepository
let server: StaticServer

beforeAll(async () => {
  repository = await makeRepository(base)
  server = await startStaticServer({ root: repository.folder, host: '127.0.0.1', port: 0 })
})
afterAll(() => server.close())

/** Build a package with the real dpkg-deb. */
async function buildPackage(name: string, version: string) {
  const tree = path.join(base, 'packages', `${name}-${version}`)
  const control = controlText(name, version)
  fs.mkdirSync(path.join(tree, 'DEBIAN'), { recursive: true })
  fs.mkdirSync(path.join(tree, 'opt', name), { recursive: true })
  fs.writeFileSync(path.join(tree, 'DEBIAN', 'control'), control)
  fs.writeFileSync(path.join(tree, 'opt', name, 'version'), version)
  const file = `${tree}.deb`
  await execute(['dpkg-deb', '--root-owner-group', '-Zgzip', '--build', tree, file])
  return { bytes: fs.readFileSync(file), control, package: name, version }
}

function servedSources(suite = 'stable'): string {
  return fs
    .readFileSync(path.join(repository.folder, `apt/${suite}.sources`), 'utf8')
    .replace(/^URIs: .*$/m, `URIs: ${server.url}`)
}

describe.skipIf(!needTool('apt-get', 'dpkg-deb', 'dpkg'))('apt', () => {
  beforeAll(async () => {
    for (const version of ['1.1.3', '1.1.4']) {
      await repository.publish({ version: `${version}-dev.1`, deb: await buildPackage('notes', `${version}~dev.1-1`) })
    }
  })

  it('updates, downloads by hash and installs with signatures checked', async () => {
    const apt = isolatedApt(servedSources('edge'))
    const updated = await apt.get('update')
    expect(updated.stderr).toBe('')
    expect(updated.exitCode).toBe(0)
    const installed = await apt.get('install', 'notes')
    expect(installed.exitCode, installed.stderr).toBe(0)
    expect(fs.readFileSync(path.join(apt.root, 'opt/notes/version'), 'utf8')).toBe('1.1.4~dev.1-1')
    const downgraded = await apt.get('install', '--allow-downgrades', 'notes=1.1.3~dev.1-1')
    expect(downgraded.exitCode, downgraded.stderr).toBe(0)
    expect(fs.readFileSync(path.join(apt.root, 'opt/notes/version'), 'utf8')).toBe('1.1.3~dev.1-1')
  })

  it('asks for the index by its hash and finds it', async () => {
    const seen: string[] = []
    const watched = await startStaticServer({
      root: repository.folder,
      host: '127.0.0.1',
      port: 0,
      onRequest: request => void seen.push(`${request.status} ${request.path}`),
    })
    try {
      const sources = servedSources('edge').replace(server.url, watched.url)
      await isolatedApt(sources).get('update')
    } finally {
      await watched.close()
    }
    expect(seen.filter(line => line.includes('Packages'))).toEqual([])
    expect(seen.filter(line => line.startsWith('200') && line.includes('by-hash/SHA256')).length).toBeGreaterThan(0)
  })

  it('sees no snapshot or pre-release in the stable suite', async () => {
    const apt = isolatedApt(servedSources('stable'))
    expect((await apt.get('update')).exitCode).toBe(0)
    expect((await apt.get('install', 'notes')).exitCode).not.toBe(0)
  })

  it.each([
    ['InRelease', (text: string) => text.replace('Suite: edge', 'Suite: edgy')],
    ['InRelease', (text: string) => text.replace(/^(wrs|wnU).*$/m, line => line.toLowerCase())],
  ])('refuses a tampered %s', async (name, change) => {
    const copy = copyRepository()
    const file = path.join(copy, 'dists/edge', name)
    const before = fs.readFileSync(file, 'utf8')
    fs.writeFileSync(file, change(before))
    expect(fs.readFileSync(file, 'utf8')).not.toBe(before)
    const apt = isolatedApt(fileSources(copy))
    expect((await apt.get('update')).exitCode).not.toBe(0)
  })

  it('refuses a tampered index', async () => {
    const copy = copyRepository()
    const folder = path.join(copy, 'dists/edge/main')
    const packages = gunzipSync(fs.readFileSync(path.join(folder, 'binary-all/Packages.gz'))).toString()
    const tampered = gzipSync(packages.replaceAll('Package: notes', 'Package: votes'))
    for (const each of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (each.isFile()) fs.writeFileSync(path.join(each.parentPath, each.name), tampered)
    }
    const apt = isolatedApt(fileSources(copy))
    expect((await apt.get('update')).exitCode).not.toBe(0)
  })

  it('installs from an untouched copy of the folder', async () => {
    const apt = isolatedApt(fileSources(copyRepository()))
    expect((await apt.get('update')).exitCode).toBe(0)
    expect((await apt.get('install', 'notes')).exitCode).toBe(0)
    expect(fs.existsSync(path.join(apt.root, 'opt/notes/version'))).toBe(true)
  })

  it('refuses a tampered package', async () => {
    const copy = copyRepository()
    const version = '1.1.4-dev.1'
    const deb = path.join(copy, 'pool/notes', version, 'notes_1.1.4~dev.1-1_all.deb')
    const bytes = fs.readFileSync(deb)
    bytes[bytes.length - 1]! ^= 1
    fs.rmSync(deb)
    fs.writeFileSync(deb, bytes)
    const apt = isolatedApt(fileSources(copy))
    expect((await apt.get('update')).exitCode).toBe(0)
    expect((await apt.get('install', 'notes')).exitCode).not.toBe(0)
    expect(fs.existsSync(path.join(apt.root, 'opt/notes'))).toBe(false)
  })

  it('refuses a repository that is signed by another key', async () => {
    const other = await makeRepository(path.join(tempFolder(), 'other'), { name: 'vendor' })
    const sources = servedSources('edge').replace(/^URIs: .*$/m, `URIs: file:${other.folder}`)
    const apt = isolatedApt(sources)
    expect((await apt.get('update')).exitCode).not.toBe(0)
  })

  function copyRepository(): string {
    const copy = path.join(tempFolder(), 'repository')
    fs.cpSync(repository.folder, copy, { recursive: true })
    return copy
  }

  function fileSources(folder: string): string {
    return servedSources('edge').replace(/^URIs: .*$/m, `URIs: file:${folder}`)
  }
})

describe.skipIf(!needTool('gpgv', 'gpg'))('gpgv', () => {
  it.each(['InRelease', 'Release.gpg'])('accepts %s', async name => {
    const keyring = path.join(base, `${name}.keyring`)
    await execute([
      'gpg',
      '--batch',
      '--yes',
      '--output',
      keyring,
      '--dearmor',
      path.join(repository.folder, 'apt/key.asc'),
    ])
    const folder = path.join(repository.folder, 'dists/stable')
    const files =
      name === 'InRelease' ? [path.join(folder, name)] : [path.join(folder, name), path.join(folder, 'Release')]
    const verified = await tryExecute(['gpgv', '--keyring', keyring, ...files])
    expect(verified.exitCode, verified.stderr).toBe(0)
  })
})

describe.skipIf(!needTool('skopeo'))('skopeo', () => {
  it('reads every image of the layout by its version', async () => {
    await repository.publish({ version: '1.2.0-dev.1' })
    await repository.publish({ version: '1.2.0-dev.2' })
    for (const version of ['1.2.0-dev.1', '1.2.0-dev.2']) {
      const image = `oci:${repository.folder}/oci/notes:${version}`
      const inspected = await execute([
        'skopeo',
        '--override-os',
        'linux',
        '--override-arch',
        'amd64',
        'inspect',
        image,
      ])
      expect(JSON.parse(inspected.stdout)).toMatchObject({ Architecture: 'amd64', Os: 'linux' })
      const copy = path.join(tempFolder(), 'copy')
      await execute(['skopeo', '--override-arch', 'amd64', 'copy', '--all', image, `oci:${copy}:x`])
    }
  })

  it('finds the layer sharing its bytes with the tarball', async () => {
    const { ino } = fs.statSync(path.join(repository.folder, 'pool/notes/1.2.0-dev.2/notes-1.2.0-dev.2.tar.gz'))
    const blobs = path.join(repository.folder, 'oci/notes/blobs/sha256')
    expect(fs.readdirSync(blobs).map(name => fs.statSync(path.join(blobs, name)).ino)).toContain(ino)
  })
})
