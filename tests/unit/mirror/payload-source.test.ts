import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { Mirror } from '../../../src/mirror/mirror.ts'
import { openPayload } from '../../../src/mirror/payload-source.ts'
import { Places } from '../../../src/mirror/places.ts'
import type { Artifact } from '../../../src/payload/release-record.ts'
import type { SegmentSource } from '../../../src/payload/source.ts'
import { codeOf } from '../../support/codes.ts'
import { MemoryPlace } from '../../support/memory-place.ts'
import { segmentedBytes } from '../../support/segments.ts'
import { tempFolder } from '../../support/temp.ts'
import { recordOf } from '../../support/wanted.ts'

const { manifest, bytes, payloadOffset } = segmentedBytes([100_000, 100_000, 100_000, 100_000])
/** The same segments in another envelope, elsewhere in it. */
const debOffset = payloadOffset + 1000
const debBytes = Buffer.concat([Buffer.alloc(1000), bytes])

const described = (name: string, content: Buffer) => ({
  name,
  mediaType: 'application/octet-stream',
  sizeBytes: content.byteLength,
  digest: digestOf(content),
})
const tarball: Artifact = { kind: 'tarball', payloadOffset, ...described('app.tar.zst', bytes) }
const deb: Artifact = {
  kind: 'deb',
  payloadOffset: debOffset,
  ...described('app_1.0.0_all.deb', debBytes),
  package: 'app',
  debianVersion: '1.0.0',
  architecture: 'all',
  control: '',
}

/** A place that has these kinds of artifacts, each by one name or more. */
function placeOf(name: string, has: Readonly<Partial<Record<Artifact['kind'], readonly MemoryPlace[]>>>): Mirror {
  return {
    name,
    locate: ({ artifact: { kind } }) =>
      (has[kind] ?? []).map(({ open }, at) => ({ name: `${name}/${kind}/${at}`, isLocal: false, open })),
  }
}

function open(mirrors: readonly [...Mirror[], Mirror], artifacts = [tarball, deb]) {
  const told: string[] = []
  const places = new Places({ mirrors, retryTools: { wait: async () => {}, random: () => 0 } })
  const record = recordOf(artifacts)
  const source = openPayload(places, {
    record,
    component: record.components[0]!,
    manifest,
    cacheFolder: tempFolder(),
    onFailure: (place, { code }) => told.push(`${place} ${code}`),
  })
  return { source, told, places }
}

async function read(source: SegmentSource): Promise<void> {
  const found: string[] = []
  for await (const { bytes: content } of source.read(manifest.segments)) found.push(digestOf(content))
  expect(found).toEqual(manifest.segments.map(({ digest }) => digest))
}

const whole = () => new MemoryPlace(bytes)
const missing = () => {
  const place = whole()
  place.behaviour.isMissing = true
  return place
}

describe('openPayload', () => {
  it('reads any envelope that a place has, at its own offset', async () => {
    const { source, told, places } = open([placeOf('apt', { deb: [new MemoryPlace(debBytes)] }), placeOf('repo', {})])
    await read(source)
    expect([told, source.fetchedBytes, places.fetchedBytes]).toEqual([[], 400_000, 400_000])
    expect(source.describe()).toBe('apt')
  })

  it('asks one place for all that it has before the next, and tells of names that nothing has only at the last', async () => {
    const { source, told } = open([
      placeOf('mirror', { tarball: [missing(), missing()], deb: [missing()] }),
      placeOf('repository', { tarball: [missing(), whole()] }),
    ])
    await read(source)
    expect(told).toEqual(['mirror/tarball/1 SEGMENT_MISSING', 'mirror/deb/0 SEGMENT_MISSING'])
  })

  it('asks a place that lied for nothing else', async () => {
    const lying = new MemoryPlace(Buffer.alloc(bytes.byteLength))
    const other = new MemoryPlace(debBytes)
    const { source, told, places } = open([
      placeOf('mirror', { tarball: [lying], deb: [other] }),
      placeOf('repository', { tarball: [whole()] }),
    ])
    await read(source)
    expect([told, other.requests]).toEqual([['mirror/tarball/0 SEGMENT_DIGEST'], []])
    expect(source.describe()).toBe('mirror and repository')
    expect(places.fetchedBytes).toBe(source.fetchedBytes)
    expect(source.fetchedBytes).toBeGreaterThan(400_000)
  })

  it('asks no place that lied about something else', async () => {
    const lying = whole()
    const mirror = placeOf('mirror', { tarball: [lying] })
    const { source, places, told } = open([mirror, placeOf('repository', { tarball: [whole()] })])
    const [location] = places.locate([{ record: recordOf([tarball]), component: 'app', artifact: tarball }])
    const { ReleaseError } = await import('../../../src/core/error.ts')
    places.note(location!.mirror, new ReleaseError('SEGMENT_DIGEST', 'a manifest'))
    await read(source)
    expect([lying.requests, told]).toEqual([[], []])
  })

  it('needs an envelope in the record', () => {
    expect(codeOf(() => open([placeOf('repository', {})], []))).toBe('RECORD_INVALID')
  })
})
