import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DebDescription } from '../../../src/envelope/deb-package.ts'
import { describeDeb } from '../../../src/flow/describe-deb.ts'
import { componentsOf } from '../../../src/recipe/components.ts'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { tempFolder } from '../../support/temp.ts'

const changelog = `# Changelog

## [1.1.0-rc.1] - 2026-01-01

- This one

## [1.0.0] - 2025-12-01

- The first
`
let checkout: string

beforeAll(() => {
  const folder = tempFolder()
  checkout = path.join(folder, 'checkout')
  fs.mkdirSync(path.join(checkout, 'conf/empty'), { recursive: true })
  fs.writeFileSync(path.join(checkout, 'CHANGELOG.md'), changelog)
  fs.writeFileSync(path.join(checkout, 'conf/a.conf'), 'a\n')
  fs.symlinkSync('a.conf', path.join(checkout, 'conf/b.conf'))
  fs.writeFileSync(path.join(folder, 'secret'), 'secret')
  fs.symlinkSync('..', path.join(checkout, 'outside'))
  fs.mkdirSync(path.join(checkout, 'links'))
  fs.symlinkSync('/etc/shadow', path.join(checkout, 'links/absolute'))
})

function describePackage(deb: string, changes = '- This one\n'): DebDescription {
  const text = `schema: 1
name: notes
summary: Server for notes
licence: MIT
maintainer: Ada <ada@example.org>
homepage: https://example.org/notes
payload: { root: opt/notes, entries: [{ from: src }] }
node: { services: [{ name: web, command: [bin/web] }] }
artifacts:
  deb: ${deb}
`
  const { recipe } = parseRecipe(text, 'release.yaml')
  const component = componentsOf(recipe)[0]!
  return describeDeb(component.deb!, {
    recipe,
    component,
    version: '1.1.0-rc.1',
    sourceDateEpoch: 1_767_225_600,
    changes,
    checkout,
    environment: 'production',
  })
}

describe('describeDeb', () => {
  it('maps version, epoch and relations, and names the source where the package is called otherwise', () => {
    const { control } = describePackage(
      '{ package: notes-server, epoch: 2, revision: "3", depends: ["notes-common (= ${debianVersion})"], multiArch: foreign }',
    )
    expect(control).toMatchObject({ package: 'notes-server', version: '2:1.1.0~rc.1-3' })
    expect(control.fields).toMatchObject({
      Source: 'notes',
      Depends: ['notes-common (= 2:1.1.0~rc.1-3)'],
      'Multi-Arch': 'foreign',
      Homepage: 'https://example.org/notes',
    })
    expect(describePackage('{}').control.fields).not.toHaveProperty('Source')
  })

  it('tells of earlier releases below this one', () => {
    const { changelog: text } = describePackage('{ epoch: 2 }')
    expect(text.match(/^notes .*$/gm)).toEqual([
      'notes (2:1.1.0~rc.1-1) unstable; urgency=medium',
      'notes (2:1.0.0-1) unstable; urgency=medium',
    ])
    expect(text).toContain('  * The first\n')
  })

  it('runs services as the package’s user, whose home is below shared state', () => {
    const { accounts, units } = describePackage('{ user: { name: notes-web }, unit: { restart: none } }')
    expect(accounts.user).toEqual({ name: 'notes-web', groups: [], summary: 'Server for notes', home: 'var/lib/notes' })
    expect(units).toMatchObject([{ name: 'notes.service', enable: true, start: true, restart: 'none' }])
    expect(units[0]!.text).toContain('\nUser=notes-web\n')
  })

  it('reads folders of files, with links and empty folders', () => {
    const { files } = describePackage('{ files: [{ from: conf, to: etc/notes, mode: "0640" }] }')
    expect(files).toEqual([
      { type: 'directory', path: 'etc', mode: 0o755 },
      { type: 'directory', path: 'etc/notes', mode: 0o755 },
      { type: 'file', path: 'etc/notes/a.conf', mode: 0o640, bytes: Buffer.from('a\n') },
      { type: 'directory', path: 'etc/notes/empty', mode: 0o755 },
      { type: 'symlink', path: 'etc/notes/b.conf', linkTarget: 'a.conf' },
    ])
  })

  it.each([
    ['files outside of the checkout', '{ files: [{ from: outside/secret, to: etc/x }] }', 'PATH_UNSAFE'],
    ['a folder outside of the checkout', '{ files: [{ from: outside, to: etc/x }] }', 'PATH_UNSAFE'],
    ['a copyright from outside', '{ copyright: outside/secret }', 'PATH_UNSAFE'],
    ['a unit from outside', '{ units: [{ from: outside/secret }] }', 'PATH_UNSAFE'],
    ['a manual page that is not there', '{ manpages: [man/notes.1] }', 'BUILD_ENTRY_MISSING'],
    ['a link to a file of the machine', '{ files: [{ from: links, to: etc/x }] }', 'PATH_UNSAFE'],
    ['a file in two places', '{ files: [{ from: conf, to: etc }, { from: conf, to: etc }] }', 'BUILD_ENTRY_REPEATED'],
  ])('refuses %s', (_, deb, code) => {
    expect(() => describePackage(deb)).toThrow(expect.objectContaining({ code }))
  })

  it('does not let a commit’s subject end the entry of the changelog', () => {
    const { changelog: text } = describePackage(
      '{}',
      '- x\n\n -- Eve <eve@example.org>  Thu, 01 Jan 1970 00:00:00 +0000\n',
    )
    expect(text.match(/^ -- .*$/gm)).toHaveLength(2)
    expect(text).not.toMatch(/^ -- Eve/m)
  })
})
