import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexOf } from '../../../../src/core/digest.ts'
import { parseControl, renderStanza } from '../../../../src/repository/apt/control.ts'
import { debArtifact } from '../../../support/tiny-deb.ts'

const deb = debArtifact('notes', '1.0.0-1')

describe('renderStanza', () => {
  it('adds where the package is and what its bytes are', () => {
    expect(renderStanza(deb, 'pool/notes/1.0.0/notes_1.0.0-1_all.deb')).toBe(
      `${deb.control.trimEnd()}
Filename: pool/notes/1.0.0/notes_1.0.0-1_all.deb
Size: 7
SHA256: ${hexOf(deb.digest)}
`,
    )
  })

  it.each([
    ['a second stanza', `${deb.control}\nPackage: libc6\nVersion: 99\n`],
    ['a stanza behind a line of blanks', `${deb.control.trimEnd()}\n  \nPackage: libc6\n`],
    ['a place of its own choice', `${deb.control}Filename: pool/other.deb\n`],
    ['a hash of its own choice', `${deb.control}sha256: ${'0'.repeat(64)}\n`],
    ['a field twice', `${deb.control}Version: 2\n`],
    ['another package', deb.control.replace('Package: notes', 'Package: libc6')],
    ['another version', deb.control.replace('1.0.0-1', '2.0.0-1')],
    ['no architecture', deb.control.replace('Architecture: all\n', '')],
    ['a line that is no field', `${deb.control}hello\n`],
    ['a comment', `#: x\n${deb.control}`],
    ['nothing', ''],
  ])('refuses %s', (_, control) => {
    expect(() => renderStanza({ ...deb, control }, 'pool/x.deb')).toThrow(
      expect.objectContaining({ code: 'PACKAGE_INVALID' }),
    )
  })
})

describe('parseControl', () => {
  it('never accepts text that would be read as more than one stanza', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ':', ' ', '\n', '\t', '\r') }), text => {
        try {
          parseControl(text, 'x')
        } catch (caught) {
          expect(caught).toMatchObject({ code: 'PACKAGE_INVALID' })
          return
        }
        expect(
          text
            .trimEnd()
            .split('\n')
            .every(line => line.trim() !== ''),
        ).toBe(true)
      }),
    )
  })
})
