import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arHeader, arPadding, parseArHeader } from '../../../src/envelope/ar.ts'

const invalid = expect.objectContaining({ code: 'DEB_INVALID' })

describe('arHeader', () => {
  it('fills every field', () => {
    expect(arHeader('control.tar.gz', 1234, 1_767_225_600).toString('latin1')).toBe(
      'control.tar.gz  1767225600  0     0     100644  1234      `\n',
    )
  })

  it('writes what parseArHeader reads', () => {
    const name = fc.stringMatching(/^[a-z_][a-z.-]{0,14}$/)
    fc.assert(
      fc.property(name, fc.integer({ min: 0, max: 9_999_999_999 }), (member, sizeBytes) => {
        expect(parseArHeader(arHeader(member, sizeBytes, 0), 8)).toEqual({ name: member, offset: 68, sizeBytes })
      }),
    )
  })

  it('refuses a size that its field cannot hold', () => {
    expect(() => arHeader('data.tar.zst', 10_000_000_000, 0)).toThrow(
      expect.objectContaining({ code: 'DEB_TOO_LARGE' }),
    )
  })
})

describe('parseArHeader', () => {
  const header = arHeader('data.tar.zst', 1234, 5).toString('latin1')

  it.each([
    ['a cut header', header.slice(0, 59)],
    ['another end', `${header.slice(0, 58)}  `],
    ['an empty size', `${header.slice(0, 48)}${' '.repeat(10)}\`\n`],
    ['a negative size', `${header.slice(0, 48)}${'-1'.padEnd(10)}\`\n`],
    ['an empty time', `${header.slice(0, 16)}${' '.repeat(12)}${header.slice(28)}`],
    ['a GNU long name', `${'/123'.padEnd(16)}${header.slice(16)}`],
    ['a BSD long name', `${'#1/20'.padEnd(16)}${header.slice(16)}`],
    ['no name', `${' '.repeat(16)}${header.slice(16)}`],
  ])('refuses %s', (_, text) => {
    expect(() => parseArHeader(Buffer.from(text, 'latin1'), 8)).toThrow(invalid)
  })
})

it('pads to even', () => {
  expect([arPadding(4), arPadding(5)]).toEqual(['', '\n'])
})
