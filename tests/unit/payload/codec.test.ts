import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { codecOf, frameEnd, frameHeader, loneFrame, openEncoder } from '../../../src/payload/codec.ts'
import { openLanes } from '../../../src/payload/encode.ts'
import { noise } from '../../support/payload.ts'

const text = (seed: number, sizeBytes: number) =>
  Buffer.from(Array.from(noise(sizeBytes / 4, seed), byte => `${byte % 16} `).join('')).subarray(0, sizeBytes)

const parts = [text(1, 100_000), noise(50_000, 2), text(3, 300_000), Buffer.alloc(70_000), text(1, 100_000), text(4, 1)]

describe.each(['zstd', 'gzip'] as const)('codec %s', name => {
  const codec = codecOf(name, 3)
  const decode = (bytes: Uint8Array) => (name === 'zstd' ? zlib.zstdDecompressSync(bytes) : zlib.gunzipSync(bytes))

  it('makes segments that decode alone and, between header and end, as one', async () => {
    const encoder = await openEncoder(codec)
    const segments: Buffer[] = []
    for (const part of parts) segments.push(await encoder.encode(part))
    encoder.close()
    for (const [index, segment] of segments.entries()) {
      expect(decode(loneFrame(codec, segment)).equals(parts[index]!)).toBe(true)
    }
    const whole = decode(Buffer.concat([frameHeader(name), ...segments, frameEnd(codec)]))
    expect(whole.equals(Buffer.concat([...parts, Buffer.alloc(1024)]))).toBe(true)
  })

  it('gives a segment the same bytes whatever was compressed before it, in whichever lane', async () => {
    const encoder = await openEncoder(codec)
    const alone = await encoder.encode(parts[2]!)
    encoder.close()
    const lanes = await openLanes(codec)
    const encoded = await Promise.all([...parts, ...parts].map(part => lanes.encode(part)))
    lanes.close()
    expect(encoded[2]!.equals(alone)).toBe(true)
    expect(encoded[parts.length + 2]!.equals(alone)).toBe(true)
    expect(encoded[4]!.equals(encoded[0]!)).toBe(true)
  })

  it('names the library that made it', () => {
    expect(codec.encoder).toMatch(name === 'zstd' ? /^zstd \d+\.\d+\.\d+$/ : /^zlib \d/)
  })
})

it('asks for no larger window than every decoder has, at any level', async () => {
  for (const level of [1, 19]) {
    const encoder = await openEncoder(codecOf('zstd', level))
    const segment = await encoder.encode(parts[2]!)
    encoder.close()
    const frame = loneFrame(codecOf('zstd', level), segment)
    const decoded = zlib.zstdDecompressSync(frame, { params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 } })
    expect(decoded.equals(parts[2]!)).toBe(true)
  }
})

it('keeps gzip to its levels', () => {
  expect(codecOf('gzip', 19).level).toBe(9)
})
