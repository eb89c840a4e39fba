import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { extractPayload } from '../../../src/payload/extract.ts'
import { manifestBytes } from '../../../src/payload/manifest.ts'
import { isComplete } from '../../../src/prefix/installed.ts'
import { prefixPaths, releasePaths } from '../../../src/prefix/layout.ts'
import {
  beginRelease,
  discardRelease,
  isOwnPath,
  leftovers,
  markRelease,
  removeLeftovers,
  sealRelease,
  setReleaseAside,
} from '../../../src/prefix/stage.ts'
import { parseNodeRecipe } from '../../../src/recipe/node.ts'
import { type TestFiles, testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const { node } = parseNodeRecipe({ schema: 1, name: 'app', node: {}, environments: {} })

async function staged(files: TestFiles) {
  const paths = prefixPaths(tempFolder())
  const payload = await testPayload(tempFolder(), testTree(tempFolder(), files))
  const { manifest } = payload
  const documents = { recordBytes: Buffer.from('{}'), manifestBytes: manifestBytes(manifest), manifest }
  const release = releasePaths(paths, '1.0.0')
  const begin = () => {
    markRelease(paths, '1.0.0', manifest)
    beginRelease(paths, '1.0.0', documents)
  }
  const extract = () => extractPayload({ manifest, wanted: 'all', source: payload.source(), folder: release.root })
  return { paths, manifest, release, begin, extract }
}

it('is whole only once it is sealed', async () => {
  const { paths, manifest, release, begin, extract } = await staged({ 'a.txt': 'a', 'lib/link': { link: '../a.txt' } })
  begin()
  await extract()
  expect(isComplete(paths, '1.0.0')).toBe(false)
  await sealRelease(paths, '1.0.0', { manifest, node })
  expect(isComplete(paths, '1.0.0')).toBe(true)
  expect(fs.existsSync(release.incomplete)).toBe(false)
})

it('begins without what a killed run left, and offers the files of it that are there', async () => {
  const { paths, release, begin } = await staged({ 'a.txt': 'a', 'b.txt': 'b' })
  begin()
  fs.writeFileSync(path.join(release.root, 'a.txt'), 'anything')
  begin()
  expect(fs.readdirSync(release.root)).toEqual(['.cutover'])
  fs.writeFileSync(path.join(release.root, 'b.txt'), 'b')
  begin()
  const offered = leftovers(paths)
  expect(offered.map(({ manifest }) => manifest?.files.map(file => file.path))).toEqual([['a.txt'], ['b.txt']])
  expect(offered.map(({ root }) => path.relative(paths.releases, root))).toEqual(['.leftover/1', '.leftover/2'])
  removeLeftovers(paths)
  expect(leftovers(paths)).toEqual([])
})

it('is set aside without a trace of a release, twice as well as once', async () => {
  const { paths, begin } = await staged({ 'a.txt': 'a' })
  begin()
  setReleaseAside(paths, '1.0.0')
  setReleaseAside(paths, '1.0.0')
  expect(fs.readdirSync(paths.releases)).toEqual(['.leftover'])
  expect(fs.statSync(path.join(paths.releases, '.leftover')).mode & 0o777).toBe(0o700)
})

it('can be read by everybody, whatever the umask is', async () => {
  const { release, begin } = await staged({ 'a.txt': 'a' })
  const mask = process.umask(0o077)
  try {
    begin()
  } finally {
    process.umask(mask)
  }
  const modes = [release.root, release.metadata, release.manifest].map(name => fs.statSync(name).mode & 0o777)
  expect(modes).toEqual([0o755, 0o755, 0o644])
})

it('is not sealed when setup has changed or removed a file of the payload', async () => {
  for (const spoil of [
    (root: string) => fs.rmSync(path.join(root, 'a.txt')),
    (root: string) => fs.appendFileSync(path.join(root, 'a.txt'), 'more'),
    (root: string) => fs.chmodSync(path.join(root, 'a.txt'), 0o777),
  ]) {
    const { paths, manifest, release, begin, extract } = await staged({ 'a.txt': 'a' })
    begin()
    await extract()
    spoil(release.root)
    await expect(sealRelease(paths, '1.0.0', { manifest, node })).rejects.toMatchObject({ code: 'RELEASE_CHANGED' })
    expect(isComplete(paths, '1.0.0')).toBe(false)
  }
})

it('refuses a payload that holds our own places, and the folder of the active release', async () => {
  for (const name of ['.cutover/recipe.json', 'venv/bin/python']) {
    const { begin, release } = await staged({ [name]: 'mine' })
    expect(begin).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }))
    expect(fs.existsSync(release.root)).toBe(false)
  }
  const { paths, begin } = await staged({ 'a.txt': 'a' })
  fs.mkdirSync(path.dirname(paths.current), { recursive: true })
  fs.symlinkSync('releases/1.0.0', paths.current)
  expect(begin).toThrow(expect.objectContaining({ code: 'PREFIX_DAMAGED' }))
})

it('goes without a trace, read-only folders included', async () => {
  const { paths, release, begin, extract } = await staged({ 'lib/a.txt': 'a' })
  begin()
  await extract()
  fs.chmodSync(path.join(release.root, 'lib'), 0o555)
  discardRelease(paths, '1.0.0')
  expect(fs.readdirSync(paths.releases)).toEqual([])
  discardRelease(paths, '1.0.0')
})

it('knows its own places', () => {
  expect(['.cutover', '.cutover/x', 'venv/bin'].every(isOwnPath)).toBe(true)
  expect(['venvs', 'lib/venv', '.cutoverx'].some(isOwnPath)).toBe(false)
})
