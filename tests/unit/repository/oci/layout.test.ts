import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { renderLayout } from '../../../../src/repository/oci/layout.ts'
import { assertTagged } from '../../../../src/repository/oci/verify.ts'
import type { ListedRelease, ReleaseIndex } from '../../../../src/trust/layout.ts'

const sbom = { digest: digestOf('sbom'), sizeBytes: 4, artifactType: 'application/vnd.cyclonedx+json' }
const image = (version: string) => ({ digest: digestOf(version), sizeBytes: version.length, referrers: [] })
const release = (version: string, parts: Partial<ListedRelease> = {}): ListedRelease => ({
  version,
  commit: 'a'.repeat(40),
  sourceDateEpoch: 0,
  snapshot: false,
  record: { sizeBytes: 1, digest: digestOf(`record of ${version}`) },
  debs: [],
  images: [image(version)],
  python: [],
  ...parts,
})
const notes: ReleaseIndex = {
  schema: 1,
  application: 'notes',
  releases: [
    release('1.0.0', { images: [{ ...image('1.0.0'), referrers: [sbom] }] }),
    release('1.1.0', { yanked: { reason: 'loses notes', atMs: 0 } }),
    release('2.0.0+rebuilt'),
    release('3.0.0', { images: [] }),
  ],
  channels: { stable: ['1.0.0', '1.1.0'], beta: ['1.0.0', '1.1.0', '2.0.0+rebuilt'], edge: ['3.0.0'] },
}

const indexOf = (index: ReleaseIndex) =>
  renderLayout(index).find(document => document.key === 'oci/notes/index.json')!.bytes
const manifestsOf = (index: ReleaseIndex) =>
  JSON.parse(indexOf(index).toString()).manifests as { annotations?: Record<string, string>; digest: string }[]
const tagsOf = (index: ReleaseIndex) =>
  Object.fromEntries(
    manifestsOf(index).flatMap(({ annotations, digest }) =>
      annotations === undefined ? [] : [[annotations['org.opencontainers.image.ref.name'], digest]],
    ),
  )

describe('renderLayout', () => {
  it('lists every image under its version, a withdrawn one, too', () => {
    expect(manifestsOf(notes)[0]).toEqual({
      mediaType: 'application/vnd.oci.image.index.v1+json',
      digest: digestOf('1.0.0'),
      size: 5,
      annotations: { 'org.opencontainers.image.ref.name': '1.0.0' },
    })
    expect(tagsOf(notes)).toMatchObject({ '1.1.0': digestOf('1.1.0'), '2.0.0_rebuilt': digestOf('2.0.0+rebuilt') })
  })

  it('lists what each channel offers, and nothing for one whose head has no image', () => {
    expect(tagsOf(notes)).toMatchObject({ stable: digestOf('1.0.0'), beta: digestOf('2.0.0+rebuilt') })
    expect(tagsOf(notes)).not.toHaveProperty('edge')
  })

  it('lists what refers to images without a tag', () => {
    expect(manifestsOf(notes).at(-1)).toEqual({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: sbom.digest,
      size: 4,
      artifactType: sbom.artifactType,
    })
  })

  it('comes to nothing without an image', () => {
    expect(renderLayout({ ...notes, releases: [release('3.0.0', { images: [] })] })).toEqual([])
  })

  it('does not depend on the order in which channels were made', () => {
    const { stable = [], beta = [], edge = [] } = notes.channels
    expect(indexOf({ ...notes, channels: { edge, stable, beta } })).toEqual(indexOf(notes))
  })
})

describe('assertTagged', () => {
  it.each(['1.1.0', '2.0.0+rebuilt'])('finds the image of version %s', version => {
    expect(() => assertTagged(indexOf(notes), 'notes', version, digestOf(version))).not.toThrow()
  })

  it.each([
    ['another image', indexOf(notes), '1.1.0'],
    ['a version that is not there', indexOf(notes), '1.2.0'],
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
