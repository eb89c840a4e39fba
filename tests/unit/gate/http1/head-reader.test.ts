import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HeadReader } from '../../../../src/gate/http1/head-reader.ts'

const limitBytes = 64

/** Read bytes in pieces. Post: what the reader says, and how much it read. */
function read(bytes: Buffer, cuts: readonly number[], skipsEmptyLines = true) {
  const reader = new HeadReader({ skipsEmptyLines, limitBytes })
  const ends = [...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b).concat(bytes.length)
  let at = 0
  let start = 0
  for (const end of ends) {
    if (reader.progress === 'partial' && at === start) at = reader.read(bytes, at, end)
    start = end
  }
  const { progress, text, endedFirstLine } = reader
  return { progress, endedFirstLine, text: progress === 'malformed' ? '' : text, at: progress === 'partial' ? -1 : at }
}

const bytes = (text: string) => Buffer.from(text, 'latin1')

it.each([
  ['GET / HTTP/1.1\r\nA: b\r\n\r\nrest', 'complete', 'GET / HTTP/1.1\r\nA: b\r\n\r\n'],
  ['\r\n\r\nGET /\r\n\r\n', 'complete', 'GET /\r\n\r\n'],
  ['GET /\r\n', 'partial', 'GET /\r\n'],
  ['\r\n\r', 'partial', '\r'],
  ['GET /\n', 'malformed', ''],
  ['GET /\r ', 'malformed', ''],
  ['\n', 'malformed', ''],
  ['\r\r', 'malformed', ''],
  ['GET /\r\nA: b\n\r\n', 'malformed', ''],
])('reads %j', (text, progress, head) => {
  expect(read(bytes(text), [])).toMatchObject({ progress, text: head })
})

it('says when a head is too long, and whether its first line is', () => {
  expect(read(bytes('x'.repeat(limitBytes)), [])).toMatchObject({ progress: 'too-long', endedFirstLine: false })
  expect(read(bytes(`a\r\n${'x'.repeat(limitBytes)}`), [])).toMatchObject({
    progress: 'too-long',
    endedFirstLine: true,
  })
  expect(read(bytes('\r\n'.repeat(limitBytes)), [])).toMatchObject({ progress: 'too-long' })
  expect(read(bytes(`${'x'.repeat(limitBytes - 4)}\r\n\r\n`), [])).toMatchObject({ progress: 'complete' })
})

it('takes no empty line before an answer', () => {
  expect(read(bytes('\r\n'), [], false)).toMatchObject({ progress: 'partial', text: '\r\n' })
})

it('begins anew', () => {
  const reader = new HeadReader({ skipsEmptyLines: true, limitBytes })
  reader.read(bytes('a\r\n\r\n'), 0, 5)
  reader.reset(limitBytes)
  expect([reader.progress, reader.text, reader.endedFirstLine]).toEqual(['partial', '', false])
  expect(reader.read(bytes('b\r\n\r\nc'), 0, 6)).toBe(5)
  expect([reader.progress, reader.text]).toEqual(['complete', 'b\r\n\r\n'])
})

it('says the same however the bytes are cut', () => {
  const piece = fc.constantFrom('a', 'b: c', '\r\n', '\r\n\r\n', '\r', '\n', '\x80')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.array(fc.nat()), fc.boolean(), (pieces, cuts, skips) => {
      const all = bytes(pieces.join(''))
      expect(read(all, cuts, skips)).toEqual(read(all, [], skips))
    }),
    { numRuns: 500 },
  )
})
