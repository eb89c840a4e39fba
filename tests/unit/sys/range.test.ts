import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRange } from '../../../src/sys/range.ts'

describe('parseRange', () => {
  it.each([
    ['bytes=0-9', { start: 0, end: 10 }],
    ['bytes=90-', { start: 90, end: 100 }],
    ['bytes=90-1000', { start: 90, end: 100 }],
    ['bytes=-10', { start: 90, end: 100 }],
    ['bytes=-1000', { start: 0, end: 100 }],
    ['bytes=99-99', { start: 99, end: 100 }],
  ])('reads %s of 100 bytes', (header, expected) => {
    expect(parseRange(header, 100)).toEqual(expected)
  })

  it.each(['bytes=100-', 'bytes=-0', 'bytes=200-300'])('cannot satisfy %s of 100 bytes', header => {
    expect(parseRange(header, 100)).toBe('unsatisfiable')
  })

  it.each([undefined, '', 'bytes=', 'bytes=-', 'bytes=9-0', 'bytes=0-1,5-6', 'lines=0-1', 'bytes=a-b', 'bytes=0x1-2'])(
    'ignores %s',
    header => {
      expect(parseRange(header, 100)).toBeUndefined()
    },
  )

  it('never leaves the content', () => {
    const header = fc.tuple(fc.option(fc.nat()), fc.option(fc.nat())).map(([a, b]) => `bytes=${a ?? ''}-${b ?? ''}`)
    fc.assert(
      fc.property(header, fc.nat(10_000), (text, sizeBytes) => {
        const range = parseRange(text, sizeBytes)
        if (range === undefined || range === 'unsatisfiable') return
        expect(range.start).toBeGreaterThanOrEqual(0)
        expect(range.start).toBeLessThan(range.end)
        expect(range.end).toBeLessThanOrEqual(sizeBytes)
      }),
    )
  })
})
