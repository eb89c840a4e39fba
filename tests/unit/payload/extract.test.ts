import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { extractPayload, neededSegments, writeFiles, writeFolders } from '../../../src/payload/extract.ts'
import type { FileEntry, PayloadManifest } from '../../../src/payload/manifest.ts'
import { verifyTree } from '../../../src/payload/verify.ts'
import { noise, type TestPayload, testEpoch, testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const files = {
  'a/empty': '',
  'a/run.sh': '#!/bin/sh\n',
  'b/large': noise(14 * 1024 * 1024),
  'c/d/text': 'text\n'.repeat(200),
  'c/link': { link: 'd/text' },
  empty: null,
}

let payload: TestPayload

beforeAll(async () => {
  const folder = tempFolder()
  payload = await testPayload(folder, testTree(path.join(folder, 'tree'), files))
})

const umask = process.umask()
afterEach(() => {
  process.umask(umask)
})

function extract(folder: string, manifest: PayloadManifest = payload.manifest): Promise<void> {
  return extractPayload({ manifest, wanted: 'all', source: payload.source(), folder })
}

async function expectSame(folder: string, manifest: PayloadManifest = payload.manifest): Promise<void> {
  expect(await verifyTree(folder, manifest.files)).toEqual([])
}

function withFile(name: string, change: Partial<FileEntry>): PayloadManifest {
  const changed = payload.manifest.files.map(file => (file.path === name ? { ...file, ...change } : file))
  return { ...payload.manifest, files: changed as readonly FileEntry[] }
}

describe('extractPayload', () => {
  it('writes everything as the manifest says', async () => {
    const folder = tempFolder()
    await extract(folder)
    await expectSame(folder)
    expect(fs.readFileSync(path.join(folder, 'b/large')).equals(files['b/large'])).toBe(true)
    expect(fs.statSync(path.join(folder, 'c/d/text')).mtimeMs).toBe(testEpoch * 1000)
  })

  it('gives exact modes under any umask', async () => {
    const folder = tempFolder()
    process.umask(0o077)
    await extract(folder)
    await expectSame(folder)
  })

  it('fills folders that are read-only in the end', async () => {
    const folder = tempFolder()
    const manifest = withFile('a', { mode: 0o555 })
    await extract(folder, manifest)
    expect(fs.statSync(path.join(folder, 'a')).mode & 0o777).toBe(0o555)
    await extract(folder, manifest)
    await expectSame(folder, manifest)
  })

  it('repairs what a killed run left: half a file, a link in its place', async () => {
    const folder = tempFolder()
    const outside = path.join(tempFolder(), 'outside')
    fs.writeFileSync(outside, 'untouched')
    fs.mkdirSync(path.join(folder, 'c/d'), { recursive: true })
    fs.writeFileSync(path.join(folder, 'c/d/text'), 'half')
    fs.mkdirSync(path.join(folder, 'a'))
    fs.symlinkSync(outside, path.join(folder, 'a/empty'))
    fs.symlinkSync('/etc', path.join(folder, 'c/link'))
    await extract(folder)
    await expectSame(folder)
    expect(fs.readFileSync(outside, 'utf8')).toBe('untouched')
  })

  it('writes nothing through a folder that is a link', async () => {
    const folder = tempFolder()
    const outside = tempFolder()
    fs.symlinkSync(outside, path.join(folder, 'a'))
    await expect(extract(folder)).rejects.toEqual(expect.objectContaining({ code: 'FILE_IO' }))
    expect(fs.readdirSync(outside)).toEqual([])
  })

  it('leaves no file whose content is not what the manifest says', async () => {
    for (const name of ['c/d/text', 'b/large']) {
      const folder = tempFolder()
      const manifest = withFile(name, { digest: digestOf('something else') })
      await expect(extract(folder, manifest)).rejects.toEqual(expect.objectContaining({ code: 'FILE_DIGEST' }))
      expect(fs.existsSync(path.join(folder, name))).toBe(false)
    }
  })

  it('ends with the reason of its signal', async () => {
    const reason = new Error('enough')
    const options = {
      manifest: payload.manifest,
      wanted: 'all' as const,
      source: payload.source(),
      folder: tempFolder(),
    }
    await expect(extractPayload({ ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('writeFiles', () => {
  it('writes the files that are wanted and fetches their segments only', async () => {
    const folder = tempFolder()
    const source = payload.source()
    writeFolders(payload.manifest, folder)
    const progress: number[] = []
    const wanted = new Set(['a/run.sh', 'c/d/text'])
    const onProgress = (doneBytes: number, totalBytes: number) => progress.push(doneBytes, totalBytes)
    await writeFiles({ manifest: payload.manifest, wanted, source, folder, onProgress })
    const found = await verifyTree(folder, payload.manifest.files)
    expect(found.filter(({ kind }) => kind === 'missing').map(({ path }) => path)).toEqual([
      'a/empty',
      'b/large',
      'c/link',
    ])
    expect(source.fetchedBytes).toBeLessThan(100_000)
    expect(progress.at(-1)).toBe(1000 + 10)
    expect(progress.at(-2)).toBe(1000 + 10)
  })
})

describe('neededSegments', () => {
  it('names every segment that a file overlaps, once', () => {
    const large = payload.manifest.files.find(file => file.path === 'b/large')
    if (large?.type !== 'file') throw new Error('no large file')
    const needed = neededSegments(payload.manifest, [large, large]).map(segment => segment.index)
    expect(needed[0]).toBe(large.firstSegment)
    expect(needed.at(-1)).toBe(large.lastSegment)
    expect(needed.length).toBe(large.lastSegment - large.firstSegment + 1)
  })
})
