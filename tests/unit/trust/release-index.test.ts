import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nearVersions, parseReleaseIndex } from '../../../src/trust/release-index.ts'

const release = { version: '1.0.0', commit: 'a'.repeat(40), sourceDateEpoch: 1, snapshot: false }
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value))

describe('parseReleaseIndex', () => {
  it('sorts by precedence whatever the order in the file', () => {
    const releases = ['1.10.0', '1.9.0', '1.10.0-rc.1'].map(version => ({ ...release, version }))
    const index = parseReleaseIndex(bytesOf({ schema: 1, application: 'notes', releases }), 'notes')
    expect(index.releases.map(({ version }) => version)).toEqual(['1.9.0', '1.10.0-rc.1', '1.10.0'])
  })

  it.each([
    ['another application', { schema: 1, application: 'other', releases: [] }],
    ['no list', { schema: 1, application: 'notes', releases: {} }],
    ['an entry that is no object', { schema: 1, application: 'notes', releases: [null] }],
    ['a version with a path', { schema: 1, application: 'notes', releases: [{ ...release, version: '../1.0.0' }] }],
    ['a commit that is none', { schema: 1, application: 'notes', releases: [{ ...release, commit: 'HEAD' }] }],
    ['a time that is none', { schema: 1, application: 'notes', releases: [{ ...release, sourceDateEpoch: 1.5 }] }],
    ['no snapshot flag', { schema: 1, application: 'notes', releases: [{ ...release, snapshot: 'false' }] }],
  ])('refuses %s', (_, value) => {
    expect(() => parseReleaseIndex(bytesOf(value), 'notes')).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_INVALID' }),
    )
  })

  it('tells a newer schema from a broken one', () => {
    const newer = bytesOf({ schema: 2, application: 'notes' })
    expect(() => parseReleaseIndex(newer, 'notes')).toThrow(expect.objectContaining({ code: 'DOCUMENT_NEWER' }))
  })

  it('never throws anything without a code', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        try {
          parseReleaseIndex(Buffer.from(text), 'notes')
        } catch (caught) {
          expect(caught).toHaveProperty('code')
        }
      }),
    )
  })
})

describe('nearVersions', () => {
  const versions = ['1.0.0', '1.1.0', '1.2.0', '2.0.0', '2.1.0', '3.0.0']

  it.each([
    ['1.1.5', ['1.0.0', '1.1.0', '1.2.0', '2.0.0']],
    ['0.1.0', ['1.0.0', '1.1.0', '1.2.0', '2.0.0']],
    ['9.0.0', ['1.2.0', '2.0.0', '2.1.0', '3.0.0']],
    ['latest', ['1.2.0', '2.0.0', '2.1.0', '3.0.0']],
  ])('finds those around %s', (missing, expected) => {
    expect(nearVersions(versions, missing, 4)).toEqual(expected)
  })

  it('gives all there are when there are few', () => {
    expect(nearVersions(['1.0.0'], '2.0.0', 4)).toEqual(['1.0.0'])
  })
})
