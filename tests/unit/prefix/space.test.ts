import os from 'node:os'
import { expect, it } from 'vitest'
import { assertSpace, neededSpace } from '../../../src/prefix/space.ts'
import { testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

it('counts whole blocks, names and a reserve', async () => {
  const tree = testTree(tempFolder(), { 'a.txt': 'a', 'lib/b.txt': 'b'.repeat(5000) })
  const { manifest } = await testPayload(tempFolder(), tree)
  const { sizeBytes, files } = neededSpace(manifest)
  expect(sizeBytes).toBe(Math.ceil(3 * 4096 * 1.05) + 4 * 1024 * 1024)
  expect(files).toBeGreaterThan(manifest.files.length)
})

it('refuses what does not fit, in bytes or in files', () => {
  const folder = os.tmpdir()
  assertSpace(folder, { sizeBytes: 1, files: 1 })
  const noSpace = expect.objectContaining({ code: 'FILE_NO_SPACE' })
  expect(() => assertSpace(folder, { sizeBytes: Number.MAX_SAFE_INTEGER, files: 1 })).toThrow(noSpace)
  expect(() => assertSpace(folder, { sizeBytes: 1, files: Number.MAX_SAFE_INTEGER })).toThrow(noSpace)
})
