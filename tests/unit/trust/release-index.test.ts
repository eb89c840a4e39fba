import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  nearVersions,
  newestOffered,
  parseChannelDocument,
  parseReleaseIndex,
} from '../../../src/trust/release-index.ts'

const digest = `sha256:${'0'.repeat(64)}`
const stored = { sizeBytes: 1, digest }
const release = {
  version: '1.0.0',
  commit: 'a'.repeat(40),
  sourceDateEpoch: 1,
  snapshot: false,
  record: stored,
  debs: [{ package: 'notes', version: '1.0.0-1', architecture: 'all' }],
  images: [{ ...stored, referrers: [{ ...stored, artifactType: 'text/plain' }] }],
  python: [{ ...stored, name: 'notes-1.0.0.tar.gz', project: 'notes' }],
}
const index = { schema: 1, application: 'notes', releases: [release], channels: { stable: ['1.0.0'] } }
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value))
const parsed = (value: unknown) => parseReleaseIndex(bytesOf(value), 'notes')

describe('parseReleaseIndex', () => {
  it('sorts by precedence whatever the order in the file', () => {
    const releases = ['1.10.0', '1.9.0', '1.10.0-rc.1'].map(version => ({ ...release, version }))
    const { releases: sorted } = parsed({ ...index, releases, channels: {} })
    expect(sorted.map(({ version }) => version)).toEqual(['1.9.0', '1.10.0-rc.1', '1.10.0'])
  })

  const refused: readonly (readonly [string, unknown])[] = [
    ['another application', { ...index, application: 'other' }],
    ['no list', { ...index, releases: {} }],
    ['an entry that is no object', { ...index, releases: [null] }],
    ['a version twice', { ...index, releases: [release, release] }],
    ['a channel that lists what is not there', { ...index, channels: { stable: ['2.0.0'] } }],
    ['a channel that is no name', { ...index, channels: { '../stable': [] } }],
    ['no channels', { ...index, channels: undefined }],
    ['a default channel that is no name', { ...index, defaultChannel: '' }],
    ...Object.entries({
      'a version with a path': { version: '../1.0.0' },
      'a commit that is none': { commit: 'HEAD' },
      'a time that is none': { sourceDateEpoch: 1.5 },
      'no snapshot flag': { snapshot: 'false' },
      'no record': { record: undefined },
      'a record without a digest': { record: { sizeBytes: 1, digest: 'sha256:0' } },
      'a withdrawal without a reason': { yanked: { atMs: 1 } },
      'a package without an architecture': { debs: [{ package: 'notes', version: '1' }] },
      'an image without referrers': { images: [stored] },
      'a Python file without a project': { python: [{ ...stored, name: 'notes.whl' }] },
      'a provenance without a name': { provenance: stored },
    }).map(([what, changed]) => [what, { ...index, releases: [{ ...release, ...changed }] }] as const),
  ]
  it.each(refused)('refuses %s', (_, value) => {
    expect(() => parsed(value)).toThrow(expect.objectContaining({ code: 'DOCUMENT_INVALID' }))
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

describe('newestOffered', () => {
  const listed = (version: string, yanked?: { reason: string; atMs: number }) => ({
    ...release,
    version,
    ...(yanked === undefined ? {} : { yanked }),
  })
  const offering = parsed({
    ...index,
    releases: [
      listed('1.0.0'),
      listed('1.1.0'),
      listed('1.2.0', { reason: 'loses drafts', atMs: 1 }),
      listed('2.0.0-rc.1'),
    ],
    channels: { stable: ['1.0.0', '1.1.0', '1.2.0'], edge: ['2.0.0-rc.1'] },
  })

  it('is the newest of a channel that was not withdrawn', () => {
    expect(newestOffered(offering, 'stable')?.version).toBe('1.1.0')
    expect(newestOffered(offering, 'edge')?.version).toBe('2.0.0-rc.1')
  })

  it('leaves out what is to be avoided, and may then be nothing', () => {
    expect(newestOffered(offering, 'stable', new Set(['1.1.0']))?.version).toBe('1.0.0')
    expect(newestOffered(offering, 'edge', new Set(['2.0.0-rc.1']))).toBeUndefined()
    expect(newestOffered(offering, 'beta')).toBeUndefined()
  })
})

describe('parseChannelDocument', () => {
  const key = `targets/notes/1.0.0/${'0'.repeat(64)}.release.json`
  const document = {
    schema: 1,
    application: 'notes',
    channel: 'stable',
    release: { version: '1.0.0', record: { key, ...stored } },
  }
  const parsedChannel = (value: unknown) => parseChannelDocument(bytesOf(value), 'notes', 'stable')

  it('reads what is offered, and that nothing is', () => {
    expect(parsedChannel(document)).toEqual(document)
    const { release: _, ...empty } = document
    expect(parsedChannel(empty)).toEqual(empty)
  })

  it.each([
    ['another channel', { channel: 'edge' }],
    ['another application', { application: 'weave' }],
    ['a key that leads elsewhere', { release: { version: '1.0.0', record: { key: '../../etc/passwd', ...stored } } }],
    ['a version that is none', { release: { ...document.release, version: 'newest' } }],
  ])('refuses %s', (_, changed) => {
    expect(() => parsedChannel({ ...document, ...changed })).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_INVALID' }),
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
