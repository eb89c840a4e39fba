import { describe, expect, it } from 'vitest'
import { controlFields, rareFields } from '../../../src/core/debian-fields.ts'
import { relationFields } from '../../../src/core/debian-relation.ts'
import { type DebControl, installedSizeKib, renderControl } from '../../../src/envelope/deb-control.ts'

const control: DebControl = {
  package: 'app',
  version: '1:1.0.0~rc.1-1',
  architecture: 'amd64',
  maintainer: 'Ada <ada@example.org>',
  summary: 'does things',
  fields: { Depends: ['aa (>= 1)', 'bb | cc'], Recommends: [], Section: 'misc', Priority: 'optional' },
}

describe('renderControl', () => {
  it('writes the fields in dpkg’s order, without those that are empty', () => {
    const fields = { ...control.fields, Homepage: 'https://example.org' }
    const text = renderControl({ ...control, description: 'One.\n\nTwo.\n', fields }, 12)
    expect(text).toBe(`Package: app
Version: 1:1.0.0~rc.1-1
Architecture: amd64
Maintainer: Ada <ada@example.org>
Installed-Size: 12
Depends: aa (>= 1), bb | cc
Section: misc
Priority: optional
Homepage: https://example.org
Description: does things
 One.
 .
 Two.
`)
  })

  it.each<[string, Partial<DebControl>]>([
    ['a second field in a value', { summary: 'x\nEssential: yes' }],
    ['a field through a carriage return', { maintainer: 'Ada\rX: y' }],
    ['an empty value', { fields: { Section: '' } }],
    ['a field that nobody knows', { fields: { Colour: 'blue' } }],
    ['a rare field of another form', { fields: { Essential: 'maybe' } }],
    ['a vendor’s field with a line break', { fields: { 'X-Colour': 'blue\nEssential: yes' } }],
    ['a name in capitals', { package: 'App' }],
    ['a name that is an option', { package: '-x' }],
    ['a version with a space', { version: '1 0' }],
    ['a version that starts with a letter', { version: 'v1.0.0-1' }],
    ['a control character in the description', { description: 'a\u0000b' }],
    ['a relation with a line break', { fields: { Depends: ['aa\nbb'] } }],
    ['a relation that dpkg does not take', { fields: { Breaks: ['aa | bb'] } }],
  ])('refuses %s', (_, change) => {
    expect(() => renderControl({ ...control, ...change }, 1)).toThrow(expect.objectContaining({ code: 'DEB_FIELD' }))
  })
})

it('writes every field that a package may carry, a vendor’s own last', () => {
  const fields = Object.fromEntries([
    ['X-Colour', 'blue'],
    ...relationFields.map(name => [name, [name.endsWith('Built-Using') ? 'src (= 1)' : 'other']] as const),
    ...Object.keys(rareFields).map(name => [name, rareValues[name] ?? 'yes'] as const),
    ...['Source', 'Section', 'Priority', 'Multi-Arch', 'Homepage'].map(name => [name, 'x'] as const),
  ])
  const text = renderControl({ ...control, fields }, 1)
  expect(text.match(/^\S+(?=:)/gm)).toEqual([...controlFields, 'X-Colour'])
})

const rareValues: Readonly<Record<string, string>> = {
  'Package-Type': 'deb',
  'Installer-Menu-Item': '42',
  Bugs: 'debbugs://bugs.example.org',
  Tag: 'role::program, use::editing',
  'Build-Ids': 'abcdef0123 456789abcd',
}

describe('installedSizeKib', () => {
  it('rounds each file up to 1 KiB and counts 1 KiB for each folder', () => {
    const size = installedSizeKib([
      { type: 'directory', name: './', mode: 0o755 },
      { type: 'file', name: './a', mode: 0o644, sizeBytes: 1 },
      { type: 'file', name: './b', mode: 0o644, sizeBytes: 1025 },
      { type: 'file', name: './c', mode: 0o644, sizeBytes: 0 },
      { type: 'symlink', name: './d', linkTarget: 'a' },
    ])
    expect(size).toBe(1 + 1 + 2 + 0 + 1)
  })
})
