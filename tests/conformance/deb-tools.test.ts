import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { preparedNotes } from '../../fixtures/prepare.ts'
import { loadRecipe } from '../../src/recipe/load.ts'
import { makeBeacon } from '../support/beacon.ts'
import { debOfRecipe, type MadeDeb } from '../support/recipe-deb.ts'
import { repositoryRoot } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const folder = tempFolder()
let beacon: MadeDeb

beforeAll(async () => {
  fs.mkdirSync(path.join(folder, 'beacon'))
  beacon = await makeBeacon(path.join(folder, 'beacon'), { version: '1.0.0', configuration: 'a = 1\n' })
})

function run(file: string, ...args: string[]): string {
  const env = { ...process.env, LC_ALL: 'C.UTF-8' }
  return execFileSync(file, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe', env })
}

/** What lintian says that is an error or a warning. Information and what is overridden with a reason it does not show. */
const lintian = (file: string) => run('lintian', '--allow-root', '--fail-on', 'none', file)

describe.skipIf(!needTool('lintian'))('lintian has no errors and no warnings', () => {
  it('about a package with a bit of everything', () => {
    expect(lintian(beacon.file)).toBe('')
    const known = run('lintian', '--allow-root', '--fail-on', 'none', '--show-overrides', beacon.file)
    expect(known).toContain('O: beacon-server: bugs-field-does-not-refer-to-debian-infrastructure')
    expect(known).toContain('O: beacon-server: misplaced-extra-member-in-deb _manifest.zst')
  })

  it('about recipes/notes', async () => {
    const { recipe } = loadRecipe(path.join(repositoryRoot, 'recipes/notes/release.yaml'))
    const notes = await debOfRecipe({ recipe, checkout: await preparedNotes(), version: '1.1.3', folder })
    expect(lintian(notes.file)).toBe('')
  })

  it('about recipes/cutover', async () => {
    const { recipe } = loadRecipe(path.join(repositoryRoot, 'recipes/cutover/release.yaml'))
    const checkout = path.join(folder, 'cutover')
    fs.cpSync(path.join(repositoryRoot, 'debian'), path.join(checkout, 'debian'), { recursive: true })
    run('node', path.join(repositoryRoot, 'scripts/build.ts'), path.join(checkout, 'build'))
    fs.mkdirSync(path.join(checkout, 'build/bin'))
    for (const name of ['release', 'cutover'])
      fs.symlinkSync(`../lib/cutover/${name}.js`, path.join(checkout, 'build/bin', name))
    const cutover = await debOfRecipe({ recipe, checkout, version: '0.1.0', folder })
    expect(lintian(cutover.file)).toBe('')
    expect(run('dpkg-deb', '--contents', cutover.file)).toContain('./usr/share/man/man1/cutover.1.gz\n')
  })
})

describe('a package is read by', () => {
  it.skipIf(!needTool('dpkg-deb'))('dpkg-deb', () => {
    const information = run('dpkg-deb', '--info', beacon.file)
    expect(information).toMatch(/^ new Debian package, version 2\.0\.$/m)
    expect(information).toMatch(/^ +43 bytes, +1 lines +triggers/m)
    const contents = run('dpkg-deb', '--contents', beacon.file).split('\n')
    expect(contents.find(line => line.endsWith('./usr/lib/beacon/bin/beacon'))).toMatch(/^-rwxr-xr-x root\/root /)
    const unpacked = path.join(folder, 'unpacked')
    run('dpkg-deb', '--extract', beacon.file, unpacked)
    expect(fs.readFileSync(path.join(unpacked, 'etc/beacon/beacon.conf'), 'utf8')).toBe('a = 1\n')
    expect(run('dpkg-deb', '--field', beacon.file)).toBe(beacon.artifact.control)
  })

  it.skipIf(!needTool('apt-ftparchive'))('apt-ftparchive', () => {
    const stanza = run('apt-ftparchive', 'packages', 'beacon')
    const fields = (text: string) => text.match(/^\S+: .*$/gm)!
    expect(fields(stanza)).toEqual(expect.arrayContaining(fields(beacon.artifact.control)))
    expect(run('apt-ftparchive', 'contents', 'beacon')).toMatch(/^usr\/lib\/beacon\/bin\/beacon\s+beacon-server$/m)
  })

  it.skipIf(!needTool('reprepro'))('reprepro', () => {
    const base = path.join(folder, 'reprepro')
    fs.mkdirSync(path.join(base, 'conf'), { recursive: true })
    fs.writeFileSync(path.join(base, 'conf/distributions'), 'Codename: edge\nArchitectures: amd64\nComponents: main\n')
    run('reprepro', '--basedir', base, 'includedeb', 'edge', beacon.file)
    expect(run('reprepro', '--basedir', base, 'list', 'edge')).toBe('edge|main|amd64: beacon-server 1:1.0.0-1\n')
    expect(fs.readdirSync(path.join(base, 'pool/main/b/beacon'))).toEqual(['beacon-server_1.0.0-1_all.deb'])
  })

  it.skipIf(!needTool('aptly'))('aptly', () => {
    const rootDir = path.join(folder, 'aptly')
    const configuration = path.join(folder, 'aptly.conf')
    fs.writeFileSync(configuration, JSON.stringify({ rootDir, architectures: ['amd64'] }))
    const aptly = (...args: string[]) => run('aptly', `-config=${configuration}`, ...args)
    aptly('repo', 'create', '-distribution=edge', 'edge')
    expect(aptly('repo', 'add', 'edge', beacon.file)).toContain('beacon-server_1:1.0.0-1_all added')
    aptly('publish', 'repo', '-skip-signing', 'edge')
    const index = fs.readFileSync(path.join(rootDir, 'public/dists/edge/main/binary-amd64/Packages'), 'utf8')
    expect(index).toContain('\nProvides: beacon (= 1:1.0.0-1)\n')
  })
})
