import { describe, expect, it } from 'vitest'
import { chunkBytes, chunkEnd } from '../../../src/payload/chunk.ts'
import { noise } from '../../support/payload.ts'

function cuts(bytes: Uint8Array): number[] {
  const ends: number[] = []
  for (let at = 0; at < bytes.byteLength; at = ends.at(-1)!) ends.push(chunkEnd(bytes, at, bytes.byteLength))
  return ends
}

describe('chunkEnd', () => {
  const bytes = noise(40 * 1024 * 1024)

  it('cuts between the smallest and the largest chunk, about 6 MiB on average', () => {
    const ends = cuts(bytes)
    const sizes = ends.map((end, index) => end - (ends[index - 1] ?? 0))
    expect(ends.at(-1)).toBe(bytes.byteLength)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(chunkBytes.max)
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(chunkBytes.min)
    expect(bytes.byteLength / sizes.length).toBeGreaterThan(5 * 1024 * 1024)
    expect(bytes.byteLength / sizes.length).toBeLessThan(7 * 1024 * 1024)
  })

  it('finds the same places again after an insertion', () => {
    const inserted = Buffer.concat([bytes.subarray(0, 100), Buffer.from('something new'), bytes.subarray(100)])
    const before = new Set(cuts(bytes))
    const after = cuts(inserted).map(end => end - 13)
    expect(after.filter(end => !before.has(end)).length).toBeLessThanOrEqual(3)
  })

  it('keeps its places for ever: another table would change every release', () => {
    expect(cuts(bytes).slice(0, 3)).toMatchInlineSnapshot(`
      [
        6391108,
        10792531,
        19181139,
      ]
    `)
  })

  it('cuts what has no places at the largest size, and takes a short end whole', () => {
    expect(cuts(Buffer.alloc(20 * 1024 * 1024))).toEqual([chunkBytes.max, 2 * chunkBytes.max, 20 * 1024 * 1024])
    expect(chunkEnd(Buffer.alloc(10), 3, 10)).toBe(10)
  })
})
