import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { extractPayload } from '../../../src/payload/extract.ts'
import type { PayloadManifest } from '../../../src/payload/manifest.ts'
import { verifyTree } from '../../../src/payload/verify.ts'
import { testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const files = {
  'a/run.sh': '#!/bin/sh\n',
  'a/text': 'text',
  'b/c/deep': 'deep',
  'b/link': { link: 'c/deep' },
}

let folder: string
let manifest: PayloadManifest

beforeEach(async () => {
  const packed = tempFolder()
  folder = tempFolder()
  const payload = await testPayload(packed, testTree(path.join(packed, 'tree'), files))
  manifest = payload.manifest
  await extractPayload({ manifest, wanted: 'all', source: payload.source(), folder })
})

const at = (name: string) => path.join(folder, name)

describe('verifyTree', () => {
  it('finds nothing in a tree as it was written', async () => {
    const progress: number[] = []
    const found = await verifyTree(folder, manifest, { onProgress: done => progress.push(done) })
    expect(found).toEqual({ missing: [], changed: [], extra: [] })
    expect(progress).toEqual([manifest.files.length])
  })

  it.each<[string, () => void, string]>([
    ['a byte', () => fs.writeFileSync(at('a/text'), 'teXt'), 'a/text'],
    ['a mode', () => fs.chmodSync(at('a/text'), 0o600), 'a/text'],
    ['setuid', () => fs.chmodSync(at('a/run.sh'), 0o4755), 'a/run.sh'],
    ['a length', () => fs.appendFileSync(at('a/text'), 'more'), 'a/text'],
    ['a folder’s mode', () => fs.chmodSync(at('a'), 0o700), 'a'],
    [
      'a link’s target',
      () => {
        fs.rmSync(at('b/link'))
        fs.symlinkSync('/etc/passwd', at('b/link'))
      },
      'b/link',
    ],
    [
      'a file that became a link to the same bytes',
      () => {
        fs.renameSync(at('a/text'), at('b/c/other'))
        fs.symlinkSync('../b/c/other', at('a/text'))
      },
      'a/text',
    ],
  ])('finds a change of %s', async (_, change, name) => {
    change()
    expect((await verifyTree(folder, manifest)).changed).toEqual([name])
  })

  it('finds what is missing, below a file in place of a folder too', async () => {
    fs.rmSync(at('a/text'))
    fs.rmSync(at('b'), { recursive: true })
    fs.writeFileSync(at('b'), '')
    const found = await verifyTree(folder, manifest)
    expect(found.missing).toEqual(['a/text', 'b/c', 'b/c/deep', 'b/link'])
    expect(found.changed).toEqual(['b'])
  })

  it('finds what is there besides, but for what may be', async () => {
    fs.mkdirSync(at('venv/lib'), { recursive: true })
    fs.writeFileSync(at('a/more'), '')
    expect((await verifyTree(folder, manifest)).extra).toEqual(['a/more', 'venv'])
    expect((await verifyTree(folder, manifest, { ignore: name => name === 'venv' })).extra).toEqual(['a/more'])
  })

  it('does not walk through a folder that became a link', async () => {
    fs.renameSync(at('b'), at('elsewhere'))
    fs.symlinkSync('elsewhere', at('b'))
    const found = await verifyTree(folder, manifest)
    expect(found.changed).toEqual(['b'])
    expect(found.missing).toEqual(['b/c', 'b/c/deep', 'b/link'])
    expect(found.extra).toEqual(['elsewhere'])
  })

  it('does not wait for a pipe in place of a file', async () => {
    fs.rmSync(at('a/text'))
    execFileSync('mkfifo', ['-m', '0644', at('a/text')])
    expect((await verifyTree(folder, manifest)).changed).toEqual(['a/text'])
  })
})
