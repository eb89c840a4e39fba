import { describe, expect, it } from 'vitest'
import { stableJson } from '../../../src/core/canonical-json.ts'
import { assertSettings, descriptionBytes, parseDescription } from '../../../src/repository/description.ts'
import { codeOf } from '../../support/codes.ts'
import { description } from '../../support/made-site.ts'

const parse = (changes: object) => parseDescription(Buffer.from(stableJson({ ...description, ...changes })), '/srv/www')

describe('parseDescription', () => {
  it('reads what was written', () => {
    expect(parseDescription(descriptionBytes(description), '/srv/www')).toEqual(description)
  })

  it('says what of it cannot be read', () => {
    expect(() => parse({ channels: 'stable' })).toThrow(/repository\.json in \/srv\/www cannot be read: .*channels/)
    expect(codeOf(() => parse({ channels: 'stable' }))).toBe('REPOSITORY_DAMAGED')
    expect(codeOf(() => parseDescription(Buffer.from('null'), '/srv/www'))).toBe('REPOSITORY_DAMAGED')
  })

  it('knows one of a newer version from a damaged one', () => {
    expect(codeOf(() => parse({ schema: 2 }))).toBe('DOCUMENT_NEWER')
  })
})

describe('assertSettings', () => {
  it.each([
    'not a url',
    'javascript:alert(1)',
    's3://bucket/releases',
    'https://x.example/a b',
    'https://x.example/\nSigned-By: nobody',
    'https://x.example/?key=1',
    'https://x.example/#top',
    '',
  ])('refuses the address %j, which no client can be told', url => {
    expect(codeOf(() => assertSettings({ ...description, url }))).toBe('USAGE')
  })

  it('shows no password of an address', () => {
    const refuse = () => assertSettings({ ...description, url: 'https://ada:secret@x.example/' })
    expect(refuse).toThrow(/not an address/)
    expect(refuse).not.toThrow(/secret/)
  })
})
