import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { codecOf } from '../../../src/payload/codec.ts'
import { SegmentCache, type StoredSegment } from '../../../src/payload/segment-cache.ts'
import { noise } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const made = { codec: codecOf('zstd', 3), withMd5: true }
const tarDigest = digestOf('tar')

function stored(sizeBytes: number, seed = 1): StoredSegment {
  const bytes = noise(sizeBytes, seed)
  return {
    bytes,
    digest: digestOf(bytes),
    sums: { digests: [digestOf('a'), digestOf('b')], md5s: ['0'.repeat(32), 'f'.repeat(32)] },
  }
}

function inFolder(folder: string, maxBytes?: number): SegmentCache {
  return new SegmentCache({ folder, ...(maxBytes === undefined ? {} : { maxBytes }) }, made)
}

describe('SegmentCache', () => {
  it('gives back what was put into it, to whoever opens the folder', async () => {
    const folder = path.join(tempFolder(), 'made', 'when-needed')
    const key = inFolder(folder).key([tarDigest])
    expect(inFolder(folder).read(key, 2)).toBeUndefined()
    await inFolder(folder).write(key, stored(1000))
    expect(inFolder(folder).read(key, 2)).toEqual(stored(1000))
    expect(fs.statSync(folder).mode & 0o777).toBe(0o700)
    expect(fs.readdirSync(folder)).toEqual([key])
  })

  it('knows entries apart by all that decides about their bytes', () => {
    const folder = tempFolder()
    const others = [
      { ...made, withMd5: false },
      { ...made, codec: codecOf('zstd', 4) },
      { ...made, codec: codecOf('gzip', 3) },
      { ...made, codec: { ...made.codec, encoder: 'zstd 9.9.9' } },
    ]
    const cache = inFolder(folder)
    const keys = others.map(other => new SegmentCache({ folder }, other).key([tarDigest]))
    const all = [...keys, cache.key([tarDigest]), cache.key([tarDigest, tarDigest]), cache.key([digestOf('other')])]
    expect(new Set(all).size).toBe(all.length)
  })

  it('takes nothing that was damaged, wherever', async () => {
    const folder = tempFolder()
    const cache = inFolder(folder)
    const key = cache.key([tarDigest])
    const file = path.join(folder, key)
    await cache.write(key, stored(100))
    const whole = fs.readFileSync(file)
    for (let at = 0; at < whole.byteLength; at += 1) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0x20
      fs.writeFileSync(file, damaged)
      expect(cache.read(key, 2)).toBeUndefined()
      fs.writeFileSync(file, whole.subarray(0, at))
      expect(cache.read(key, 2)).toBeUndefined()
    }
    fs.writeFileSync(file, Buffer.concat([whole, Buffer.from('x')]))
    expect(cache.read(key, 2)).toBeUndefined()
    await cache.write(key, stored(100))
    expect(cache.read(key, 2)).toEqual(stored(100))
  })

  it('takes nothing of another form, though its digests are right', async () => {
    const folder = tempFolder()
    const cache = inFolder(folder)
    const key = cache.key([tarDigest])
    const put = (header: string, bytes: Uint8Array) =>
      fs.writeFileSync(path.join(folder, key), Buffer.concat([Buffer.from(`${digestOf(header)}\n${header}`), bytes]))
    fc.assert(
      fc.property(fc.json(), fc.uint8Array({ maxLength: 20 }), (json, bytes) => {
        put(`${json}\n`, bytes)
        expect(cache.read(key, 0)).toBeUndefined()
      }),
      { numRuns: 50 },
    )
    await cache.write(key, stored(10))
    expect(cache.read(key, 1)).toBeUndefined()
    expect(cache.read(key, 3)).toBeUndefined()
    put('no JSON\n', Buffer.alloc(0))
    expect(cache.read(key, 0)).toBeUndefined()
  })

  it('follows no link and reads no folder', async () => {
    const folder = tempFolder()
    const cache = inFolder(folder)
    await cache.write('elsewhere', stored(10))
    fs.symlinkSync('elsewhere', path.join(folder, 'link'))
    fs.mkdirSync(path.join(folder, 'folder'))
    expect(cache.read('elsewhere', 2)).toBeDefined()
    expect(cache.read('link', 2)).toBeUndefined()
    expect(cache.read('folder', 2)).toBeUndefined()
  })

  it('removes what was used longest ago when it holds too much', async () => {
    const folder = tempFolder()
    const cache = inFolder(folder, 35_000)
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) {
      await cache.write(name, stored(10_000, index + 1))
      fs.utimesSync(path.join(folder, name), 1000 + index, 1000 + index)
    }
    fs.writeFileSync(path.join(folder, 'x.tmp'), 'left by a writer that was killed')
    fs.utimesSync(path.join(folder, 'x.tmp'), 1, 1)
    expect(cache.read('a', 2)).toBeDefined()
    await cache.prune()
    expect(fs.readdirSync(folder).sort()).toEqual(['a', 'c', 'd'])
  })

  it('keeps nothing where it cannot write, and is no error', async () => {
    const file = path.join(tempFolder(), 'file')
    fs.writeFileSync(file, '')
    const cache = inFolder(file)
    await cache.write('key', stored(10))
    await cache.prune()
    expect(cache.read('key', 2)).toBeUndefined()
  })

  it('is used by several at once', async () => {
    const folder = tempFolder()
    const caches = Array.from({ length: 4 }, () => inFolder(folder))
    await Promise.all(caches.map(cache => cache.write('key', stored(200_000))))
    await Promise.all([caches[0]!.prune(), caches[1]!.write('key', stored(200_000)), caches[2]!.prune()])
    expect(caches[3]!.read('key', 2)).toEqual(stored(200_000))
    expect(fs.readdirSync(folder)).toEqual(['key'])
  })
})
