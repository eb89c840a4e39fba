import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { treeSettings } from '../../../src/payload/extract.ts'
import type { PayloadManifest } from '../../../src/payload/manifest.ts'
import { openTreeWriter } from '../../../src/payload/tree-writer.ts'
import type { LocalRelease } from '../../../src/prefix/local-release.ts'
import { chooseWays, placeFiles, planReuse } from '../../../src/prefix/reuse.ts'
import { testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

async function release(files: Parameters<typeof testTree>[1]): Promise<LocalRelease & { manifest: PayloadManifest }> {
  const root = tempFolder()
  const { manifest } = await testPayload(tempFolder(), testTree(root, files))
  return { version: '1.0.0', root, manifest, manifestDigest: undefined }
}

it('finds files by their content, wherever they were, and asks no release that is not needed', async () => {
  const old = await release({ 'a.txt': 'same', 'b.txt': 'old' })
  const next = await release({ 'lib/moved.txt': 'same', 'b.txt': 'new' })
  const found = planReuse(next.manifest, [old])
  expect(found.map(({ file, from }) => [file.path, from])).toEqual([['lib/moved.txt', path.join(old.root, 'a.txt')]])
  const unread = {
    ...old,
    get manifest(): PayloadManifest {
      throw new Error('was read')
    },
  }
  expect(planReuse(next.manifest, [next, unread])).toHaveLength(2)
})

it('moves a file of a leftover only when it is wanted once', async () => {
  const left = { ...(await release({ 'a.txt': 'once', 'b.txt': 'twice' })), isLeftover: true }
  const next = await release({ 'a.txt': 'once', 'b.txt': 'twice', 'c.txt': 'twice' })
  const ways = chooseWays(planReuse(next.manifest, [left]), next.manifest, { isGuarded: true })
  expect(ways.map(({ file, way }) => [file.path, way])).toEqual([
    ['a.txt', 'move'],
    ['b.txt', 'link'],
    ['c.txt', 'link'],
  ])
})

it('links only what nobody but root can write to', async () => {
  const { manifest, root } = await release({ 'a.txt': 'a', 'b.txt': 'b' })
  const isB = (name: string) => name === 'b.txt'
  const files = manifest.files.map(file => (isB(file.path) ? { ...file, mode: 0o664 } : file))
  const reusable = planReuse({ ...manifest, files } as PayloadManifest, [
    { version: '1.0.0', root, manifest, manifestDigest: undefined },
  ])
  const ways = (isGuarded: boolean) => chooseWays(reusable, manifest, { isGuarded }).map(({ way }) => way)
  expect(ways(true)).toEqual(['link', 'copy'])
  expect(ways(false)).toEqual(['copy', 'copy'])
})

it('copies the modules of Python whose compiled form is shipped, for that knows their time', async () => {
  const withCompiled = await release({ 'a.js': 'a', 'a.py': 'a', '__pycache__/a.pyc': 'c' })
  const ways = ({ manifest }: LocalRelease) =>
    chooseWays(planReuse(manifest!, [withCompiled]), manifest!, { isGuarded: true }).map(({ way }) => way)
  expect(ways(withCompiled)).toEqual(['link', 'link', 'copy'])
  expect(ways(await release({ 'a.py': 'a' }))).toEqual(['link'])
})

it('places what is as it should be, and names what is not', async () => {
  const old = await release({ 'a.txt': 'aaaa', 'b.txt': 'bbbb', 'c.txt': 'cccc' })
  fs.writeFileSync(path.join(old.root, 'b.txt'), 'BBBB')
  const folder = tempFolder()
  const ways = chooseWays(planReuse(old.manifest, [old]), old.manifest, { isGuarded: false })
  const done: number[] = []
  const writer = openTreeWriter(treeSettings(old.manifest, folder))
  const missed = await placeFiles(writer, ways, { onProgress: files => done.push(files) })
  expect(missed).toEqual(new Set(['b.txt']))
  expect(fs.readdirSync(folder)).toEqual(['a.txt', 'c.txt'])
  expect(done).toEqual([3])
})

it('stops when it is told to', async () => {
  const old = await release({ 'a.txt': 'a' })
  const ways = chooseWays(planReuse(old.manifest, [old]), old.manifest, { isGuarded: false })
  const reason = new Error('enough')
  const folder = tempFolder()
  const placing = placeFiles(openTreeWriter(treeSettings(old.manifest, folder)), ways, {
    signal: AbortSignal.abort(reason),
  })
  await expect(placing).rejects.toBe(reason)
  expect(fs.readdirSync(folder)).toEqual([])
})
