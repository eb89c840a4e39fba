import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { compressPiece } from '../../../../src/payload/delta/codec.ts'
import {
  deltaHeaderBytes,
  deltaMagic,
  dictionaryBytes,
  largestIndexBytes,
  pieceBytes,
} from '../../../../src/payload/delta/format.ts'
import { openDelta, readDelta } from '../../../../src/payload/delta/open.ts'
import { manifestBytes } from '../../../../src/payload/manifest.ts'
import { codeOf, codeOfAsync } from '../../../support/codes.ts'
import {
  applied,
  filesBelow,
  type LooseIndex,
  packOf,
  type TestDelta,
  testDelta,
  withIndex,
} from '../../../support/delta.ts'
import { tempFolder } from '../../../support/temp.ts'

let made: TestDelta

beforeAll(async () => {
  made = await testDelta(
    { 'a/kept': 'kept', 'a/text': 'text that is there\n'.repeat(9), 'b/moved': 'moved', 'b/link': { link: 'moved' } },
    {
      'a/kept': 'kept',
      'a/new': 'new',
      'a/text': 'text that was there\n'.repeat(9),
      'c/moved': 'moved',
      'c/link': { link: 'moved' },
    },
  )
})

describe('openDelta', () => {
  it('reads what was written, from a file or from bytes', () => {
    for (const from of [made.file, made.bytes]) {
      const { index, files, copies } = openDelta(from, made.manifest)
      expect(index).toMatchObject({ schema: 1, name: 'app', version: '1.0.0', from: '1.0.0' })
      expect(index.toManifest).toBe(digestOf(manifestBytes(made.next.manifest)))
      expect(index.fromManifest).toBe(digestOf(manifestBytes(made.old.manifest)))
      expect(files.map(file => file.path)).toEqual(['a/new', 'a/text'])
      expect(copies.map(({ file, base }) => [file.path, base.path])).toEqual([['c/moved', 'b/moved']])
    }
    expect(made.artifact).toMatchObject({ sizeBytes: made.bytes.byteLength, digest: digestOf(made.bytes) })
  })

  it('keeps members that it does not know', () => {
    const bytes = withIndex(made.bytes, index => Object.assign(index, { later: 1 }))
    expect(readDelta(bytes).index).toMatchObject({ later: 1 })
  })

  it('refuses one that leads to another release', () => {
    expect(codeOf(() => openDelta(made.bytes, made.old.manifest))).toBe('DELTA_INVALID')
  })

  it('tells of one of a later format', () => {
    const bytes = withIndex(made.bytes, index => Object.assign(index, { schema: 2 }))
    expect(codeOf(() => readDelta(bytes))).toBe('DOCUMENT_NEWER')
  })

  it('refuses one that is cut off anywhere, or longer', () => {
    for (let end = 0; end < made.bytes.byteLength; end += 1) {
      expect(codeOf(() => openDelta(made.bytes.subarray(0, end), made.manifest))).toBe('DELTA_INVALID')
    }
    const longer = Buffer.concat([made.bytes, Buffer.alloc(1)])
    expect(codeOf(() => openDelta(longer, made.manifest))).toBe('DELTA_INVALID')
  })

  it('reads no index that is larger than any is', () => {
    const head = Buffer.alloc(deltaHeaderBytes)
    deltaMagic.copy(head)
    head.writeUInt32LE(largestIndexBytes + 1, deltaMagic.byteLength)
    const file = path.join(tempFolder(), 'delta')
    fs.writeFileSync(file, head)
    fs.truncateSync(file, deltaHeaderBytes + largestIndexBytes + 1)
    const before = process.memoryUsage().arrayBuffers
    expect(codeOf(() => readDelta(file))).toBe('DELTA_INVALID')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(largestIndexBytes)
  })

  it('unpacks no index that is a bomb', () => {
    const bomb = packOf(Buffer.alloc(largestIndexBytes + 1, ' '), Buffer.alloc(0))
    expect(codeOf(() => readDelta(bomb))).toBe('DELTA_INVALID')
  })

  it('refuses an index that is no JSON, or no object', () => {
    for (const text of ['', '{', 'null', '[]', '1', '"x"', '['.repeat(100_000)]) {
      expect(codeOf(() => readDelta(packOf(Buffer.from(text), Buffer.alloc(0))))).toBe('DELTA_INVALID')
    }
  })

  it.each(Object.entries(hostileChanges()))('refuses %s', (_, change) => {
    expect(codeOf(() => openDelta(withIndex(made.bytes, change), made.manifest))).toBe('DELTA_INVALID')
  })

  it('refuses more pieces than the files need: each may have a large dictionary read', async () => {
    const content = fs.readFileSync(path.join(path.dirname(made.file), 'next/tree/a/text'))
    const all = Buffer.concat([Buffer.from('new'), content])
    const parts = await Promise.all(
      Array.from({ length: 3 }, (_, part) => all.subarray(part * 60, part === 2 ? undefined : part * 60 + 60)).map(
        async part => ({ contentSizeBytes: part.byteLength, bytes: await compressPiece(part, Buffer.alloc(1)) }),
      ),
    )
    const pieces = parts.map(({ contentSizeBytes, bytes }) => {
      return { contentSizeBytes, sizeBytes: bytes.byteLength, digest: digestOf(bytes), dictionary: [] }
    })
    const change = (index: LooseIndex) => Object.assign(index, { pieces })
    const split = withIndex(made.bytes, change, Buffer.concat(parts.map(({ bytes }) => bytes)))
    expect(codeOf(() => openDelta(split, made.manifest))).toBe('DELTA_INVALID')
  })
})

describe('a delta pack with any byte changed', () => {
  const changedAt = (at: number) => {
    const changed = Buffer.from(made.bytes)
    changed[at]! ^= 1 << (at % 8)
    return changed
  }

  it('is refused when its index is opened, or gives the same files', async () => {
    const refusals = new Set([undefined, 'DELTA_INVALID', 'DOCUMENT_NEWER', 'DELTA_BASE_MISMATCH', 'FILE_DIGEST'])
    const expected = await applied(made, made.bytes)
    const folder = tempFolder()
    for (let at = 0; at < piecesStart(); at += 1) {
      const changed = changedAt(at)
      let instructions: string | undefined
      const refusal = codeOf(() => (instructions = instructionsOf(changed)))
      // Applied where it does something else: a name or a version in it decides about nothing.
      if (instructions === instructionsOf(made.bytes)) continue
      const code = refusal ?? (await codeOfAsync(applied(made, changed, folder)))
      expect(refusals).toContain(code)
      if (refusal !== undefined) continue
      if (code === undefined) expect(filesBelow(folder)).toEqual(filesBelow(expected.folder))
      for (const name of filesBelow(folder)) {
        const [found, wanted] = [folder, expected.folder].map(root => fs.readFileSync(path.join(root, name)))
        expect(found!.equals(wanted!)).toBe(true)
      }
    }
  })

  it('is refused when the piece is read that holds it', () => {
    for (let at = piecesStart(); at < made.bytes.byteLength; at += 1) {
      expect(codeOf(() => readDelta(changedAt(at)).readPiece(0))).toBe('DELTA_INVALID')
    }
  })
})

/** What a delta pack says is to be done. Errors: those of `readDelta`. */
function instructionsOf(bytes: Buffer): string {
  const { toManifest, bases, copies, files, pieces } = readDelta(bytes).index
  return JSON.stringify([toManifest, bases, copies, files, pieces])
}

/** Where the pieces of the pack begin; there is one. */
function piecesStart(): number {
  const { pieces } = readDelta(made.bytes).index
  expect(pieces).toHaveLength(1)
  return made.bytes.byteLength - pieces[0]!.sizeBytes
}

function hostileChanges(): Record<string, (index: LooseIndex) => unknown> {
  const set = (pick: (index: LooseIndex) => LooseIndex, values: object) => (index: LooseIndex) =>
    Object.assign(pick(index), values)
  const whole = (index: LooseIndex) => index
  const base = (index: LooseIndex) => index['bases']![0]!
  const copy = (index: LooseIndex) => index['copies']![0]!
  const piece = (index: LooseIndex) => index['pieces']![0]!
  const range = (index: LooseIndex) => piece(index)['dictionary']![0]!
  const unsafe = ['../x', '/etc/passwd', 'a/../../x', 'a//b', '', 'a\nb', 'a/'].flatMap(name => [
    [`the file ${JSON.stringify(name)}`, set(whole, { files: [name] })] as const,
    [`the base ${JSON.stringify(name)}`, set(base, { path: name })] as const,
    [`a copy to ${JSON.stringify(name)}`, set(copy, { path: name })] as const,
  ])
  const numbers = [-1, 0.5, '1', null, 2 ** 53, Number.MAX_SAFE_INTEGER].flatMap(value => [
    [`${value} as a schema`, set(whole, { schema: value === Number.MAX_SAFE_INTEGER ? 0 : value })] as const,
    [`${value} as a piece's size`, set(piece, { sizeBytes: value })] as const,
    [`${value} as its content's`, set(piece, { contentSizeBytes: value })] as const,
    [`${value} as the base of a copy`, set(copy, { base: value })] as const,
    [`${value} as the base of a range`, set(range, { base: value })] as const,
    [`${value} as where a range begins`, set(range, { offset: value })] as const,
    [`${value} as how long it is`, set(range, { sizeBytes: value })] as const,
  ])
  return {
    ...Object.fromEntries(unsafe),
    ...Object.fromEntries(numbers.filter(([name]) => !name.startsWith(`${2 ** 53} as a schema`))),
    'a piece without content': set(piece, { contentSizeBytes: 0 }),
    'a piece larger than any': set(piece, { contentSizeBytes: pieceBytes + 1 }),
    'an empty range': set(range, { sizeBytes: 0 }),
    'a range that ends behind its base': set(range, { offset: 1 }),
    'dictionaries that are too large together': index => {
      Object.assign(base(index), { sizeBytes: dictionaryBytes })
      const dictionary = [0, 1].map(() => ({ base: 0, offset: 0, sizeBytes: dictionaryBytes / 2 + 1 }))
      Object.assign(piece(index), { dictionary })
    },
    'a file that the release does not have': set(whole, { files: ['a/new', 'a/other'] }),
    'a folder as a file': set(whole, { files: ['a', 'a/text'] }),
    'a link as a file': set(whole, { files: ['a/text', 'c/link'] }),
    'a file twice': set(whole, { files: ['a/text', 'a/text'] }),
    'a copy of a file that pieces hold too': set(whole, { files: ['a/new', 'a/text', 'c/moved'] }),
    'fewer files than the pieces hold': set(whole, { files: ['a/text'] }),
    'a copy of other content': set(copy, { path: 'a/kept' }),
    'a base twice': index => index['bases']!.push({ ...base(index) } as LooseIndex),
    'no bases': set(whole, { bases: [] }),
    'a base without a digest': set(base, { digest: 'x' }),
    'no pieces': set(whole, { pieces: [] }),
    'texts in place of objects': set(whole, { pieces: ['x'] }),
    'numbers in place of paths': set(whole, { files: [1, 2] }),
    'an object in place of a list': set(whole, { copies: {} }),
    'no version': set(whole, { from: '../1' }),
    'another manifest': set(whole, { toManifest: digestOf('x') }),
  }
}
