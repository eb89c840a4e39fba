import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chunkBytes } from '../../src/payload/chunk.ts'
import { type PackOptions, packPayload } from '../../src/payload/pack.ts'
import { noise, type TestFiles, testEpoch, testTree } from '../support/payload.ts'
import { tempFolder } from '../support/temp.ts'

const large = noise(chunkBytes.max * 3)

function options(files: TestFiles, more: Partial<PackOptions> = {}): PackOptions {
  const tree = testTree(tempFolder(), files)
  return { tree, name: 'app', version: '1.0.0', sourceDateEpoch: testEpoch, level: 1, recipe: {}, sinks: [], ...more }
}

const inline = { threads: 0, lanes: 1 }

describe('filling in threads', () => {
  it('makes what filling inline makes, whatever the number of threads and lanes', async () => {
    const names = fc.constantFrom('a', 'b', 'dir/c', 'dir/d', 'z/long.bin', 'z/zz')
    const sizes = fc.constantFrom(0, 1, 511, 512, 70_000, 3_000_000, large.byteLength, large.byteLength - 1_000_000)
    const trees = fc.dictionary(names, sizes, { minKeys: 1, maxKeys: 6 })
    const parallelism = fc.record({ threads: fc.integer({ min: 1, max: 3 }), lanes: fc.integer({ min: 1, max: 3 }) })
    await fc.assert(
      fc.asyncProperty(trees, parallelism, async (sizesByName, threads) => {
        const files = Object.fromEntries(
          Object.entries(sizesByName).map(([name, size]) => [name, large.subarray(0, size)]),
        )
        const packing = options(files, { withMd5: true })
        const a = await packPayload({ ...packing, parallelism: inline })
        const b = await packPayload({ ...packing, parallelism: threads })
        expect(b).toEqual(a)
      }),
      { numRuns: 4 },
    )
  })

  it('tells of a file that changed with code and path', async () => {
    const packing = options({ a: 'text', 'b/large': large }, { parallelism: { threads: 2, lanes: 1 } })
    const file = packing.tree.entries.find(entry => entry.path === 'b/large')
    const source = file?.type === 'file' ? file.source : ''
    fs.truncateSync(source, large.byteLength - 1)
    const failure = await packPayload(packing).catch(caught => caught)
    expect(failure).toMatchObject({ code: 'PAYLOAD_CHANGED', details: { path: source }, retryable: true })
    expect(failure.message).toContain('it shrank')
  })

  it('ends when its signal says so, with its reason', async () => {
    const reason = new Error('enough')
    const abort = new AbortController()
    const sink = { segment: () => abort.abort(reason) }
    const files = Object.fromEntries(['a', 'b', 'c'].map(name => [name, large]))
    for (const threads of [0, 2]) {
      const packing = options(files, { sinks: [sink], signal: abort.signal, parallelism: { threads, lanes: 1 } })
      await expect(packPayload(packing)).rejects.toBe(reason)
    }
  })

  it('ends with a sink’s error', async () => {
    const reason = new Error('enough')
    const sink = { segment: () => Promise.reject(reason) }
    const packing = options({ a: large, b: large }, { sinks: [sink], parallelism: { threads: 2, lanes: 2 } })
    await expect(packPayload(packing)).rejects.toBe(reason)
  })
})

describe('packing with a segment cache', () => {
  const files = { 'a/small': 'text', 'a/text': 'x'.repeat(100_000), 'b/large': large, c: noise(1000) }
  const changed = Buffer.concat([large.subarray(0, 10_000_000), Buffer.from('new'), large.subarray(10_000_000)])
  const entries = (folder: string) =>
    fs.readdirSync(folder).map(name => `${name} ${fs.statSync(path.join(folder, name)).ino}`)

  it.each([0, 2])(
    'makes what packing without one makes, from nothing, from all and from parts (threads: %i)',
    async threads => {
      const cache = { folder: path.join(tempFolder(), 'segments') }
      const parallelism = { threads, lanes: 1 }
      const packing = options(files, { withMd5: true })
      const expected = await packPayload({ ...packing, parallelism: inline })
      expect(await packPayload({ ...packing, cache, parallelism })).toEqual(expected)
      const kept = entries(cache.folder)
      expect(kept.length).toBe(expected.manifest.segments.length)
      expect(await packPayload({ ...packing, cache, parallelism })).toEqual(expected)
      expect(entries(cache.folder)).toEqual(kept)

      const next = options({ ...files, 'b/large': changed }, { withMd5: true })
      expect(await packPayload({ ...next, cache, parallelism })).toEqual(
        await packPayload({ ...next, parallelism: inline }),
      )
      expect(entries(cache.folder)).toEqual(expect.arrayContaining(kept))
      const newOnes = entries(cache.folder).length - kept.length
      expect(newOnes).toBeGreaterThan(0)
      expect(newOnes).toBeLessThan(expected.manifest.segments.length)
    },
  )

  it('writes a damaged entry anew', async () => {
    const cache = { folder: path.join(tempFolder(), 'segments') }
    const packing = options({ a: 'text' })
    const expected = await packPayload({ ...packing, cache })
    const file = path.join(cache.folder, fs.readdirSync(cache.folder)[0]!)
    const whole = fs.readFileSync(file)
    fs.truncateSync(file, whole.byteLength - 1)
    expect(await packPayload({ ...packing, cache })).toEqual(expected)
    expect(fs.readFileSync(file)).toEqual(whole)
  })
})
