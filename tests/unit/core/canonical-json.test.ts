import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, stableJson } from '../../../src/core/canonical-json.ts'

describe('canonicalJson', () => {
  it('sorts keys at every depth and leaves out what is undefined', () => {
    expect(canonicalJson({ b: [{ z: 1, a: undefined, y: null }], a: 'x' })).toBe('{"a":"x","b":[{"y":null,"z":1}]}')
  })

  it('keeps the order of lists', () => {
    expect(canonicalJson([3, 1, 2])).toBe('[3,1,2]')
  })

  it('writes what has a toJSON by it', () => {
    expect(canonicalJson({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
  })

  it('keeps every JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        expect(JSON.parse(canonicalJson(value))).toEqual(normal(value))
      }),
    )
  })

  it('spells equal values equally, whatever the order of their keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), value => {
        const turned = Object.fromEntries(Object.entries(value).toReversed())
        expect(canonicalJson(turned)).toBe(canonicalJson(value))
      }),
    )
  })
})

describe('stableJson', () => {
  it('is indented and ends in a newline', () => {
    expect(stableJson({ b: 1, a: [] })).toBe('{\n  "a": [],\n  "b": 1\n}\n')
  })
})

/** What JSON itself keeps of a value: no -0. */
function normal(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
