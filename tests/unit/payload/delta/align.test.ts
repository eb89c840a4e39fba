import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { alignPieces } from '../../../../src/payload/delta/align.ts'
import { dictionaryBytes, pieceBytes } from '../../../../src/payload/delta/format.ts'
import { noise } from '../../../support/payload.ts'
import { tempFolder } from '../../../support/temp.ts'

const old = noise(dictionaryBytes + 2 * pieceBytes)

async function align(next: Buffer, base: Buffer = old) {
  const folder = tempFolder()
  const store = (name: string, content: Buffer) => {
    const file = path.join(folder, name)
    fs.writeFileSync(file, content)
    return { file, sizeBytes: content.byteLength }
  }
  return alignPieces(store('old', base), store('next', next))
}

describe('alignPieces', () => {
  it('finds pieces that were moved about', async () => {
    // From the end to the front, the front to the end, and something new between them that shifts what follows.
    const moved = [old.subarray(3 * pieceBytes), noise(777, 2), old.subarray(0, pieceBytes)]
    const regions = await align(Buffer.concat(moved))
    expect(regions.map(ofPiece => ofPiece.length)).toEqual([1, 1, 1])
    expect([regions[0]![0]!.offset, regions[1]![0]!.offset]).toEqual([2 * pieceBytes, 0])
    // The last piece is the end of the front, 777 bytes.
    expect(regions[2]![0]!.offset).toBeLessThan(pieceBytes - 777)
    expect(regions.flat().every(({ sizeBytes }) => sizeBytes === dictionaryBytes)).toBe(true)
  })

  it('takes two regions where a piece comes from places that lie far apart', async () => {
    const half = pieceBytes / 2
    const [regions] = await align(Buffer.concat([old.subarray(-half), old.subarray(0, half)]))
    const sizeBytes = dictionaryBytes / 2
    expect(regions).toEqual([
      { offset: 0, sizeBytes },
      { offset: old.byteLength - sizeBytes, sizeBytes },
    ])
  })

  it('goes on where the piece before it ended when nothing of a piece is found', async () => {
    const regions = await align(Buffer.concat([old.subarray(0, 2 * pieceBytes), noise(pieceBytes, 3)]))
    expect(Math.abs(regions[2]![0]!.offset + dictionaryBytes / 2 - 2.5 * pieceBytes)).toBeLessThan(pieceBytes / 8)
  })

  it('is not led astray by content that is there many times', async () => {
    const stripe = noise(64 * 1024, 4)
    const striped = Buffer.concat([...Array.from({ length: 96 }, () => stripe), old])
    const regions = await align(Buffer.concat([stripe, stripe, old.subarray(2 * pieceBytes, 3 * pieceBytes)]), striped)
    const inStriped = 96 * stripe.byteLength + 2 * pieceBytes
    const [region] = regions[0]!
    expect(region!.offset).toBeLessThanOrEqual(inStriped)
    expect(region!.offset + dictionaryBytes).toBeGreaterThanOrEqual(inStriped + pieceBytes - 2 * stripe.byteLength)
  })
})
