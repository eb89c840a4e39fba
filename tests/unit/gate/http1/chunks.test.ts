import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkReader } from '../../../../src/gate/http1/chunks.ts'

/** Read bytes in pieces. Post: all that is to be passed on, and what the reader says. */
function read(bytes: Buffer, yields: 'payload' | 'framed', cuts: readonly number[] = []) {
  const reader = new ChunkReader(yields)
  const ends = [...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b).concat(bytes.length)
  let passed = ''
  let at = 0
  for (const end of ends) {
    if (reader.isComplete || reader.isMalformed) break
    at = reader.read(bytes, at, end)
    for (let index = 0; index < reader.ranges.length; index += 2) {
      passed += bytes.toString('latin1', reader.ranges[index], reader.ranges[index + 1])
    }
  }
  const { isComplete, isMalformed, payloadBytes, trailers } = reader
  const names = Array.from({ length: trailers?.count ?? 0 }, (_, index) => [
    trailers!.name(index),
    trailers!.value(index),
  ])
  return { passed, isComplete, isMalformed, payloadBytes, names, at: isComplete ? at : -1 }
}

const bytes = (text: string) => Buffer.from(text, 'latin1')
const body = '5\r\nhello\r\n00A;a="b";c\r\n0123456789\r\n0\r\n'

describe('ChunkReader', () => {
  it('gives the bytes of the body', () => {
    expect(read(bytes(`${body}\r\nGET`), 'payload')).toEqual({
      passed: 'hello0123456789',
      isComplete: true,
      isMalformed: false,
      payloadBytes: 15,
      names: [],
      at: body.length + 2,
    })
  })

  it('gives the bytes of the wire without extensions, a correct body in one piece', () => {
    expect(read(bytes(`${body}\r\n`), 'framed').passed).toBe('5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n')
    const reader = new ChunkReader('framed')
    const plain = bytes('1\r\na\r\n1\r\nb\r\n0\r\n\r\n')
    reader.read(plain, 0, plain.length)
    expect(reader.ranges).toEqual([0, plain.length])
  })

  it('keeps trailers apart', () => {
    const text = `${body}A: 1\r\nB: 2\r\n\r\nrest`
    for (const yields of ['payload', 'framed'] as const) {
      expect(read(bytes(text), yields)).toMatchObject({
        isComplete: true,
        names: [
          ['A', '1'],
          ['B', '2'],
        ],
        at: text.length - 4,
      })
    }
    expect(read(bytes(text), 'framed').passed).toBe('5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n')
  })

  it.each([
    '\r\n',
    ';a\r\n',
    'g\r\n',
    '0x1\r\na\r\n',
    '-1\r\n',
    '+1\r\na\r\n',
    ' 1\r\na\r\n',
    '1 \r\na\r\n',
    '1\na\r\n',
    '1\r\na\n',
    '1\r\nab\r\n',
    '1\r\na\rb',
    '1\r\ra',
    '1;a\nb\r\n',
    '1;a\rb\r\n',
    '1;\0\r\n',
    `1;${'a'.repeat(5000)}\r\n`,
    '10000000000000\r\n',
    '0\r\n\n',
    '0\r\n\ra',
    '0\r\nA\r\n\r\n',
    '0\r\n A: b\r\n\r\n',
    '0\r\nA: b\n\r\n',
    `0\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`,
  ])('refuses %j', text => {
    expect(read(bytes(text), 'framed')).toMatchObject({ isMalformed: true, isComplete: false })
    expect(read(bytes(text), 'payload')).toMatchObject({ isMalformed: true, isComplete: false })
  })

  it('says the same however the bytes are cut, and never throws', () => {
    const piece = fc.constantFrom(
      '0',
      '1',
      'a',
      ';x',
      '\r\n',
      '\r',
      '\n',
      '1\r\na\r\n',
      '2;y\r\nab\r\n',
      '0\r\n',
      'A: b\r\n',
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.nat()),
        fc.constantFrom('payload' as const, 'framed' as const),
        (pieces, cuts, yields) => {
          const all = bytes(pieces.join(''))
          const [cut, whole] = [read(all, yields, cuts), read(all, yields)]
          // What came before a fault may have been passed on already.
          if (whole.isMalformed) expect(cut.isMalformed).toBe(true)
          else expect(cut).toEqual(whole)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('gives back what was put into chunks', () => {
    const chunks = fc.array(
      fc.tuple(fc.string({ minLength: 1, unit: 'binary-ascii' }), fc.constantFrom('', ';a', ';a=b')),
    )
    fc.assert(
      fc.property(chunks, fc.array(fc.nat()), (parts, cuts) => {
        const framed = (withExtensions: boolean) =>
          `${parts
            .map(([text, extension]) => `${text.length.toString(16)}${withExtensions ? extension : ''}\r\n${text}\r\n`)
            .join('')}0\r\n\r\n`
        const all = bytes(framed(true))
        expect(read(all, 'payload', cuts)).toMatchObject({
          passed: parts.map(([text]) => text).join(''),
          isComplete: true,
        })
        expect(read(all, 'framed', cuts)).toMatchObject({ passed: framed(false), isComplete: true, at: all.length })
      }),
    )
  })
})
