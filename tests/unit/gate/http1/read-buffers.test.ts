import { expect, it } from 'vitest'
import { LargeBuffers, ReadBuffer } from '../../../../src/gate/http1/read-buffers.ts'

it('gives a connection that reads much a large buffer, and the next one the same again', () => {
  const large = new LargeBuffers()
  const [first, second] = [new ReadBuffer(large), new ReadBuffer(large)]
  const small = first.present
  first.grow()
  const grown = first.present
  expect(grown.length).toBeGreaterThan(small.length)
  first.grow()
  expect(first.present).toBe(grown)
  first.shrink()
  expect(first.present).toBe(small)
  second.grow()
  expect(second.present).toBe(grown)
})

it('gives nobody a buffer that may still be needed', () => {
  const large = new LargeBuffers()
  const first = new ReadBuffer(large)
  first.grow()
  const grown = first.present
  first.abandon()
  const second = new ReadBuffer(large)
  second.grow()
  expect(second.present).not.toBe(grown)
})

it('has so many large ones and no more, which others get once they are given back or lost', () => {
  const large = new LargeBuffers()
  const all = Array.from({ length: 100 }, () => new ReadBuffer(large))
  for (const buffer of all) buffer.grow()
  const sizes = new Set(all.map(({ present }) => present.length))
  const [most, few] = [Math.max(...sizes), Math.min(...sizes)]
  expect(all.filter(({ present }) => present.length === most)).toHaveLength(32)
  expect(most * 32).toBeLessThanOrEqual(16 * 1024 * 1024)
  const late = all.at(-1)!
  all[0]!.shrink()
  late.grow()
  expect(late.present.length).toBe(most)
  const last = all.at(-2)!
  all[1]!.abandon()
  last.grow()
  expect([last.present.length, few]).toEqual([most, 65_536])
})
