import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { ReleaseError } from '../../../src/core/error.ts'
import { fallbackSource } from '../../../src/payload/fallback.ts'
import type { Segment } from '../../../src/payload/manifest.ts'
import type { SegmentSource } from '../../../src/payload/source.ts'

const segments: Segment[] = [0, 1, 2, 3].map(index => ({
  index,
  offset: index,
  sizeBytes: 1,
  digest: digestOf(''),
  tarOffset: index,
  tarSizeBytes: 1,
  tarDigest: digestOf(''),
}))

/** A source that fails at one segment. */
function source(
  name: string,
  failsAt?: number,
  error: Error = new ReleaseError('SEGMENT_DIGEST', 'wrong'),
): SegmentSource {
  let fetchedBytes = 0
  return {
    describe: () => name,
    get fetchedBytes() {
      return fetchedBytes
    },
    async *read(wanted) {
      for (const segment of wanted) {
        if (segment.index === failsAt) throw error
        fetchedBytes += 1
        yield { segment, bytes: Buffer.from(name) }
      }
    },
  }
}

async function read(from: SegmentSource, wanted = segments): Promise<string> {
  let names = ''
  for await (const fetched of from.read(wanted)) names += fetched.bytes.toString()
  return names
}

describe('fallbackSource', () => {
  it('takes what the first source fails to give from the next, and never asks the first again', async () => {
    const failures: string[] = []
    const from = fallbackSource([source('a', 2), source('b'), source('c')], {
      onFailure: failed => failures.push(failed.describe()),
    })
    expect(await read(from)).toBe('aabb')
    expect(await read(from, segments.slice(0, 1))).toBe('b')
    expect(failures).toEqual(['a'])
    expect(from.fetchedBytes).toBe(5)
    expect(from.describe()).toBe('a, else b, else c')
  })

  it('fails with the error of the last source', async () => {
    const last = new ReleaseError('SEGMENT_MISSING', 'gone')
    const broken = new ReleaseError('HTTP_FAILED', 'broken off')
    await expect(read(fallbackSource([source('a', 0, broken), source('b', 1, last)]))).rejects.toBe(last)
  })

  it('fails with what cannot be trusted rather than with what is missing', async () => {
    const wrong = new ReleaseError('SEGMENT_DIGEST', 'wrong')
    const last = new ReleaseError('SEGMENT_MISSING', 'gone')
    await expect(read(fallbackSource([source('a', 0, wrong), source('b', 1, last)]))).rejects.toBe(wrong)
  })

  it('does not hide a defect behind another source', async () => {
    await expect(read(fallbackSource([source('a', 0, new TypeError('defect')), source('b')]))).rejects.toThrow(
      TypeError,
    )
  })
})
