import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { ReleaseError } from '../../../src/core/error.ts'
import { fetchDocument, fetchFile } from '../../../src/mirror/fetch-artifact.ts'
import type { Mirror } from '../../../src/mirror/mirror.ts'
import { Places } from '../../../src/mirror/places.ts'
import { PartFile } from '../../../src/payload/part-file.ts'
import { MemoryPlace } from '../../support/memory-place.ts'
import { noise } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'
import { manifestOf, wantedOf } from '../../support/wanted.ts'

const bytes = noise(1_000_000)
const wanted = wantedOf(manifestOf(bytes))
const { signal } = new AbortController()
let folder: string
let mirror: MemoryPlace
let repository: MemoryPlace
let told: string[]
let places: Places

const mirrorOf = (name: string, { open }: MemoryPlace): Mirror => ({
  name,
  locate: () => [{ name, isLocal: false, open }],
})

beforeEach(() => {
  folder = tempFolder()
  mirror = new MemoryPlace(bytes)
  repository = new MemoryPlace(bytes)
  told = []
  places = placesOf()
})

function placesOf(): Places {
  return new Places({
    mirrors: [mirrorOf('mirror', mirror), mirrorOf('repository', repository)],
    onFailure: (place, { code }) => told.push(`${place} ${code}`),
    retryTools: { wait: async () => {}, random: () => 0 },
  })
}

const changed = () => {
  const other = Buffer.from(bytes)
  other[500_000]! ^= 1
  return other
}
const part = (content: Buffer) => {
  const file = PartFile.open(path.join(folder, 'cache'), digestOf(bytes))
  file.write(0, content)
  file.close()
}
const fetchInto = (name: string, from = places) =>
  fetchFile(from, wanted, { file: path.join(folder, name), cacheFolder: path.join(folder, 'cache'), signal })
const isThere = (name: string) => fs.readFileSync(path.join(folder, name)).equals(bytes)

describe('fetchDocument', () => {
  it('takes it from the first place that has it as it was signed', async () => {
    mirror.bytes = changed()
    expect(bytes.equals(await fetchDocument(places, wanted))).toBe(true)
    expect(told).toEqual(['mirror SEGMENT_DIGEST'])
    expect(places.fetchedBytes).toBe(2 * bytes.byteLength)
  })

  it('asks again where an answer broke off', async () => {
    mirror.behaviour.breakAfterBytes = 10
    mirror.behaviour.breaksLeft = 2
    expect(bytes.equals(await fetchDocument(places, wanted))).toBe(true)
    expect([told, mirror.requests.length]).toEqual([[], 3])
  })

  it.each([
    ['never ends', { isEndless: true }, 'HTTP_TOO_LARGE'],
    ['is not there', { isMissing: true }, 'SEGMENT_MISSING'],
    ['breaks off each time', { breakAfterBytes: 10, breaksLeft: 100 }, 'HTTP_FAILED'],
    ['is refused', { failure: new ReleaseError('HTTP_FAILED', 'no', { details: { status: 403 } }) }, 'HTTP_FAILED'],
  ])('goes to the next place where it %s', async (_, behaviour, code) => {
    Object.assign(mirror.behaviour, behaviour)
    expect(bytes.equals(await fetchDocument(places, wanted))).toBe(true)
    expect(told).toEqual([`mirror ${code}`])
    expect([mirror.openAnswers, repository.openAnswers]).toEqual([0, 0])
  })

  it('is short where a place ends it early', async () => {
    mirror.bytes = repository.bytes = bytes.subarray(0, 10)
    await expect(fetchDocument(places, wanted)).rejects.toMatchObject({ code: 'SEGMENT_SHORT' })
  })
})

describe('fetchFile', () => {
  it('fetches once, and the next time has it', async () => {
    await fetchInto('a')
    await fetchInto('b')
    expect([isThere('a'), isThere('b')]).toEqual([true, true])
    expect([places.fetchedBytes, mirror.requests]).toEqual([bytes.byteLength, [`0-${bytes.byteLength}`]])
  })

  it('goes on where an earlier run stopped', async () => {
    part(bytes.subarray(0, 400_000))
    await fetchInto('a')
    expect([isThere('a'), mirror.requests]).toEqual([true, [`400000-${bytes.byteLength}`]])
    expect(places.fetchedBytes).toBe(600_000)
  })

  it('goes on at the next place where the first one broke off for good', async () => {
    mirror.behaviour.breakAfterBytes = 100_000
    mirror.behaviour.breaksLeft = 100
    await fetchInto('a')
    expect([isThere('a'), told]).toEqual([true, ['mirror HTTP_FAILED']])
    expect(places.fetchedBytes).toBe(bytes.byteLength)
  })

  it('takes the whole from a server without ranges', async () => {
    part(bytes.subarray(0, 400_000))
    mirror.behaviour.ignoresRanges = true
    await fetchInto('a')
    expect([isThere('a'), places.fetchedBytes]).toEqual([true, bytes.byteLength])
  })

  it('blames no place for what an earlier run left', async () => {
    part(Buffer.alloc(400_000))
    await fetchInto('a')
    expect([isThere('a'), told]).toEqual([true, []])
    expect(mirror.requests).toEqual([`400000-${bytes.byteLength}`, `0-${bytes.byteLength}`])
  })

  it.each([
    ['longer', Buffer.concat([bytes, Buffer.alloc(10)])],
    ['another of the same size', Buffer.alloc(bytes.byteLength)],
  ])('begins anew where an earlier run left a file that is %s', async (_, content) => {
    part(content)
    await fetchInto('a')
    expect([isThere('a'), told]).toEqual([true, []])
  })

  it('blames a place that sends other bytes, and leaves nothing of it', async () => {
    mirror.bytes = changed()
    await fetchInto('a')
    expect([isThere('a'), told]).toEqual([true, ['mirror SEGMENT_DIGEST']])
    repository.bytes = changed()
    fs.rmSync(path.join(folder, 'cache'), { recursive: true })
    await expect(fetchInto('b', placesOf())).rejects.toMatchObject({ code: 'SEGMENT_DIGEST' })
    expect(fs.existsSync(path.join(folder, 'b'))).toBe(false)
  })

  it('is not sent more than its size', async () => {
    mirror.behaviour.isEndless = true
    await fetchInto('a')
    expect([isThere('a'), told]).toEqual([true, ['mirror HTTP_TOO_LARGE']])
  })
})
