import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { planReuse, reuseFiles } from '../../../src/prefix/reuse.ts'
import { noise, testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const large = noise(5_000_000)

async function release(files: Parameters<typeof testTree>[1]) {
  const root = tempFolder()
  const { manifest } = await testPayload(tempFolder(), testTree(root, files))
  return { root, manifest }
}

it('finds files by their content, wherever they were', async () => {
  const old = await release({ 'a.txt': 'same', 'b.txt': 'old' })
  const next = await release({ 'lib/moved.txt': 'same', 'b.txt': 'new' })
  expect(planReuse(next.manifest, [old]).map(({ file, from }) => [file.path, from])).toEqual([
    ['lib/moved.txt', path.join(old.root, 'a.txt')],
  ])
})

it('copies what is as it should be, with the mode of the new release, small and large', async () => {
  const old = await release({ 'run.sh': '#!/bin/sh\n', 'large.bin': large, 'empty.txt': '' })
  fs.chmodSync(path.join(old.root, 'run.sh'), 0o600)
  const target = tempFolder()
  const reused = await reuseFiles(planReuse(old.manifest, [old]), target)
  expect(reused).toEqual(new Set(['run.sh', 'large.bin', 'empty.txt']))
  expect(fs.readFileSync(path.join(target, 'large.bin')).equals(large)).toBe(true)
  expect(fs.statSync(path.join(target, 'run.sh')).mode & 0o777).toBe(0o755)
  expect(fs.statSync(path.join(target, 'run.sh')).nlink).toBe(1)
})

it('leaves out what was changed, replaced by a link, or removed, without a trace', async () => {
  const old = await release({ 'a.txt': 'aaaa', 'b.txt': 'bbbb', 'c.txt': 'cccc', 'd.bin': large })
  fs.writeFileSync(path.join(old.root, 'a.txt'), 'AAAA')
  fs.rmSync(path.join(old.root, 'b.txt'))
  fs.rmSync(path.join(old.root, 'c.txt'))
  fs.symlinkSync('/etc/passwd', path.join(old.root, 'c.txt'))
  fs.writeFileSync(path.join(old.root, 'd.bin'), noise(5_000_000, 2))
  const target = tempFolder()
  expect(await reuseFiles(planReuse(old.manifest, [old]), target)).toEqual(new Set())
  expect(fs.readdirSync(target)).toEqual([])
})

it('stops when it is told to', async () => {
  const old = await release({
    'a.bin': large,
    'b.bin': noise(5_000_000, 3),
    'c.bin': noise(5_000_000, 4),
    'd.bin': noise(5_000_000, 5),
  })
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  await expect(reuseFiles(planReuse(old.manifest, [old]), tempFolder(), { signal: controller.signal })).rejects.toThrow(
    'enough',
  )
})
