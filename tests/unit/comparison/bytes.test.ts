import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ByteDifference,
  firstDifference,
  firstDifferenceIn,
  placeOf,
  showWindow,
} from '../../../src/comparison/bytes.ts'

/** A content in pieces that end at the given places. */
async function* pieces(bytes: Uint8Array, ends: readonly number[] = []): AsyncGenerator<Uint8Array> {
  let start = 0
  for (const end of [...ends.toSorted((a, b) => a - b), bytes.byteLength]) {
    yield bytes.subarray(start, end)
    start = Math.min(end, bytes.byteLength)
  }
}

function inTexts(released: string, rebuilt: string): ByteDifference {
  return firstDifferenceIn(Buffer.from(released), Buffer.from(rebuilt))!
}

describe('the first difference', () => {
  it('is the same however the contents are cut into pieces, and is where the bytes say', async () => {
    const start = fc.uint8Array({ maxLength: 600 })
    const rest = fc.uint8Array({ maxLength: 40 })
    const ends = fc.array(fc.nat(640), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(start, rest, rest, ends, ends, async (common, a, b, endsA, endsB) => {
        const [released, rebuilt] = [Buffer.concat([common, a]), Buffer.concat([common, b])]
        const found = await firstDifference(pieces(released, endsA), pieces(rebuilt, endsB))
        const whole = firstDifferenceIn(released, rebuilt)
        expect(found?.offset).toBe(whole?.offset)
        expect(found?.line).toBe(whole?.line)
        if (found === undefined) {
          expect(released.equals(rebuilt)).toBe(true)
          return
        }
        const { offset } = found
        expect(released.subarray(0, offset).equals(rebuilt.subarray(0, offset))).toBe(true)
        expect(released[offset]).not.toBe(rebuilt[offset])
        expect(found.released.bytes[found.released.at]).toBe(released[offset])
        expect(found.rebuilt.bytes[found.rebuilt.at]).toBe(rebuilt[offset])
      }),
    )
  })

  it('is found behind blocks that are equal', async () => {
    const released = Buffer.alloc(1_000_000, 'x')
    const rebuilt = Buffer.from(released)
    rebuilt[777_777] = 0
    expect((await firstDifference(pieces(released, [5, 400_000]), pieces(rebuilt, [4096])))?.offset).toBe(777_777)
  })

  it('has a line in a text and none in other content', () => {
    expect(placeOf(inTexts('a\nb\nc', 'a\nb\nd'))).toBe('line 3, byte 4')
    expect(placeOf(inTexts('a\0\nc', 'a\0\nd'))).toBe('byte 3')
    expect(placeOf(inTexts('same', 'same and \u0001'))).toBe('byte 4')
  })

  it('shows text in its line, else bytes', () => {
    expect(showWindow(inTexts('first\nversion 1.2\nlast', 'first\nversion 1.3\nlast').released)).toBe('"version 1.2"')
    expect(showWindow(inTexts('x', 'x\n').rebuilt)).toBe('"x\\n"')
    expect(showWindow(inTexts('x', 'x\n').released)).toBe('ends')
    expect(showWindow(inTexts('\0\u0001\u0002', '\0\u0001\u0003\u00ff').rebuilt)).toBe('03 c3 bf')
    expect(showWindow(inTexts('\nab', 'xab').released)).toBe('"\\n"')
  })
})
