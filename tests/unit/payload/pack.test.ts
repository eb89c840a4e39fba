import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { Tree } from '../../../src/core/tree.ts'
import { decodeSegment } from '../../../src/payload/decode.ts'
import { type PackOptions, packPayload } from '../../../src/payload/pack.ts'
import type { SegmentSink } from '../../../src/payload/sink.ts'
import { TarReader } from '../../../src/payload/tar-reader.ts'
import { noise, type TestPayload, testEpoch, testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const files = {
  'bin/run.sh': '#!/bin/sh\necho hello\n',
  'empty/nothing': '',
  'empty/folder': null,
  'lib/large.bin': noise(10 * 1024 * 1024),
  'lib/text': 'some text\n'.repeat(1000),
  [`${'long-name-'.repeat(12)}/${'x'.repeat(150)}`]: 'long',
  'lib/exact': noise(512, 9),
  current: { link: 'lib/text' },
  'bin/link': { link: `../${'long-name-'.repeat(12)}/${'x'.repeat(150)}` },
}

async function tarOf({ manifest, source }: TestPayload): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const { segment, bytes } of source().read(manifest.segments)) {
    pieces.push(await decodeSegment(manifest.codec, bytes, segment))
  }
  return Buffer.concat([...pieces, Buffer.alloc(1024)])
}

function pack(tree: Tree, options: Partial<PackOptions> = {}) {
  return packPayload({
    tree,
    name: 'app',
    version: '1.0.0',
    sourceDateEpoch: testEpoch,
    level: 3,
    recipe: {},
    sinks: [],
    ...options,
  })
}

describe('packPayload', () => {
  it('makes a tar of all entries, and a manifest that says where each is', async () => {
    const folder = tempFolder()
    const tree = testTree(path.join(folder, 'tree'), files)
    const payload = await testPayload(folder, tree)
    const tar = await tarOf(payload)
    expect(tar.byteLength).toBe(payload.manifest.tar.sizeBytes)
    expect(digestOf(tar)).toBe(payload.manifest.tar.digest)
    const found: string[] = []
    const reader = new TarReader({ member: entry => found.push(entry.name), content: () => {} })
    reader.push(tar)
    reader.finish()
    const paths = tree.entries.map(entry => `./opt/app/${entry.path}${entry.type === 'directory' ? '/' : ''}`)
    expect(found).toEqual(['./', './opt/', './opt/app/', ...paths])
    for (const file of payload.manifest.files) {
      if (file.type !== 'file') continue
      const content = tar.subarray(file.tarOffset, file.tarOffset + file.sizeBytes)
      expect(content.equals(Buffer.from(files[file.path as keyof typeof files] as string))).toBe(true)
      expect(file.digest).toBe(digestOf(content))
    }
  })

  it('cuts a large file into several segments and small files into few', async () => {
    const folder = tempFolder()
    const { manifest } = await testPayload(folder, testTree(path.join(folder, 'tree'), files))
    const large = manifest.files.find(file => file.path === 'lib/large.bin')
    expect(large?.type === 'file' && large.lastSegment - large.firstSegment).toBeGreaterThanOrEqual(1)
    expect(manifest.segments.length).toBeLessThan(10)
  })

  it('makes the same bytes from another folder, with other times and another order of creation', async () => {
    const first = tempFolder()
    const second = tempFolder()
    const reversed = Object.fromEntries(Object.entries(files).reverse())
    const tree = testTree(path.join(second, 'elsewhere'), reversed)
    for (const entry of tree.entries) if (entry.type === 'file') fs.utimesSync(entry.source, 1, 1)
    const a = await testPayload(first, testTree(path.join(first, 'tree'), files))
    const b = await testPayload(second, tree)
    expect(b.artifact.digest).toBe(a.artifact.digest)
    expect(b.manifest).toEqual(a.manifest)
  })

  it('keeps the segments of files that did not change', async () => {
    const first = tempFolder()
    const second = tempFolder()
    const a = await testPayload(first, testTree(first, files))
    const b = await testPayload(second, testTree(second, { ...files, 'zzz/new': 'a new file' }))
    const known = new Set(a.manifest.segments.map(segment => segment.digest))
    expect(b.manifest.segments.filter(segment => !known.has(segment.digest)).length).toBe(1)
  })

  it('hands every sink every segment once, in order', async () => {
    const segments: number[] = []
    const sink: SegmentSink = {
      segment: async (segment, bytes) => {
        expect(digestOf(bytes)).toBe(segment.digest)
        segments.push(segment.index)
      },
    }
    const { manifest } = await pack(testTree(tempFolder(), files), { sinks: [sink, sink] })
    expect(segments).toEqual(manifest.segments.flatMap(segment => [segment.index, segment.index]))
  })

  it('takes the MD5 sums of all files when they are asked for', async () => {
    const tree = testTree(tempFolder(), files)
    const { md5sums } = await pack(tree, { withMd5: true })
    const sums = tree.entries.flatMap(entry =>
      entry.type === 'file'
        ? [[entry.path, createHash('md5').update(fs.readFileSync(entry.source)).digest('hex')]]
        : [],
    )
    expect([...md5sums]).toEqual(sums)
    expect((await pack(tree)).md5sums.size).toBe(0)
  })

  it.each([
    ['grew', (file: string) => fs.appendFileSync(file, 'more')],
    ['shrank', (file: string) => fs.truncateSync(file, 5)],
    ['is gone', (file: string) => fs.rmSync(file)],
    [
      'became a link',
      (file: string) => {
        fs.rmSync(file)
        fs.symlinkSync('/etc/hostname', file)
      },
    ],
  ])('fails when a file %s while it is packed', async (_, change) => {
    for (const name of ['lib/text', 'lib/large.bin']) {
      const folder = tempFolder()
      const tree = testTree(folder, files)
      change(path.join(folder, name))
      await expect(pack(tree)).rejects.toEqual(expect.objectContaining({ code: 'PAYLOAD_CHANGED' }))
    }
  })

  it('ends with the reason of its signal, and with a sink’s error', async () => {
    const tree = testTree(tempFolder(), files)
    const reason = new Error('enough')
    await expect(pack(tree, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const sink: SegmentSink = {
      segment: () => {
        throw reason
      },
    }
    await expect(pack(tree, { sinks: [sink] })).rejects.toBe(reason)
  })

  it('packs an empty tree', async () => {
    const folder = tempFolder()
    const { manifest } = await testPayload(folder, { root: 'opt/app', entries: [] })
    expect(manifest.files).toEqual([])
    expect(manifest.segments.length).toBe(1)
  })
})
