import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { treeSettings, writeFiles, writeFolders } from '../../../src/payload/extract.ts'
import type { LocalFile } from '../../../src/payload/local-file.ts'
import type { PayloadManifest } from '../../../src/payload/manifest.ts'
import { openWriterFor, TreeThreads } from '../../../src/payload/tree-threads.ts'
import { verifyTree } from '../../../src/payload/verify.ts'
import { noise, type TestPayload, testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const files = { 'a/small': 'small', 'b/large': noise(13 * 1024 * 1024), 'c/small': 'other' }

let payload: TestPayload
beforeAll(async () => {
  payload = await testPayload(tempFolder(), testTree(tempFolder(), files))
})

const opened: TreeThreads[] = []
afterEach(async () => {
  for (const threads of opened.splice(0)) await threads.close()
})

function threadsFor(folder: string, manifest = payload.manifest): TreeThreads {
  const threads = new TreeThreads(2, treeSettings(manifest, folder))
  opened.push(threads)
  return threads
}

function write(writer: TreeThreads, folder: string, manifest = payload.manifest): Promise<void> {
  writeFolders(manifest, folder)
  return writeFiles({ manifest, wanted: 'all', source: payload.source(), folder, writer })
}

it('writes the same tree, files that go through several segments included', async () => {
  const folder = tempFolder()
  await write(threadsFor(folder), folder)
  expect(await verifyTree(folder, payload.manifest.files)).toEqual([])
})

it('puts local files in their places and names those that it could not', async () => {
  const from = tempFolder()
  for (const name of ['a', 'b']) fs.writeFileSync(path.join(from, name), name)
  const folder = tempFolder()
  const local = (name: string, content: string): LocalFile => ({
    file: { path: name, mode: 0o644, sizeBytes: 1, digest: digestOf(content) },
    from: path.join(from, name),
    way: 'copy',
  })
  const threads = threadsFor(folder)
  const missed = await Promise.all([threads.place([local('a', 'a')]), threads.place([local('b', 'B')])])
  expect(missed).toEqual([[], ['b']])
  expect(fs.readdirSync(folder)).toEqual(['a'])
})

it('ends with the error of a thread, and leaves nothing of a file that is not whole', async () => {
  const folder = tempFolder()
  const manifest: PayloadManifest = {
    ...payload.manifest,
    files: payload.manifest.files.map(file => (file.path === 'b/large' ? { ...file, digest: digestOf('else') } : file)),
  }
  const threads = threadsFor(folder, manifest)
  await expect(write(threads, folder, manifest)).rejects.toMatchObject({
    code: 'FILE_DIGEST',
    details: { path: 'b/large' },
  })
  await threads.close()
  expect(fs.existsSync(path.join(folder, 'b/large'))).toBe(false)
})

it('closes the file that a thread is in when nothing more comes', async () => {
  const folder = tempFolder()
  const { manifest } = payload
  writeFolders(manifest, folder)
  const threads = threadsFor(folder)
  const large = manifest.files.find(file => file.path === 'b/large')
  if (large?.type !== 'file') throw new Error('no large file')
  const segment = manifest.segments[large.firstSegment]!
  for await (const { bytes } of payload.source().read([segment])) {
    await threads.write({ segment, files: [large], form: 'compressed', bytes })
  }
  await threads.close()
  expect(fs.readdirSync(path.join(folder, 'b'))).toEqual([])
})

it('starts no thread for what is written sooner', () => {
  const settings = treeSettings(payload.manifest, tempFolder())
  expect(openWriterFor({ files: 10, sizeBytes: 1000 }, settings)).not.toBeInstanceOf(TreeThreads)
})
