import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type PrefixIdentity,
  parseIdentity,
  readIdentity,
  readIdentityIfExists,
  writeIdentity,
} from '../../../src/prefix/identity.ts'
import { prefixPaths } from '../../../src/prefix/layout.ts'
import { tempFolder } from '../../support/temp.ts'

const identity: PrefixIdentity = {
  schema: 1,
  layout: 1,
  application: 'notes',
  repository: 'https://example.org/vendor',
  environment: 'production',
  gateMode: 'proxy',
  variables: { PORT: '8080' },
}

describe('identity', () => {
  it('is read as it was written', () => {
    const paths = prefixPaths(tempFolder())
    expect(readIdentityIfExists(paths)).toBeUndefined()
    writeIdentity(paths, identity)
    expect(readIdentity(paths)).toEqual(identity)
  })

  it('is missing in a folder that is no prefix', () => {
    expect(() => readIdentity(prefixPaths('/nonexistent'))).toThrow(expect.objectContaining({ code: 'PREFIX_UNKNOWN' }))
  })

  it.each([
    ['schema', 2, 'DOCUMENT_NEWER'],
    ['layout', 2, 'DOCUMENT_NEWER'],
    ['schema', '1', 'DOCUMENT_INVALID'],
    ['application', '', 'DOCUMENT_INVALID'],
    ['repository', 7, 'DOCUMENT_INVALID'],
    ['environment', undefined, 'DOCUMENT_INVALID'],
    ['gateMode', 'both', 'DOCUMENT_INVALID'],
    ['variables', { PORT: 8080 }, 'DOCUMENT_INVALID'],
    ['variables', undefined, 'DOCUMENT_INVALID'],
  ])('is refused when %s is %j', (key, value, code) => {
    const text = JSON.stringify({ ...identity, [key]: value })
    expect(() => parseIdentity(text, 'prefix.json')).toThrow(expect.objectContaining({ code }))
  })

  it('cut at any length is refused with a code', () => {
    const text = JSON.stringify(identity)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.length - 1 }), length => {
        expect(() => parseIdentity(text.slice(0, length), 'prefix.json')).toThrow(
          expect.objectContaining({ code: 'DOCUMENT_INVALID' }),
        )
      }),
    )
  })
})
