import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { renderLayout } from '../../../../src/repository/oci/layout.ts'
import { assertTagged } from '../../../../src/repository/oci/verify.ts'

const images = ['1.0.0', '1.1.0'].map(version => ({ version, digest: digestOf(version), sizeBytes: version.length }))
const index = renderLayout('notes', images).find(document => document.key === 'oci/notes/index.json')!

describe('renderLayout', () => {
  it('lists every image under its version', () => {
    expect(JSON.parse(index.bytes.toString()).manifests).toEqual([
      {
        mediaType: 'application/vnd.oci.image.index.v1+json',
        digest: digestOf('1.0.0'),
        size: 5,
        annotations: { 'org.opencontainers.image.ref.name': '1.0.0' },
      },
      expect.objectContaining({ digest: digestOf('1.1.0') }),
    ])
  })
})

describe('assertTagged', () => {
  it('finds the image of a version', () => {
    expect(() => assertTagged(index.bytes, 'notes', '1.1.0', digestOf('1.1.0'))).not.toThrow()
  })

  it.each([
    ['another image', index.bytes, '1.1.0'],
    ['a version that is not there', index.bytes, '1.2.0'],
    ['no JSON', Buffer.from('{'), '1.0.0'],
    ['null', Buffer.from('null'), '1.0.0'],
    ['no list', Buffer.from('{"manifests":{}}'), '1.0.0'],
    ['a list of nothing', Buffer.from('{"manifests":[null]}'), '1.0.0'],
  ])('refuses %s', (_, bytes, version) => {
    expect(() => assertTagged(bytes, 'notes', version, digestOf('expected'))).toThrow(
      expect.objectContaining({ code: 'TRUST_MISMATCH' }),
    )
  })
})
