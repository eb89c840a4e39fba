import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { extractPayload } from '../../../src/payload/extract.ts'
import type { PayloadManifest } from '../../../src/payload/manifest.ts'
import { type VerifyOptions, verifyTree } from '../../../src/payload/verify.ts'
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

const verify = (options: VerifyOptions = {}) => verifyTree(folder, manifest.files, options)
/** What differs, as `KIND PATH`. */
const differences = async (options?: VerifyOptions) =>
  (await verify(options)).map(({ kind, path }) => `${kind} ${path}`)

describe('verifyTree', () => {
  it('finds nothing in a tree as it was written', async () => {
    const progress: number[] = []
    expect(await verify({ onProgress: done => progress.push(done) })).toEqual([])
    expect(progress.at(-1)).toBe(manifest.files.length)
  })

  it.each<[string, () => void, string]>([
    ['a byte', () => fs.writeFileSync(at('a/text'), 'teXt'), 'content a/text'],
    ['a mode', () => fs.chmodSync(at('a/text'), 0o600), 'mode a/text'],
    ['setuid', () => fs.chmodSync(at('a/run.sh'), 0o4755), 'mode a/run.sh'],
    ['a length', () => fs.appendFileSync(at('a/text'), 'more'), 'content a/text'],
    ['a folder’s mode', () => fs.chmodSync(at('a'), 0o700), 'mode a'],
    [
      'a link’s target',
      () => {
        fs.rmSync(at('b/link'))
        fs.symlinkSync('/etc/passwd', at('b/link'))
      },
      'target b/link',
    ],
    [
      'a file that became a link to the same bytes',
      () => {
        fs.renameSync(at('a/text'), path.join(tempFolder(), 'other'))
        fs.symlinkSync('../b/c/deep', at('a/text'))
      },
      'type a/text',
    ],
    [
      'a file that became a folder',
      () => {
        fs.rmSync(at('a/text'))
        fs.mkdirSync(at('a/text'))
      },
      'type a/text',
    ],
  ])('finds a change of %s', async (_, change, difference) => {
    change()
    expect(await differences()).toEqual([difference])
  })

  it('says what was expected and what is there instead', async () => {
    fs.chmodSync(at('a/run.sh'), 0o4755)
    fs.mkdirSync(at('planted'), { mode: 0o700 })
    const owner = process.getuid!()
    expect(await verify()).toEqual([
      { path: 'a/run.sh', kind: 'mode', expected: '0755', found: '4755' },
      { path: 'planted', kind: 'extra', expected: '', found: `directory, mode 0700, owner ${owner}` },
    ])
  })

  it('finds what belongs to another user than it is to', async () => {
    expect(await differences({ ownerId: process.getuid!() })).toEqual([])
    const paths = manifest.files.map(entry => `owner ${entry.path}`).toSorted()
    expect(await differences({ ownerId: process.getuid!() + 1 })).toEqual(paths)
  })

  it('finds what is missing, below a file in place of a folder too', async () => {
    fs.rmSync(at('a/text'))
    fs.rmSync(at('b'), { recursive: true })
    fs.writeFileSync(at('b'), '')
    expect(await differences()).toEqual([
      'missing a/text',
      'type b',
      'missing b/c',
      'missing b/c/deep',
      'missing b/link',
    ])
  })

  it('finds what is there besides, but for what may be', async () => {
    fs.mkdirSync(at('venv/lib'), { recursive: true })
    fs.writeFileSync(at('a/more'), '')
    expect(await differences()).toEqual(['extra a/more', 'extra venv'])
    expect(await differences({ ignore: name => name === 'venv' })).toEqual(['extra a/more'])
  })

  it('does not walk through a folder that became a link', async () => {
    fs.renameSync(at('b'), at('elsewhere'))
    fs.symlinkSync('elsewhere', at('b'))
    expect(await differences()).toEqual([
      'type b',
      'missing b/c',
      'missing b/c/deep',
      'missing b/link',
      'extra elsewhere',
    ])
  })

  it('does not wait for a pipe in place of a file', async () => {
    fs.rmSync(at('a/text'))
    execFileSync('mkfifo', ['-m', '0644', at('a/text')])
    expect((await verify())[0]).toMatchObject({ path: 'a/text', kind: 'type', found: expect.stringMatching(/^pipe,/) })
  })

  it('reads many files by threads, and finds the same', async () => {
    const many = Array.from({ length: 2100 }, (_, index) => `many/${index}`)
    fs.mkdirSync(at('many'), { mode: 0o755 })
    for (const name of many) fs.writeFileSync(at(name), name, { mode: 0o644 })
    const expected = many.map(name => {
      const [sizeBytes, digest] = [Buffer.byteLength(name), digestOf(name)]
      return { type: 'file', path: name, mode: 0o644, sizeBytes, digest } as const
    })
    fs.writeFileSync(at('many/7'), 'MANY/7')
    fs.appendFileSync(at('many/1999'), 'more')
    const found = await verifyTree(at('.'), [{ type: 'directory', path: 'many', mode: 0o755 }, ...expected], {
      ignore: name => !name.startsWith('many'),
    })
    expect(found.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['content many/1999', 'content many/7'])
  })

  it('ends at the signal', async () => {
    const reason = new Error('stopped')
    await expect(verify({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
