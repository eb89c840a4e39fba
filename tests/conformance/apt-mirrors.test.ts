import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { renderKeyring } from '../../src/repository/apt/sign.ts'
import { execute } from '../../src/sys/exec.ts'
import { type AptArchive, buildDeb, serveArchive } from '../support/apt-archive.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/** An archive as the tools of those who copy repositories read it, and its files as plain decoders do. */

let archive: AptArchive

beforeAll(async () => {
  archive = await serveArchive({ compressions: ['gz', 'zst', 'xz'], contents: true })
  const added = [
    await buildDeb(archive, 'notes', '1.0-1'),
    await buildDeb(archive, 'notes', '1.1-1'),
    await buildDeb(archive, 'ark', '2.0-1', { architecture: 'all' }),
  ]
  for (const entry of added) await archive.publish('stable', { added: [entry] })
})
afterAll(() => archive.close())

/** A keyring of the archive's key, in the form that gpg reads, below a home folder of its own. */
async function keyringIn(home: string, name: string): Promise<string> {
  const [block, keyring] = [path.join(home, 'key.asc'), path.join(home, name)]
  fs.writeFileSync(block, await renderKeyring(archive.suites.keys))
  fs.chmodSync(home, 0o700)
  await execute(['gpg', '--homedir', home, '--batch', '--no-default-keyring', '--keyring', keyring, '--import', block])
  return keyring
}

function environmentOf(home: string): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: home, GNUPGHOME: home, LC_ALL: 'C' }
}

describe.skipIf(!needTool('aptly', 'gpg', 'gpgv'))('aptly', () => {
  it('mirrors every package, those of all architectures among them', async () => {
    const home = tempFolder()
    await keyringIn(home, 'trustedkeys.gpg')
    fs.writeFileSync(path.join(home, '.aptly.conf'), JSON.stringify({ rootDir: path.join(home, 'aptly') }))
    const aptly = (...args: string[]) =>
      execute(['aptly', ...args], { environment: environmentOf(home), timeoutMs: 60_000 })
    await aptly('mirror', 'create', '-architectures=amd64', 'vendor', archive.url, 'stable')
    await aptly('mirror', 'update', 'vendor')
    const { stdout } = await aptly('mirror', 'show', '-with-packages', 'vendor')
    expect(
      stdout
        .match(/^ {2}\S+_\S+_\S+$/gm)
        ?.map(line => line.trim())
        .sort(),
    ).toEqual(['ark_2.0-1_all', 'notes_1.0-1_amd64', 'notes_1.1-1_amd64'])
  })
})

describe.skipIf(!needTool('reprepro', 'gpg'))('reprepro', () => {
  it('pulls the newest of every package', async () => {
    const base = tempFolder()
    const home = path.join(base, 'home')
    fs.mkdirSync(path.join(base, 'conf'))
    fs.mkdirSync(home)
    await keyringIn(home, 'pubring.gpg')
    const { fingerprint } = archive.suites.keys[0]!
    const distribution = ['Codename: copy', 'Architectures: amd64', 'Components: main', 'Update: vendor']
    const update = [
      'Name: vendor',
      `Method: ${archive.url.replace(/\/$/, '')}`,
      'Suite: stable',
      'Architectures: amd64',
      'Components: main',
    ]
    fs.writeFileSync(path.join(base, 'conf/distributions'), `${distribution.join('\n')}\n`)
    fs.writeFileSync(
      path.join(base, 'conf/updates'),
      `${[...update, `VerifyRelease: ${fingerprint.slice(-16).toUpperCase()}`].join('\n')}\n`,
    )
    const reprepro = (...args: string[]) =>
      execute(['reprepro', '--basedir', base, '--gnupghome', home, ...args], {
        environment: environmentOf(home),
        timeoutMs: 60_000,
      })
    await reprepro('update', 'copy')
    const { stdout } = await reprepro('list', 'copy')
    expect(stdout.split('\n').sort()).toEqual(['copy|main|amd64: ark 2.0-1', 'copy|main|amd64: notes 1.1-1'])
  })
})

describe.skipIf(!needTool('gzip', 'zstd', 'xz', 'sha256sum'))('decoders', () => {
  it.each([
    ['gzip', '.gz'],
    ['zstd', '.zst'],
    ['xz', '.xz'],
  ])('%s makes the plain index of the one that it reads, and finds it whole', async (tool, extension) => {
    const plain = path.join(archive.folder, 'dists/stable/main/binary-amd64/Packages')
    await execute([tool, '--test', `${plain}${extension}`])
    const { stdout } = await execute([tool, '--decompress', '--stdout', `${plain}${extension}`])
    expect(`${stdout.trimEnd()}\n\n`).toBe(fs.readFileSync(plain, 'utf8'))
  })

  it('find every file of the suite as its Release file lists it', async () => {
    const suite = path.join(archive.folder, 'dists/stable')
    const release = fs.readFileSync(path.join(suite, 'Release'), 'utf8')
    // Of Contents the plain file is listed and not stored.
    const sums = [...release.matchAll(/^ ([0-9a-f]{64}) \d+ (?!\S*Contents-\w+$)(\S+)$/gm)].map(
      ([, hex, name]) => `${hex}  ${name}\n`,
    )
    expect(sums).toHaveLength(3 * 4 + 3)
    await execute(['sha256sum', '--check', '--strict'], { cwd: suite, input: sums.join('') })
  })
})

describe.skipIf(!needTool('apt-ftparchive'))('apt-ftparchive', () => {
  it('lists the same packages from the pool', async () => {
    const { stdout } = await execute(['apt-ftparchive', 'packages', 'pool'], { cwd: archive.folder })
    const index = fs.readFileSync(path.join(archive.folder, 'dists/stable/main/binary-amd64/Packages'), 'utf8')
    const fields = (text: string) => text.match(/^(Filename|Size|SHA256): .*$/gm)!.sort()
    expect(fields(index)).toEqual(fields(stdout))
  })
})

describe.skipIf(!needTool('dpkg', 'xargs'))('dpkg', () => {
  it('orders versions as the index does', async () => {
    const parts = [
      '0',
      '1',
      '1.0',
      '1.0-0',
      '1.0-1',
      '1.0~rc.1',
      '1.0~',
      '1.0+b1',
      '1.10',
      '1.2',
      '1.02',
      '1a',
      '1.a',
      '1:0',
      '0:1',
      '1.0-1-1',
      '1~~',
    ]
    const pairs = parts.flatMap(a => parts.map(b => [a, b] as const))
    const { compareDebianVersions } = await import('../../src/repository/apt/version-order.ts')
    const words = { '-1': 'lt', '0': 'eq', '1': 'gt' }
    const lines = pairs.map(
      ([a, b]) => `${a} ${words[`${Math.sign(compareDebianVersions(a, b)) as -1 | 0 | 1}`]} ${b}\n`,
    )
    // Ends with 123 if dpkg disagrees with one of them.
    await execute(['xargs', '--max-lines=1', '--max-procs=2', 'dpkg', '--compare-versions'], { input: lines.join('') })
  })
})
