import zlib from 'node:zlib'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import type { DeltaIndex } from '../../../../src/payload/delta/format.ts'
import { makeManifestPatch, patchManifest } from '../../../../src/payload/delta/manifest-patch.ts'
import { readDelta } from '../../../../src/payload/delta/open.ts'
import { manifestBytes } from '../../../../src/payload/manifest.ts'
import { codeOf } from '../../../support/codes.ts'
import { type TestDelta, testDelta } from '../../../support/delta.ts'
import { noise } from '../../../support/payload.ts'

const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`lib/${index}.js`, `content ${index}`]))

let made: TestDelta
let index: DeltaIndex
beforeAll(async () => {
  const large = noise(10 * 1024 * 1024)
  const old = { ...many, empty: null, 'lib/link': { link: '1.js' }, large }
  made = await testDelta(old, { ...old, 'lib/0.js': 'much longer than before', 'lib/new.js': 'new' })
  index = readDelta(made.file).index
})

describe('the manifest in a delta pack', () => {
  it('gives the one that it leads to, byte for byte, from the one that it starts from', () => {
    const patched = patchManifest(index, made.old.manifest)
    expect(patched?.manifest).toEqual(made.manifest)
    expect(patched?.json.equals(manifestBytes(made.manifest))).toBe(true)
  })

  it('is small where little changed, although every file behind a change moved', () => {
    expect(Buffer.from(index.manifest!, 'base64').byteLength).toBeLessThan(1000)
  })

  it('leads back as well', () => {
    const back = { ...index, manifest: makeManifestPatch(made.manifest, made.old.manifest)! }
    const toManifest = digestOf(manifestBytes(made.old.manifest))
    expect(patchManifest({ ...back, toManifest }, made.manifest)?.manifest).toEqual(made.old.manifest)
  })

  it('is not there in packs that were made without', () => {
    const { manifest: _, ...before } = index
    expect(patchManifest(before, made.old.manifest)).toBe(undefined)
  })

  it('is refused when it starts from another one, or leads to one that the pack does not name', () => {
    expect(codeOf(() => patchManifest(index, made.manifest))).toBe('DELTA_INVALID')
    expect(codeOf(() => patchManifest({ ...index, toManifest: digestOf('else') }, made.old.manifest))).toBe(
      'DELTA_INVALID',
    )
  })

  it.each([
    ['no base64', '!'],
    ['nothing', ''],
    ['no zstd', Buffer.from('hello').toString('base64')],
    ['a bomb', packed(Buffer.alloc(80 * 1024 * 1024))],
    ['no JSON', packed('{')],
    ['another JSON', packed('null')],
    ['a list', packed('[]')],
    ['no lists', packed('{"files":1,"segments":{}}')],
    ['empty lists', packed('{"files":[],"segments":[]}')],
    ['lists of nothing', packed('{"files":[null],"segments":[null]}')],
    ['numbers that are none', packed('{"files":[{"type":"file","tarOffset":"x"}],"segments":[{"sizeBytes":[]}]}')],
  ])('is refused when it holds %s', (_, manifest) => {
    expect(codeOf(() => patchManifest({ ...index, manifest }, made.old.manifest))).toBe('DELTA_INVALID')
  })

  it('is never accepted for what somebody made of it', () => {
    const bytes = Buffer.from(index.manifest!, 'base64')
    fc.assert(
      fc.property(fc.nat(bytes.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const changed = Buffer.from(bytes)
        changed[at]! ^= bits
        let found: unknown = 'refused'
        const code = codeOf(() => {
          found = patchManifest({ ...index, manifest: changed.toString('base64') }, made.old.manifest)?.manifest
        })
        if (found === 'refused') expect(code).toBe('DELTA_INVALID')
        else expect(found).toEqual(made.manifest)
      }),
      { numRuns: 50 },
    )
  })
})

function packed(text: string | Buffer): string {
  return zlib.zstdCompressSync(Buffer.from(text)).toString('base64')
}
