import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { codecOf, openEncoder } from '../../../src/payload/codec.ts'
import { decodeSegment } from '../../../src/payload/decode.ts'
import type { Segment } from '../../../src/payload/manifest.ts'

async function segmentOf(name: 'zstd' | 'gzip', tar: Buffer): Promise<{ bytes: Buffer; segment: Segment }> {
  const encoder = await openEncoder(codecOf(name, 3))
  const bytes = Buffer.from(await encoder.encode(tar))
  encoder.close()
  const segment = {
    index: 7,
    offset: 0,
    sizeBytes: bytes.byteLength,
    digest: digestOf(bytes),
    tarOffset: 0,
    tarSizeBytes: tar.byteLength,
    tarDigest: digestOf(tar),
  }
  return { bytes, segment }
}

const invalid = expect.objectContaining({ code: 'SEGMENT_DECODE' })

describe.each(['zstd', 'gzip'] as const)('decodeSegment %s', name => {
  const codec = codecOf(name, 3)
  const tar = Buffer.from('a line that comes again and again\n'.repeat(50))

  it('gives back the tar', async () => {
    const { bytes, segment } = await segmentOf(name, tar)
    expect((await decodeSegment(codec, bytes, segment)).equals(tar)).toBe(true)
  })

  it('refuses a segment that is cut at any byte', async () => {
    const { bytes, segment } = await segmentOf(name, tar)
    for (let sizeBytes = 0; sizeBytes < bytes.byteLength; sizeBytes += 1) {
      await expect(decodeSegment(codec, bytes.subarray(0, sizeBytes), segment), `${sizeBytes}`).rejects.toEqual(invalid)
    }
  })

  it('refuses any change of a byte that changes the tar', async () => {
    const { bytes, segment } = await segmentOf(name, tar)
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = changed[at]! ^ 0x10
      const outcome = await decodeSegment(codec, changed, segment).catch(caught => caught)
      // gzip's header has bytes that say nothing of the content.
      if (Buffer.isBuffer(outcome)) expect(outcome.equals(tar), `byte ${at}`).toBe(true)
      else expect(outcome).toEqual(invalid)
    }
  })

  it('stops a bomb at the size that the manifest says', async () => {
    const { bytes, segment } = await segmentOf(name, Buffer.alloc(32 * 1024 * 1024))
    await expect(decodeSegment(codec, bytes, { ...segment, tarSizeBytes: 4096 })).rejects.toEqual(invalid)
  })
})
