import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { parseReleaseRecord, type ReleaseRecord, recordBytes } from '../../../src/payload/release-record.ts'

const digest = digestOf('x')
const base = { sizeBytes: 5, digest, mediaType: 'application/octet-stream' }

const record: ReleaseRecord = {
  schema: 1,
  name: 'app',
  version: '1.2.0-rc.1',
  summary: 'An application',
  licence: 'Apache-2.0',
  maintainer: 'Ada <ada@example.org>',
  commit: 'a'.repeat(40),
  tree: 'b'.repeat(64),
  tag: 'v1.2.0-rc.1',
  sourceDateEpoch: 1,
  toolVersion: '0.1.0',
  recipeDigest: digest,
  changes: '',
  components: [
    {
      name: 'app',
      artifacts: [
        { kind: 'tarball', name: 'app.tar.zst', payloadOffset: 6, ...base },
        {
          kind: 'deb',
          name: 'app.deb',
          payloadOffset: 900,
          package: 'app',
          debianVersion: '1.2.0~rc.1-1',
          architecture: 'all',
          control: 'Package: app\n',
          ...base,
        },
        { kind: 'oci', name: 'app.oci', blobs: [{ ...base, sameAs: 'app.tar.zst' }], ...base },
        { kind: 'manifest', name: 'app.manifest.json.zst', ...base },
        { kind: 'python', name: 'app.whl', project: 'app', ...base },
      ],
    },
  ],
}

const invalid = expect.objectContaining({ code: 'RECORD_INVALID' })

describe('parseReleaseRecord', () => {
  it('reads what was written', () => {
    expect(parseReleaseRecord(recordBytes(record))).toEqual(record)
  })

  it('refuses a record that is cut at any byte', () => {
    const bytes = recordBytes(record)
    // The last byte is a line break.
    for (let sizeBytes = 0; sizeBytes < bytes.byteLength - 1; sizeBytes += 1) {
      expect(() => parseReleaseRecord(bytes.subarray(0, sizeBytes)), `${sizeBytes}`).toThrow(invalid)
    }
  })

  const artifact = record.components[0]!.artifacts[0]!
  it.each([
    ['a name with a folder', { ...artifact, name: '../app.tar.zst' }],
    ['an unknown kind', { ...artifact, kind: 'rpm' }],
    ['a tarball without offset', { ...artifact, payloadOffset: undefined }],
    ['a digest of another form', { ...artifact, digest: 'sha256:12' }],
    ['a package without control', { ...artifact, kind: 'deb' }],
    ['an image without blobs', { ...artifact, kind: 'oci' }],
    ['a blob without digest', { ...artifact, kind: 'oci', blobs: [{ sizeBytes: 1, mediaType: '' }] }],
  ])('refuses %s', (_, wrong) => {
    const bytes = JSON.stringify({ ...record, components: [{ name: 'app', artifacts: [wrong] }] })
    expect(() => parseReleaseRecord(Buffer.from(bytes))).toThrow(invalid)
  })

  it('refuses two artifacts of one name, and what is newer', () => {
    const twice = { ...record, components: [{ name: 'app', artifacts: [artifact, artifact] }] }
    expect(() => parseReleaseRecord(Buffer.from(JSON.stringify(twice)))).toThrow(invalid)
    const newer = Buffer.from(JSON.stringify({ ...record, schema: 2 }))
    expect(() => parseReleaseRecord(newer)).toThrow(expect.objectContaining({ code: 'DOCUMENT_NEWER' }))
  })

  it('throws nothing but its own error at any JSON', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        expect(() => parseReleaseRecord(Buffer.from(text))).toThrow(invalid)
      }),
    )
  })
})
