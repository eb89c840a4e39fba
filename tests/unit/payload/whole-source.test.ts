import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { fallbackSource } from '../../../src/payload/fallback.ts'
import { parallelSource } from '../../../src/payload/parallel-source.ts'
import { PartFile } from '../../../src/payload/part-file.ts'
import { openSegmentSource, type SegmentSource } from '../../../src/payload/source.ts'
import { WholeFile } from '../../../src/payload/whole-file.ts'
import type { OpenOptions } from '../../../src/sys/http.ts'
import { MemoryPlace } from '../../support/memory-place.ts'
import { segmentedBytes } from '../../support/segments.ts'
import { tempFolder } from '../../support/temp.ts'

/* What is read of servers that send only the whole, by several at once, and kept for the next run. */

const { manifest, bytes, payloadOffset } = segmentedBytes([300_000, 400_000, 300_000, 500_000, 300_000])
let folder: string
let place: MemoryPlace

beforeEach(() => {
  folder = tempFolder()
  place = new MemoryPlace(bytes)
  place.behaviour.ignoresRanges = true
})

const wholeFile = () => new WholeFile({ folder, digest: digestOf(bytes), sizeBytes: bytes.byteLength })
const retryTools = { wait: async () => {}, random: () => 0 }
const open = (from: MemoryPlace, whole: WholeFile) =>
  openSegmentSource({ url: 'memory', open: from.open, payloadOffset, manifest, whole, retryTools })
const parallel = (source: SegmentSource) => parallelSource(source, { connections: 4, requestBytes: 1 })

async function read(source: SegmentSource, segments = manifest.segments): Promise<void> {
  const found: number[] = []
  for await (const { segment, bytes: content } of source.read(segments)) {
    expect(digestOf(content)).toBe(segment.digest)
    found.push(segment.index)
  }
  expect(found).toEqual(segments.map(({ index }) => index))
}

describe('a server that sends only the whole', () => {
  it('sends it once, however many read', async () => {
    const source = open(place, wholeFile())
    await read(parallel(source))
    await read(parallel(source))
    expect(place.requests.length).toBe(1)
    expect(source.fetchedBytes).toBeLessThanOrEqual(bytes.byteLength)
    expect([place.openAnswers, source.fetchedBytes]).toEqual([0, place.sentBytes])
  })

  it('is left as soon as all that is wanted is there', async () => {
    const source = open(place, wholeFile())
    await read(parallel(source), manifest.segments.slice(0, 1))
    expect(place.openAnswers).toBe(0)
    expect(source.fetchedBytes).toBeLessThan(bytes.byteLength / 2)
  })

  it('need not send what an earlier run has received', async () => {
    await read(parallel(open(place, wholeFile())))
    const next = open(place, wholeFile())
    await read(parallel(next))
    expect([next.fetchedBytes, place.requests.length]).toEqual([0, 1])
  })

  it('that broke off sends it again from the start, and nothing of what is there is believed unchecked', async () => {
    const half = bytes.byteLength >> 1
    const part = PartFile.open(folder, digestOf(bytes))
    part.write(0, Buffer.alloc(half))
    part.close()
    place.behaviour.breakAfterBytes = half
    place.behaviour.breaksLeft = 1
    const source = open(place, wholeFile())
    await read(parallel(source))
    expect(place.requests.length).toBe(2)
    expect(source.fetchedBytes).toBeLessThanOrEqual(half + bytes.byteLength)
  })

  it('is gone on with by range where that is offered after all', async () => {
    place.behaviour.breakAfterBytes = bytes.byteLength >> 1
    place.behaviour.breaksLeft = 1
    const source = openSegmentSource({
      url: 'memory',
      open: async options => {
        const opened = await place.open(options)
        place.behaviour.ignoresRanges = false
        return opened
      },
      ...{ payloadOffset, manifest, whole: wholeFile(), retryTools },
    })
    await read(parallel(source))
    expect(place.requests.length).toBe(2)
    expect(source.fetchedBytes).toBeLessThanOrEqual(bytes.byteLength)
  })

  it('that sends other bytes is left for the next, which sends all of it', async () => {
    const lying = new MemoryPlace(Buffer.from(bytes))
    const last = manifest.segments.at(-1)!
    lying.bytes[payloadOffset + last.offset + 10]! ^= 1
    lying.behaviour.ignoresRanges = true
    const whole = wholeFile()
    const failures: string[] = []
    const source = fallbackSource([open(lying, whole), open(place, whole)], {
      onFailure: (_, error) => failures.push(error.code),
    })
    await read(parallel(source))
    expect(failures).toEqual(['SEGMENT_DIGEST'])
    expect([lying.requests.length, place.requests.length]).toEqual([1, 1])
    expect([lying.openAnswers, place.openAnswers]).toEqual([0, 0])
  })

  it('is not read beyond the size of the file', async () => {
    place.bytes = Buffer.concat([bytes.subarray(0, -1), Buffer.alloc(2 ** 20)])
    const wanted = manifest.segments.slice(-1)
    const source = open(place, new WholeFile({ folder, digest: digestOf(bytes), sizeBytes: 1000 }))
    await expect(Array.fromAsync(parallel(source).read(wanted))).rejects.toMatchObject({ code: 'HTTP_TOO_LARGE' })
    expect(place.sentBytes).toBeLessThan(bytes.byteLength / 2)
  })
})

describe('a server with ranges', () => {
  beforeEach(() => {
    place.behaviour.ignoresRanges = false
  })

  it('is asked by one reader before it is asked by several', async () => {
    const begun = Promise.withResolvers<void>()
    const held = async (options: OpenOptions) => {
      const opened = await place.open(options)
      await begun.promise
      return opened
    }
    const source = openSegmentSource({ url: 'memory', open: held, payloadOffset, manifest, whole: wholeFile() })
    const reading = parallel(source).read(manifest.segments)[Symbol.asyncIterator]()
    const first = reading.next()
    await new Promise(resolve => setImmediate(resolve))
    expect(place.requests.length).toBe(1)
    begun.resolve()
    await first
    expect(place.requests.length).toBeGreaterThan(1)
    await reading.return?.()
    expect(place.openAnswers).toBe(0)
  })

  it('is asked for the rest of a segment when an answer broke off', async () => {
    place.behaviour.breakAfterBytes = 100_000
    place.behaviour.breaksLeft = 2
    const source = open(place, wholeFile())
    await read(source)
    const start = payloadOffset + manifest.segments[0]!.offset
    expect(place.requests.map(request => Number(request.split('-')[0]) - start)).toEqual([0, 100_000, 200_000])
    expect(source.fetchedBytes).toBe(manifest.segmentsSizeBytes)
  })

  it('that broke off is followed by the next from where it stopped', async () => {
    const other = new MemoryPlace(bytes)
    place.behaviour.breakAfterBytes = manifest.segments[0]!.sizeBytes + manifest.segments[1]!.sizeBytes
    place.behaviour.breaksLeft = 1000
    const whole = wholeFile()
    const first = openSegmentSource({ url: 'a', open: place.open, payloadOffset, manifest, whole, attempts: 1 })
    const source = fallbackSource([first, open(other, whole)])
    await read(source)
    expect(source.fetchedBytes).toBe(manifest.segmentsSizeBytes)
    const [start] = other.requests[0]!.split('-')
    expect(Number(start)).toBe(payloadOffset + manifest.segments[2]!.offset)
  })
})
