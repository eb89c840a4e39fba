import os from 'node:os'
import { expect, it } from 'vitest'
import { assertSpace, neededSpace } from '../../../src/prefix/space.ts'
import { testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

it('counts whole blocks, names and a reserve', async () => {
  const tree = testTree(tempFolder(), { 'a.txt': 'a', 'lib/b.txt': 'b'.repeat(5000) })
  const { manifest } = await testPayload(tempFolder(), tree)
  const { sizeBytes, files } = neededSpace(manifest, new Set())
  expect(sizeBytes).toBe(Math.ceil(4 * 4096 * 1.05) + 4 * 1024 * 1024)
  expect(files).toBeGreaterThan(manifest.files.length)
})

it('counts nothing for files that only get another name, and what is kept besides', async () => {
  const tree = testTree(tempFolder(), { 'a.txt': 'a', 'lib/b.txt': 'b'.repeat(5000) })
  const { manifest } = await testPayload(tempFolder(), tree)
  const all = neededSpace(manifest, new Set())
  const rest = neededSpace(manifest, new Set(['lib/b.txt']), 5000)
  expect(rest).toEqual({ sizeBytes: all.sizeBytes, files: all.files - 1 })
})

it('refuses what does not fit, in bytes or in files', () => {
  const folder = os.tmpdir()
  assertSpace(folder, { sizeBytes: 1, files: 1 })
  const noSpace = expect.objectContaining({ code: 'FILE_NO_SPACE' })
  expect(() => assertSpace(folder, { sizeBytes: Number.MAX_SAFE_INTEGER, files: 1 })).toThrow(noSpace)
  expect(() => assertSpace(folder, { sizeBytes: 1, files: Number.MAX_SAFE_INTEGER })).toThrow(noSpace)
})
