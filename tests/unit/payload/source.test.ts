import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PayloadManifest, Segment } from '../../../src/payload/manifest.ts'
import { openSegmentSource, type SegmentSource } from '../../../src/payload/source.ts'
import { noise, type TestPayload, testPayload, testTree } from '../../support/payload.ts'
import { type RangeServer, rangeServer } from '../../support/range-server.ts'
import { tempFolder } from '../../support/temp.ts'

let payload: TestPayload
let manifest: PayloadManifest
let bytes: Buffer
let server: RangeServer

beforeAll(async () => {
  const folder = tempFolder()
  payload = await testPayload(folder, testTree(path.join(folder, 'tree'), { large: noise(22 * 1024 * 1024) }))
  manifest = payload.manifest
  bytes = fs.readFileSync(payload.file)
})

beforeEach(async () => {
  server = await rangeServer(bytes)
})

const withoutWaits = { wait: async () => {}, random: () => 0 }

function source(): SegmentSource {
  const { payloadOffset } = payload.artifact
  return openSegmentSource({ url: server.url, payloadOffset, manifest, retryTools: withoutWaits })
}

async function indexes(from: SegmentSource, segments: readonly Segment[], signal?: AbortSignal): Promise<number[]> {
  const found: number[] = []
  for await (const fetched of from.read(segments, signal)) {
    const start = payload.artifact.payloadOffset + fetched.segment.offset
    expect(bytes.subarray(start, start + fetched.segment.sizeBytes).equals(fetched.bytes)).toBe(true)
    found.push(fetched.segment.index)
  }
  return found
}

function pick(...wanted: number[]): Segment[] {
  return wanted.map(index => manifest.segments[index]!)
}

const code = (value: string) => expect.objectContaining({ code: value })

describe('openSegmentSource', () => {
  it('asks once for what is adjacent, and counts the bytes', async () => {
    const opened = source()
    expect(await indexes(opened, pick(1, 2, 4))).toEqual([1, 2, 4])
    expect(server.requests.length).toBe(2)
    expect(opened.fetchedBytes).toBe(pick(1, 2, 4).reduce((sum, segment) => sum + segment.sizeBytes, 0))
    expect(opened.describe()).toBe(server.url)
  })

  it('asks for nothing when nothing is wanted', async () => {
    expect(await indexes(source(), [])).toEqual([])
    expect(server.requests).toEqual([])
  })

  it('takes all it needs from one answer of a server without ranges', async () => {
    server.behaviour.ignoreRanges = true
    expect(await indexes(source(), pick(0, 2, 4))).toEqual([0, 2, 4])
    expect(server.requests).toEqual(['all'])
  })

  it('goes on where an answer broke off', async () => {
    server.behaviour.breakAfterBytes = manifest.segments[0]!.sizeBytes + 100
    server.behaviour.breaksLeft = 2
    expect(await indexes(source(), manifest.segments)).toEqual(manifest.segments.map(segment => segment.index))
    expect(server.requests.length).toBe(3)
  })

  it('gives up after three answers that broke off at the same place', async () => {
    server.behaviour.endAfterBytes = 0
    await expect(indexes(source(), pick(0))).rejects.toEqual(code('SEGMENT_SHORT'))
    expect(server.requests.length).toBe(3)
  })

  it('does not ask again for other bytes than were signed', async () => {
    const start = payload.artifact.payloadOffset + manifest.segments[1]!.offset
    const tampered = Buffer.from(bytes)
    tampered[start + 10] = tampered[start + 10]! ^ 1
    server = await rangeServer(tampered)
    await expect(indexes(source(), pick(1))).rejects.toEqual(code('SEGMENT_DIGEST'))
    expect(server.requests.length).toBe(1)
  })

  it('tells a file that is missing from one that cannot be had', async () => {
    server.behaviour.status = 404
    await expect(indexes(source(), pick(0))).rejects.toEqual(code('SEGMENT_MISSING'))
    server.behaviour.status = 500
    await expect(indexes(source(), pick(0))).rejects.toEqual(code('HTTP_FAILED'))
  })

  it('ends when it is told to', async () => {
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(indexes(source(), pick(0), aborted)).rejects.toThrow('enough')
    expect(server.requests).toEqual([])
  })

  it('lets go of the connection when the reader stops early', async () => {
    for await (const fetched of source().read(manifest.segments)) {
      expect(fetched.segment.index).toBe(0)
      break
    }
    expect(server.requests.length).toBe(1)
  })

  it('reads files', async () => {
    expect(await indexes(payload.source(), pick(0, 1, 3))).toEqual([0, 1, 3])
  })

  it('refuses a file that was cut', async () => {
    const file = path.join(tempFolder(), 'cut')
    fs.writeFileSync(file, bytes.subarray(0, bytes.byteLength - 100))
    const url = `file://${file}`
    const opened = openSegmentSource({ url, payloadOffset: payload.artifact.payloadOffset, manifest })
    await expect(indexes(opened, manifest.segments)).rejects.toEqual(code('SEGMENT_SHORT'))
  })
})
