import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../src/core/digest.ts'
import { makeDeb, makeImage, type TestEnvelopes, testEnvelopes, unitLife } from '../support/envelopes.ts'
import { noise } from '../support/payload.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const deepName = `${'a-rather-long-folder-name/'.repeat(8)}and-a-file-with-a-long-name-too`
const files = {
  'bin/run.sh': '#!/bin/sh\necho hello\n',
  'etc/app.conf': 'key = value\n',
  'lib/large': noise(13 * 1024 * 1024),
  'lib/text': 'text\n'.repeat(200_000),
  'lib/umlaut-ä-日本': 'name',
  [deepName]: 'deep',
  empty: null,
  'lib/link': { link: 'text' },
  'lib/long-link': { link: `../${deepName}` },
}

const units = [
  {
    name: 'app.service',
    text: '[Unit]\nDescription=Application\nDocumentation=https://example.org\n\n[Service]\nExecStart=/opt/app/bin/run.sh\n\n[Install]\nWantedBy=multi-user.target\n',
    ...unitLife,
  },
]

function run(file: string, ...args: string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' }, stdio: 'pipe' })
}

function expectTree(folder: string): void {
  const root = path.join(folder, 'opt/app')
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name)
    if (content === null) expect(fs.readdirSync(file)).toEqual([])
    else if (typeof content === 'object' && 'link' in content) expect(fs.readlinkSync(file)).toBe(content.link)
    else expect(digestOf(fs.readFileSync(file)), name).toBe(digestOf(content))
  }
  expect(fs.statSync(path.join(root, 'bin/run.sh')).mode & 0o777).toBe(0o755)
  expect(fs.statSync(path.join(root, 'etc/app.conf')).mode & 0o777).toBe(0o644)
  expect(fs.statSync(path.join(root, 'etc/app.conf')).mtimeMs).toBe(1_767_225_600_000)
}

describe.each(['zstd', 'gzip'] as const)('envelopes of a %s payload', codec => {
  let envelopes: TestEnvelopes
  let deb: string

  beforeAll(async () => {
    const folder = tempFolder()
    envelopes = await testEnvelopes(folder, files, { codec })
    deb = envelopes.debOptions.file
    await makeDeb(envelopes, { units, conffiles: ['opt/app/etc/app.conf'] })
    makeImage(envelopes)
  })

  it.skipIf(!needTool('tar', 'zstd'))('are unpacked by GNU tar', () => {
    const folder = tempFolder()
    run('tar', '--extract', `--${codec}`, '--file', envelopes.file, '--directory', folder)
    expectTree(folder)
    expect(run('tar', '--list', '--verbose', `--${codec}`, '--file', envelopes.file)).toMatch(
      /^drwxr-xr-x root\/root +0 2026-01-01/,
    )
  })

  it.skipIf(!needTool('zstd', 'gzip'))('pass the compressor’s own test', () => {
    expect(run(codec === 'zstd' ? 'zstd' : 'gzip', '--test', '--stdout', envelopes.file)).toBe('')
  })

  it.skipIf(!needTool('dpkg-deb'))('are unpacked and described by dpkg-deb', () => {
    const folder = tempFolder()
    run('dpkg-deb', '--extract', deb, folder)
    expectTree(folder)
    expect(fs.readFileSync(path.join(folder, 'usr/lib/systemd/system/app.service'), 'utf8')).toBe(units[0]!.text)
    expect(run('dpkg-deb', '--field', deb, 'Package', 'Version', 'Depends')).toBe(
      'Package: app\nVersion: 1.0.0-1\nDepends: libc6 (>= 2.36), adduser\n',
    )
    expect(run('dpkg-deb', '--contents', deb)).toContain('root/root')
    const control = tempFolder()
    run('dpkg-deb', '--control', deb, path.join(control, 'DEBIAN'))
    expect(fs.readFileSync(path.join(control, 'DEBIAN/conffiles'), 'utf8')).toBe('/opt/app/etc/app.conf\n')
  })

  it.skipIf(!needTool('dpkg-deb', 'md5sum'))('have the right md5sums', () => {
    const folder = tempFolder()
    run('dpkg-deb', '--raw-extract', deb, folder)
    run('sh', '-c', 'cd "$1" && md5sum --check --strict --quiet DEBIAN/md5sums', 'sh', folder)
  })

  it.skipIf(!needTool('dpkg-deb', 'dpkg-gencontrol'))('have the Installed-Size that dpkg-gencontrol finds', () => {
    const folder = tempFolder()
    const tree = path.join(folder, 'debian/tree')
    fs.mkdirSync(tree, { recursive: true })
    run('dpkg-deb', '--extract', deb, tree)
    fs.writeFileSync(
      path.join(folder, 'debian/control'),
      `Source: app\nMaintainer: A <a@example.org>\n\nPackage: app\nArchitecture: all\nDescription: x\n`,
    )
    fs.writeFileSync(path.join(folder, 'debian/changelog'), envelopes.debOptions.changelog)
    const control = execFileSync('dpkg-gencontrol', ['-papp', '-Pdebian/tree', '-O'], { cwd: folder, encoding: 'utf8' })
    const [, expected] = /Installed-Size: (\d+)/.exec(control) ?? []
    expect(run('dpkg-deb', '--field', deb, 'Installed-Size').trim()).toBe(expected)
  })

  it.skipIf(!needTool('skopeo'))('are inspected and copied by skopeo', () => {
    const folder = envelopes.imageOptions.folder
    const inspected = JSON.parse(run('skopeo', 'inspect', `oci:${folder}:1.0.0`)) as Record<string, unknown>
    expect(inspected).toMatchObject({
      Architecture: 'amd64',
      Os: 'linux',
      Layers: [expect.any(String), envelopes.artifact.digest],
    })
    const copied = path.join(tempFolder(), 'copy')
    run('skopeo', '--insecure-policy', 'copy', '--all', `oci:${folder}:1.0.0`, `dir:${copied}`)
    const layer = fs.readFileSync(path.join(copied, hexOf(envelopes.artifact.digest)))
    expect(digestOf(layer)).toBe(envelopes.artifact.digest)
  })

  it.skipIf(!needTool('lintian'))('leave nothing for lintian to say', () => {
    const said = run('lintian', '--allow-root', '--fail-on', 'none', '--suppress-tags', suppressedTags.join(','), deb)
    expect(said).toBe('')
  })
})

/** What lintian says of the content of this package, whose configuration is not where it belongs. */
const suppressedTags = ['package-contains-empty-directory', 'non-etc-file-marked-as-conffile']
