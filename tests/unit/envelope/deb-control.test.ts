import { describe, expect, it } from 'vitest'
import { type DebControl, installedSizeKib, renderControl } from '../../../src/envelope/deb-control.ts'

const control: DebControl = {
  package: 'app',
  version: '1:1.0.0~rc.1-1',
  architecture: 'amd64',
  maintainer: 'Ada <ada@example.org>',
  depends: ['a (>= 1)', 'b | c'],
  recommends: [],
  section: 'misc',
  priority: 'optional',
  summary: 'does things',
}

describe('renderControl', () => {
  it('writes the fields in dpkg’s order, without those that are empty', () => {
    const text = renderControl({ ...control, description: 'One.\n\nTwo.\n', homepage: 'https://example.org' }, 12)
    expect(text).toBe(`Package: app
Version: 1:1.0.0~rc.1-1
Architecture: amd64
Maintainer: Ada <ada@example.org>
Installed-Size: 12
Depends: a (>= 1), b | c
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
    ['an empty value', { section: '' }],
    ['a name in capitals', { package: 'App' }],
    ['a name that is an option', { package: '-x' }],
    ['a version with a space', { version: '1 0' }],
    ['a version that starts with a letter', { version: 'v1.0.0-1' }],
    ['a control character in the description', { description: 'a\u0000b' }],
    ['a relation with a line break', { depends: ['a\nb'] }],
  ])('refuses %s', (_, change) => {
    expect(() => renderControl({ ...control, ...change }, 1)).toThrow(expect.objectContaining({ code: 'DEB_FIELD' }))
  })
})

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
