import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TarEntry, tarHeaderBytes, tarMemberBytes, writeTarHeader } from '../../../src/payload/tar.ts'
import { TarReader } from '../../../src/payload/tar-reader.ts'

const epoch = 1_767_225_600

function header(entry: TarEntry): Buffer {
  const bytes = Buffer.alloc(tarHeaderBytes(entry), 0xff)
  expect(writeTarHeader(bytes, 0, entry, epoch)).toBe(bytes.byteLength)
  return bytes
}

describe('writeTarHeader', () => {
  it('writes a GNU header with root as the owner', () => {
    const bytes = header({ type: 'file', name: './opt/app/a', mode: 0o755, sizeBytes: 1234 })
    expect(bytes.byteLength).toBe(512)
    expect(bytes.toString('latin1', 0, 12)).toBe('./opt/app/a\0')
    expect(bytes.toString('latin1', 100, 136)).toBe('0000755\x000000000\x000000000\x0000000002322\0')
    expect(bytes.toString('latin1', 136, 148)).toBe('15125334400\0')
    expect(bytes.toString('latin1', 156, 157)).toBe('0')
    expect(bytes.toString('latin1', 257, 302)).toBe(`ustar  \0root${'\0'.repeat(28)}root\0`)
  })

  it('keeps names of 100 bytes in the header and puts longer ones into a record before it', () => {
    const short = `./${'a'.repeat(98)}`
    expect(header({ type: 'file', name: short, mode: 0o644, sizeBytes: 0 }).byteLength).toBe(512)
    const long = `./${'é'.repeat(60)}`
    const bytes = header({ type: 'file', name: long, mode: 0o644, sizeBytes: 0 })
    expect(bytes.byteLength).toBe(3 * 512)
    expect(bytes.toString('latin1', 0, 14)).toBe('././@LongLink\0')
    expect(bytes.toString('latin1', 156, 157)).toBe('L')
    expect(bytes.toString('utf8', 512, 512 + Buffer.byteLength(long))).toBe(long)
  })

  it('writes the record of a long link target before that of a long name', () => {
    const bytes = header({ type: 'symlink', name: `./${'n'.repeat(120)}`, linkTarget: 't'.repeat(130) })
    expect([bytes[156], bytes[1024 + 156], bytes[2048 + 156]].map(byte => String.fromCharCode(byte!))).toEqual([
      'K',
      'L',
      '2',
    ])
  })

  it('writes sizes from 8 GiB on in base 256', () => {
    const sizeBytes = 8 ** 11
    expect(header({ type: 'file', name: './big', mode: 0o644, sizeBytes }).subarray(124, 136).toString('hex')).toBe(
      '800000000000000200000000',
    )
    expect(
      header({ type: 'file', name: './big', mode: 0o644, sizeBytes: sizeBytes - 1 }).toString('latin1', 124, 135),
    ).toBe('77777777777')
  })

  it('writes what the reader reads, whatever the names', () => {
    const segment = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter(isName)
    const path = fc.array(segment, { minLength: 1, maxLength: 6 }).map(names => `./${names.join('/')}`)
    const mode = fc.integer({ min: 0, max: 0o777 })
    const entry = fc.oneof(
      fc.record({ type: fc.constant('directory' as const), name: path.map(name => `${name}/`), mode }),
      fc.record({ type: fc.constant('file' as const), name: path, mode, sizeBytes: fc.integer({ min: 0, max: 1500 }) }),
      fc.record({ type: fc.constant('symlink' as const), name: path, linkTarget: path.map(name => name.slice(2)) }),
    )
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), entries => {
        expect(readBack(entries)).toEqual(entries)
      }),
    )
  })
})

function isName(text: string): boolean {
  return !/[\u0000-\u001f\u007f/]|^\.{1,2}$/.test(text) && Buffer.byteLength(text) <= 255 && text.isWellFormed()
}

function readBack(entries: readonly TarEntry[]): TarEntry[] {
  const tar = Buffer.alloc(entries.reduce((sum, entry) => sum + tarMemberBytes(entry), 1024))
  let at = 0
  for (const entry of entries) {
    writeTarHeader(tar, at, entry, epoch)
    at += tarMemberBytes(entry)
  }
  const found: TarEntry[] = []
  const reader = new TarReader({ member: entry => found.push(entry), content: () => {} })
  reader.push(tar)
  reader.finish()
  return found
}
