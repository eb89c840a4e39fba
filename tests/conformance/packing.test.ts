import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chunkBytes } from '../../src/payload/chunk.ts'
import { FillThreads } from '../../src/payload/fill-threads.ts'
import { type PackOptions, packPayload } from '../../src/payload/pack.ts'
import { type TarEntry, tarEndBytes, tarHeaderBytes, tarMemberBytes, writeTarHeader } from '../../src/payload/tar.ts'
import { noise, type TestFiles, testEpoch, testTree } from '../support/payload.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const large = noise(chunkBytes.max * 3)

function options(files: TestFiles, more: Partial<PackOptions> = {}): PackOptions {
  const tree = testTree(tempFolder(), files)
  return { tree, name: 'app', version: '1.0.0', sourceDateEpoch: testEpoch, level: 1, recipe: {}, sinks: [], ...more }
}

/** Pack in this thread alone, or in so many threads. */
async function pack(packing: PackOptions, count: number) {
  const threads = new FillThreads()
  threads.start(count)
  try {
    return await packPayload({ ...packing, threads })
  } finally {
    await threads.close()
  }
}

describe('packing in threads', () => {
  it('makes what packing in one thread makes, whatever the number of threads and lanes', async () => {
    const names = fc.constantFrom('a', 'b', 'dir/c', 'dir/d', 'z/long.bin', 'z/zz')
    const sizes = fc.constantFrom(0, 1, 511, 512, 70_000, 3_000_000, large.byteLength, large.byteLength - 1_000_000)
    const trees = fc.dictionary(names, sizes, { minKeys: 1, maxKeys: 6 })
    const counts = fc.record({ threads: fc.integer({ min: 1, max: 3 }), lanes: fc.integer({ min: 1, max: 3 }) })
    await fc.assert(
      fc.asyncProperty(trees, counts, async (sizeByName, { threads, lanes }) => {
        const contents = Object.entries(sizeByName).map(([name, size]) => [name, large.subarray(0, size)] as const)
        const packing = options(Object.fromEntries(contents), { withMd5: true })
        expect(await pack({ ...packing, lanes }, threads)).toEqual(await pack({ ...packing, lanes: 1 }, 0))
      }),
      { numRuns: 4 },
    )
  })

  it('lets the threads serve one packing after the other', async () => {
    const threads = new FillThreads()
    threads.start(2)
    for (const files of [{ a: large }, { a: 'text' }, { 'b/c': large, d: large }]) {
      const packing = options(files)
      expect(await packPayload({ ...packing, threads })).toEqual(await pack(packing, 0))
    }
    await threads.close()
  })

  it('tells of a file that changed with code and path', async () => {
    const packing = options({ a: 'text', 'b/large': large })
    const source = packing.tree.entries.flatMap(entry =>
      entry.path === 'b/large' && 'source' in entry ? entry.source : [],
    )[0]!
    fs.truncateSync(source, large.byteLength - 1)
    const failure = await pack(packing, 2).catch(caught => caught)
    expect(failure).toMatchObject({ code: 'PAYLOAD_CHANGED', details: { path: source }, retryable: true })
    expect(failure.message).toContain('it shrank')
  })

  it.each([0, 2])('ends when its signal says so, with its reason (threads: %i)', async count => {
    const reason = new Error('enough')
    const abort = new AbortController()
    const sink = { segment: () => abort.abort(reason) }
    const files = Object.fromEntries(['a', 'b', 'c'].map(name => [name, large]))
    await expect(pack(options(files, { sinks: [sink], signal: abort.signal }), count)).rejects.toBe(reason)
  })

  it('ends with a sink’s error', async () => {
    const reason = new Error('enough')
    const sink = { segment: () => Promise.reject(reason) }
    await expect(pack(options({ a: large, b: large }, { sinks: [sink] }), 2)).rejects.toBe(reason)
  })
})

describe('packing with a segment cache', () => {
  const files = { 'a/small': 'text', 'a/text': 'x'.repeat(100_000), 'b/large': large, c: noise(1000) }
  const changed = Buffer.concat([large.subarray(0, 10_000_000), Buffer.from('new'), large.subarray(10_000_000)])
  const entries = (folder: string) =>
    fs.readdirSync(folder).map(name => `${name} ${fs.statSync(path.join(folder, name)).ino}`)

  it.each([0, 2])(
    'makes what packing without one makes, from nothing, from all and from parts (threads: %i)',
    async count => {
      const cache = { folder: path.join(tempFolder(), 'segments') }
      const packing = options(files, { withMd5: true })
      const expected = await pack(packing, 0)
      expect(await pack({ ...packing, cache }, count)).toEqual(expected)
      const kept = entries(cache.folder)
      expect(kept.length).toBe(expected.manifest.segments.length)
      expect(await pack({ ...packing, cache }, count)).toEqual(expected)
      expect(entries(cache.folder)).toEqual(kept)

      const next = options({ ...files, 'b/large': changed }, { withMd5: true })
      expect(await pack({ ...next, cache }, count)).toEqual(await pack(next, 0))
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

describe('a member of 8 GiB and more', () => {
  it.skipIf(!needTool('tar'))('is read by GNU tar, and what comes behind it', () => {
    const sizeBytes = 9 * 1024 ** 3 + 5
    const file = path.join(tempFolder(), 'large.tar')
    const members: readonly TarEntry[] = [
      { type: 'file', name: './large', mode: 0o644, sizeBytes },
      { type: 'file', name: `./${'behind'.repeat(30)}`, mode: 0o600, sizeBytes: 0 },
    ]
    const descriptor = fs.openSync(file, 'w')
    let at = 0
    for (const member of members) {
      const header = Buffer.alloc(tarHeaderBytes(member))
      writeTarHeader(header, 0, member, testEpoch)
      fs.writeSync(descriptor, header, 0, header.byteLength, at)
      at += tarMemberBytes(member)
    }
    // The content is a hole, which takes no room.
    fs.ftruncateSync(descriptor, at + tarEndBytes)
    fs.closeSync(descriptor)
    const listed = execFileSync('tar', ['--list', '--verbose', '--seek', '--file', file], { encoding: 'utf8' })
    expect(listed).toMatch(
      new RegExp(`^-rw-r--r-- root/root +${sizeBytes} .* \\./large\n-rw------- .* \\./(behind){30}\n$`),
    )
  })
})
