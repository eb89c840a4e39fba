import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { dictionaryBytes, pieceBytes } from '../../src/payload/delta/format.ts'
import { openDelta } from '../../src/payload/delta/open.ts'
import { applied, type TestDelta, testDelta } from '../support/delta.ts'
import { noise } from '../support/payload.ts'

async function deltaOf(old: Uint8Array, next: Buffer): Promise<TestDelta> {
  const made = await testDelta({ large: old }, { large: next })
  const { folder } = await applied(made, made.file)
  expect(fs.readFileSync(path.join(folder, 'large')).equals(next)).toBe(true)
  return made
}

describe('a delta pack of a large file', () => {
  const old = noise(dictionaryBytes + pieceBytes)
  // The encoder's tables do not hold every place of a dictionary: a block or two may be missed.
  const mostBytes = pieceBytes / 16

  it('finds content where it was moved to', async () => {
    const inserted = noise(5000, 2)
    const next = Buffer.concat([inserted, old.subarray(-1.5 * pieceBytes), old.subarray(0, pieceBytes / 2)])
    const { bytes, manifest } = await deltaOf(old, next)
    expect(openDelta(bytes, manifest).index.pieces).toHaveLength(3)
    expect(bytes.byteLength).toBeLessThan(mostBytes)
  })

  it('finds what a piece has from places that lie far apart', async () => {
    const next = Buffer.concat([old.subarray(-pieceBytes / 2), old.subarray(0, pieceBytes / 2)])
    expect((await deltaOf(old, next)).bytes.byteLength).toBeLessThan(mostBytes)
  })

  it('is made when the file was empty, or becomes so', async () => {
    const large = Buffer.alloc(pieceBytes + 1, 'x')
    await deltaOf(Buffer.alloc(0), large)
    await deltaOf(large, Buffer.alloc(0))
  })
})
