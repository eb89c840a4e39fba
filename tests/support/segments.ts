import { digestOf } from '../../src/core/digest.ts'
import type { PayloadManifest, Segment } from '../../src/payload/manifest.ts'
import { noise, testEpoch } from './payload.ts'

/** Bytes that are cut into segments like an envelope, and no real payload: for what fetches them and looks into none. */
export interface SegmentedBytes {
  readonly manifest: PayloadManifest
  readonly bytes: Buffer
  readonly payloadOffset: number
}

/** Make an envelope of segments of these sizes, with something before and behind them. */
export function segmentedBytes(sizes: readonly number[]): SegmentedBytes {
  const payloadOffset = 100
  const segmentsSizeBytes = sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0)
  const bytes = noise(payloadOffset + segmentsSizeBytes + 50)
  let offset = 0
  const segments = sizes.map((sizeBytes, index): Segment => {
    const content = bytes.subarray(payloadOffset + offset, payloadOffset + offset + sizeBytes)
    const digest = digestOf(content)
    const segment = { index, offset, sizeBytes, digest, tarOffset: offset, tarSizeBytes: sizeBytes, tarDigest: digest }
    offset += sizeBytes
    return segment
  })
  const manifest: PayloadManifest = {
    schema: 1,
    name: 'app',
    version: '1.0.0',
    sourceDateEpoch: testEpoch,
    root: 'opt/app',
    codec: { name: 'zstd', level: 3, encoder: 'zstd 1.5.7' },
    segmentsSizeBytes,
    tar: { sizeBytes: segmentsSizeBytes, digest: digestOf(bytes) },
    segments,
    files: [],
    recipe: {},
  }
  return { manifest, bytes, payloadOffset }
}
