import fc from 'fast-check'
import { expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { PayloadManifest } from '../../../src/payload/manifest.ts'
import type { OfferedDelta } from '../../../src/prefix/file-change.ts'
import type { LocalRelease } from '../../../src/prefix/local-release.ts'
import { planSegments, planStaging, type StagingPlan } from '../../../src/prefix/staging-plan.ts'

/** Contents by path; a content's number is its size in chunks of a hundred bytes, each of which is a segment when there are several. */
type Contents = Readonly<Record<string, number>>

const chunkBytes = 100

/** A manifest whose segments are one for each chunk of a file. Only what a plan looks at is true of it. */
function manifestOf(contents: Contents): PayloadManifest {
  const segments: PayloadManifest['segments'][number][] = []
  const files: PayloadManifest['files'][number][] = []
  let tarOffset = 0
  for (const [path, size] of Object.entries(contents).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const firstSegment = segments.length
    const start = tarOffset + 10
    for (let chunk = 0; chunk < Math.max(1, size); chunk += 1) {
      const tarSizeBytes = chunkBytes + (chunk === 0 ? 10 : 0)
      const tarDigest = digestOf(chunk === 0 ? `${path} ${size}` : `chunk ${chunk}`)
      segments.push({
        index: segments.length,
        offset: segments.length * 50,
        sizeBytes: 50,
        digest: tarDigest,
        tarOffset,
        tarSizeBytes,
        tarDigest,
      })
      tarOffset += tarSizeBytes
    }
    files.push({
      type: 'file',
      path,
      mode: 0o644,
      sizeBytes: Math.max(1, size) * chunkBytes,
      digest: digestOf(`content ${size}`),
      tarOffset: start,
      firstSegment,
      lastSegment: segments.length - 1,
    })
  }
  return { segments, files, segmentsSizeBytes: segments.length * 50 } as unknown as PayloadManifest
}

function local(version: string, contents: Contents): LocalRelease {
  return { version, root: `/${version}`, manifest: manifestOf(contents), manifestDigest: digestOf(version) }
}

function delta(fromVersion: string, sizeBytes: number): OfferedDelta {
  const fetch = () => Promise.reject(new Error('a plan fetches nothing'))
  return { fromVersion, fromManifest: digestOf(fromVersion), sizeBytes, digest: digestOf('delta'), fetch }
}

const contents = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 0, max: 5 }), {
  minKeys: 1,
  noNullPrototype: true,
})
const sources = fc.record({
  next: contents,
  locals: fc.array(contents, { maxLength: 3 }),
  deltas: fc.array(fc.record({ from: fc.integer({ min: 0, max: 3 }), sizeBytes: fc.integer({ min: 1, max: 400 }) })),
  without: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')),
})

function planOf({
  next,
  locals,
  deltas,
  without,
}: typeof sources extends fc.Arbitrary<infer T> ? T : never): StagingPlan {
  return planStaging(
    {
      manifest: manifestOf(next),
      locals: locals.map((each, index) => local(`1.0.${index}`, each)),
      deltas: deltas.map(({ from, sizeBytes }) => delta(`1.0.${from}`, sizeBytes)),
    },
    new Set(without),
  )
}

it('gives each file exactly one way, and fetches no more than everything', () => {
  fc.assert(
    fc.property(sources, given => {
      const plan = planOf(given)
      const paths = [...plan.reused.map(({ file }) => file), ...plan.patched, ...plan.written].map(file => file.path)
      expect(paths.toSorted()).toEqual(Object.keys(given.next).toSorted())
      expect(plan.reused.map(({ file }) => file.path).filter(path => new Set<string>(given.without).has(path))).toEqual(
        [],
      )
      const { figures } = plan
      expect(figures.fetchBytes).toBe(figures.deltaBytes + figures.segmentBytes)
      expect(figures.segmentBytes).toBe(plan.segments.length * 50)
      expect(figures.fetchBytes).toBeLessThanOrEqual(figures.wholeBytes)
      expect(figures.reusedFiles + figures.patchedFiles + figures.writtenFiles).toBe(figures.files)
    }),
  )
})

it('fetches least: no delta pack that is offered would have been less, nor segments alone', () => {
  fc.assert(
    fc.property(sources, given => {
      const { figures, reused } = planOf(given)
      const ways = [[], ...given.deltas.map(each => [each])].map(deltas => planOf({ ...given, deltas }))
      expect(figures.fetchBytes).toBe(Math.min(...ways.map(way => way.figures.fetchBytes)))
      expect(ways.every(way => way.reused.length === reused.length)).toBe(true)
    }),
  )
})

it('writes from segments that are fetched or here, whatever is still missing', () => {
  fc.assert(
    fc.property(sources, given => {
      const { written, segments, localSegments } = planOf(given)
      const needed = written.flatMap(({ firstSegment, lastSegment }) =>
        Array.from({ length: lastSegment - firstSegment + 1 }, (_, index) => firstSegment + index),
      )
      const found = [...segments.map(({ index }) => index), ...localSegments.keys()]
      expect(found.toSorted((a, b) => a - b)).toEqual(needed.toSorted((a, b) => a - b))
    }),
  )
})

it('takes a delta pack only where it starts from what is here', () => {
  const manifest = manifestOf({ a: 5 })
  const here = local('1.0.0', { a: 4 })
  expect(planStaging({ manifest, locals: [here], deltas: [delta('1.0.0', 10)] }).delta?.local).toBe(here)
  const other = { ...delta('1.0.0', 10), fromManifest: digestOf('another 1.0.0') }
  expect(planStaging({ manifest, locals: [here], deltas: [other] }).delta).toBe(undefined)
  const unread = { ...here, manifest: undefined, manifestDigest: undefined }
  expect(planStaging({ manifest, locals: [unread], deltas: [delta('1.0.0', 10)] }).delta).toBe(undefined)
})

it('brings from segments what a delta pack does not, because it was to be here', () => {
  const sources = {
    manifest: manifestOf({ kept: 3, changed: 5 }),
    locals: [local('1.0.0', { kept: 3, changed: 4 })],
    deltas: [delta('1.0.0', 10)],
  }
  const plan = planStaging(sources, new Set(['kept']))
  expect(plan.patched.map(file => file.path)).toEqual(['changed'])
  expect(plan.written.map(file => file.path)).toEqual(['kept'])
})

it('takes the chunks between the first and the last of a large file from where they are', () => {
  const sources = { manifest: manifestOf({ large: 5 }), locals: [local('1.0.0', { other: 4 })], deltas: [] }
  const { segments, localSegments, written } = planStaging(sources)
  expect(segments.map(({ index }) => index)).toEqual([0, 4])
  expect(localSegments.get(2)).toEqual({ file: '/1.0.0/other', offset: 200, sizeBytes: 100 })
  expect(planSegments(sources, written)).toMatchObject({ segments, localSegments })
})
