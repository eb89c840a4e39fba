import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TarEntry, tarHeaderBytes, tarMemberBytes, writeTarHeader } from '../../../src/payload/tar.ts'
import { TarReader } from '../../../src/payload/tar-reader.ts'

const content = Buffer.from('the content of a file, long enough to be cut '.repeat(20))
const entries: TarEntry[] = [
  { type: 'directory', name: './', mode: 0o755 },
  { type: 'file', name: `./${'long/'.repeat(30)}name`, mode: 0o644, sizeBytes: content.byteLength },
  { type: 'symlink', name: './link', linkTarget: 'long' },
]

function tarOf(members: readonly TarEntry[]): Buffer {
  const tar = Buffer.alloc(members.reduce((sum, entry) => sum + tarMemberBytes(entry), 1024))
  let at = 0
  for (const entry of members) {
    writeTarHeader(tar, at, entry, 0)
    if (entry.type === 'file') content.copy(tar, at + tarHeaderBytes(entry), 0, entry.sizeBytes)
    at += tarMemberBytes(entry)
  }
  return tar
}

function read(tar: Uint8Array, cuts: readonly number[] = []): { entries: TarEntry[]; content: Buffer } {
  const found: TarEntry[] = []
  const pieces: Buffer[] = []
  const reader = new TarReader({
    member: entry => found.push(entry),
    content: bytes => pieces.push(Buffer.from(bytes)),
  })
  let from = 0
  for (const cut of [...cuts, tar.byteLength]) {
    reader.push(tar.subarray(from, cut))
    from = cut
  }
  reader.finish()
  return { entries: found, content: Buffer.concat(pieces) }
}

/** A header with some of its bytes replaced and its checksum right again. */
function forged(entry: TarEntry, change: (block: Buffer) => void): Buffer {
  const tar = tarOf([entry])
  const block = tar.subarray(0, 512)
  change(block)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return tar
}

const invalid = expect.objectContaining({ code: 'TAR_INVALID' })

describe('TarReader', () => {
  const tar = tarOf(entries)

  it('reads members and contents however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: tar.byteLength })), cuts => {
        const found = read(
          tar,
          cuts.toSorted((a, b) => a - b),
        )
        expect(found.entries).toEqual(entries)
        expect(found.content.equals(content)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('refuses a tar that is cut at any byte', () => {
    for (let sizeBytes = 0; sizeBytes < tar.byteLength; sizeBytes += 1) {
      expect(() => read(tar.subarray(0, sizeBytes)), `${sizeBytes} bytes`).toThrow(invalid)
    }
  })

  it('refuses any change of a header byte', () => {
    for (let at = 0; at < 512; at += 1) {
      const changed = Buffer.from(tar)
      changed[at] = changed[at]! ^ 0x01
      expect(() => read(changed), `byte ${at}`).toThrow(invalid)
    }
  })

  it.each(['1', '3', '4', '6', '7', 'x', 'g', 'S', 'V', 'M'])(
    'refuses the type %s, which dpkg does not unpack',
    type => {
      const file: TarEntry = { type: 'file', name: './a', mode: 0o644, sizeBytes: 0 }
      expect(() => read(forged(file, block => block.write(type, 156)))).toThrow(invalid)
    },
  )

  it.each(['/etc/passwd', './../a', './a/../../b', 'a', './a\nb', '..', './a//b', ''])('refuses the name %j', name => {
    const file: TarEntry = { type: 'file', name: './a', mode: 0o644, sizeBytes: 0 }
    const tarWithName = forged(file, block => {
      block.fill(0, 0, 100)
      block.write(name, 0)
    })
    expect(() => read(tarWithName)).toThrow(invalid)
  })

  it('refuses setuid, sizes that no number holds, and a size on a link', () => {
    const file: TarEntry = { type: 'file', name: './a', mode: 0o644, sizeBytes: 0 }
    expect(() => read(forged(file, block => block.write('0004755', 100)))).toThrow(invalid)
    expect(() => read(forged(file, block => block.fill(0xff, 124, 136)))).toThrow(invalid)
    const link: TarEntry = { type: 'symlink', name: './a', linkTarget: 'b' }
    expect(() => read(forged(link, block => block.write('00000000001', 124)))).toThrow(invalid)
  })

  it('accepts the zeros of a full record behind the end, and refuses more than any has', () => {
    expect(read(Buffer.concat([tar, Buffer.alloc(1024 * 1024 - 1024)])).entries).toEqual(entries)
    expect(() => read(Buffer.concat([tar, Buffer.alloc(1024 * 1024)]))).toThrow(invalid)
  })

  it('refuses a long name without a member, and bytes after the end', () => {
    const long: TarEntry = { type: 'file', name: `./${'a/'.repeat(60)}b`, mode: 0o644, sizeBytes: 0 }
    expect(() => read(Buffer.concat([tarOf([long]).subarray(0, 1024), Buffer.alloc(1024)]))).toThrow(invalid)
    expect(() => read(Buffer.concat([tar, tar]))).toThrow(invalid)
  })

  it('never throws anything else at bytes that are not a tar', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), bytes => {
        try {
          read(bytes)
        } catch (caught) {
          expect(caught).toEqual(invalid)
        }
      }),
    )
  })
})
