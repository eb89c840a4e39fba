import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { extractPayload } from '../../../src/payload/extract.ts'
import { manifestBytes } from '../../../src/payload/manifest.ts'
import { isComplete } from '../../../src/prefix/installed.ts'
import { prefixPaths, releasePaths } from '../../../src/prefix/layout.ts'
import { beginRelease, discardRelease, isOwnPath, sealRelease } from '../../../src/prefix/stage.ts'
import { type TestFiles, testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

async function staged(files: TestFiles) {
  const paths = prefixPaths(tempFolder())
  const payload = await testPayload(tempFolder(), testTree(tempFolder(), files))
  const { manifest } = payload
  const documents = { recordBytes: Buffer.from('{}'), manifestBytes: manifestBytes(manifest), manifest }
  const release = releasePaths(paths, '1.0.0')
  const begin = () => beginRelease(paths, '1.0.0', documents)
  const extract = () => extractPayload({ manifest, wanted: 'all', source: payload.source(), folder: release.root })
  return { paths, manifest, release, begin, extract }
}

it('is whole only once it is sealed', async () => {
  const { paths, manifest, release, begin, extract } = await staged({ 'a.txt': 'a', 'lib/link': { link: '../a.txt' } })
  begin()
  await extract()
  expect(isComplete(paths, '1.0.0')).toBe(false)
  await sealRelease(paths, '1.0.0', manifest)
  expect(isComplete(paths, '1.0.0')).toBe(true)
  expect(fs.existsSync(release.incomplete)).toBe(false)
})

it('begins without what a killed run left', async () => {
  const { release, begin } = await staged({ 'a.txt': 'a' })
  begin()
  fs.writeFileSync(path.join(release.root, 'left.txt'), 'left')
  begin()
  expect(fs.readdirSync(release.root)).toEqual(['.cutover'])
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
    await expect(sealRelease(paths, '1.0.0', manifest)).rejects.toMatchObject({ code: 'RELEASE_CHANGED' })
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
