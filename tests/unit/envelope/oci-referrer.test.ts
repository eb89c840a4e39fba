import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/core/digest.ts'
import { addReferrer, referrer } from '../../../src/envelope/oci-referrer.ts'
import { makeImage, testEnvelopes } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

const subject = { mediaType: 'application/vnd.oci.image.index.v1+json', digest: digestOf('x'), sizeBytes: 1 }
const said = { artifactType: 'text/x-note', mediaType: 'text/plain', bytes: Buffer.from('note') }

it('refers to its subject with the empty configuration and its content', () => {
  const { manifest, blobs } = referrer({ subject, ...said, annotations: { a: 'b' } })
  expect(blobs.map(({ mediaType, bytes }) => [mediaType, Buffer.from(bytes).toString()])).toEqual([
    ['application/vnd.oci.empty.v1+json', '{}'],
    ['text/plain', 'note'],
  ])
  expect(JSON.parse(Buffer.from(manifest.bytes).toString())).toEqual({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'text/x-note',
    config: { mediaType: blobs[0]!.mediaType, digest: blobs[0]!.digest, size: 2 },
    layers: [{ mediaType: 'text/plain', digest: digestOf('note'), size: 4 }],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: 1 },
    annotations: { a: 'b' },
  })
  for (const { digest, sizeBytes, bytes } of [manifest, ...blobs]) {
    expect([digestOf(bytes), bytes.byteLength]).toEqual([digest, sizeBytes])
  }
})

it('is added to an image that stays as it is', async () => {
  const envelopes = await testEnvelopes(tempFolder(), { file: 'x' })
  const image = makeImage(envelopes)
  const { folder } = envelopes.imageOptions
  const index = fs.readFileSync(path.join(folder, 'index.json'))
  const more = addReferrer(folder, image, said)
  expect(fs.readFileSync(path.join(folder, 'index.json'))).toEqual(index)
  expect({ ...more, blobs: [] }).toEqual({ ...image, blobs: [] })
  expect(more.blobs.slice(0, image.blobs.length)).toEqual(image.blobs)
  // The empty configuration is there already, for the payload manifest.
  const expected = referrer({ ...said, subject: image })
  expect(more.blobs.slice(image.blobs.length).map(({ digest }) => digest)).toEqual([
    digestOf('note'),
    expected.manifest.digest,
  ])
  const names = fs.readdirSync(path.join(folder, 'blobs/sha256')).sort()
  expect([...more.blobs.map(({ digest }) => hexOf(digest)), hexOf(more.digest)].sort()).toEqual(names)
})
