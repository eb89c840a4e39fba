import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes, isRelativePath, parseRelativePath } from '../../../src/core/relative-path.ts'
import { codeOf } from '../../support/codes.ts'

describe('parseRelativePath', () => {
  it.each(['a', 'a/b', '.hidden', '..a', 'a..', 'a/...', 'ä/日本', '-x', 'a b', "it's"])('accepts %s', text => {
    expect(parseRelativePath(text)).toBe(text)
  })

  it.each([
    '',
    '/',
    '/a',
    '.',
    '..',
    './a',
    'a/.',
    'a/..',
    '../a',
    'a/../b',
    'a//b',
    'a/',
    'a\0b',
    'a\nb',
    'a\u007f',
    'x'.repeat(256),
    'x/'.repeat(2100).slice(0, -1),
  ])('refuses %j', text => {
    expect(codeOf(() => parseRelativePath(text))).toBe('PATH_UNSAFE')
  })

  it('never lets a path out of its folder', () => {
    const piece = fc.oneof(fc.constantFrom('..', '.', '', '/', 'a', '\0', '\n', 'b'), fc.string({ maxLength: 4 }))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), pieces => {
        const text = pieces.join('/')
        if (!isRelativePath(text)) return
        expect(path.resolve('/base', text).startsWith('/base/')).toBe(true)
        expect(path.normalize(text)).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })
})

/** Around the places where the order of UTF-16 differs from that of UTF-8. */
const characters = fc
  .array(fc.constantFrom('a', '~', 'é', '\ud7ff', '\ue000', '\uffee', '\u{10000}', '\u{1f600}'), { maxLength: 6 })
  .map(pieces => pieces.join(''))

describe('compareBytes', () => {
  it('orders as the bytes of UTF-8 do, beyond the basic plane too', () => {
    fc.assert(
      fc.property(characters, characters, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))
      }),
    )
    expect(compareBytes('\u{1f600}', '\uffee')).toBeGreaterThan(0)
  })
})
