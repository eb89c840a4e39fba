import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareManifests, encodingDifference, entryDifference } from '../../../src/comparison/manifests.ts'
import { digestOf } from '../../../src/core/digest.ts'
import type { FileEntry, PayloadManifest } from '../../../src/payload/manifest.ts'
import { testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const folder = tempFolder()
let manifest: PayloadManifest

beforeAll(async () => {
  manifest = (
    await testPayload(folder, testTree(folder, { 'a.txt': 'a', 'b/c.sh': 'c', 'b/d': 'd', link: { link: 'a.txt' } }))
  ).manifest
})

const withFiles = (change: (entry: FileEntry) => readonly FileEntry[]) => ({
  ...manifest,
  files: manifest.files.flatMap(change),
})
const reencoded = (encoder: string): PayloadManifest => ({
  ...manifest,
  codec: { ...manifest.codec, encoder },
  segments: manifest.segments.map(segment => ({ ...segment, digest: digestOf(`by ${encoder}`) })),
})

describe('two manifests', () => {
  it('that are the same have no difference', () => {
    const comparison = compareManifests({ released: manifest, rebuilt: structuredClone(manifest) })
    expect(comparison).toMatchObject({ entries: [], tarIsEqual: true, segments: [] })
    expect(encodingDifference(comparison)).toBeUndefined()
  })

  it('differ in the entries that are left out, added, or changed, and in no others', () => {
    const changes = fc.array(fc.constantFrom('keep', 'drop', 'content', 'mode'), { minLength: 5, maxLength: 5 })
    fc.assert(
      fc.property(changes, kinds => {
        const expected = new Map<string, string>()
        const rebuilt = {
          ...manifest,
          files: manifest.files.flatMap((entry, index) => {
            const kind = kinds[index]!
            if (kind === 'drop') {
              expected.set(entry.path, 'removed')
              return []
            }
            if (entry.type !== 'file' || kind === 'keep') return [entry]
            expected.set(entry.path, kind === 'content' ? 'content' : 'form')
            return [kind === 'content' ? { ...entry, digest: digestOf('other') } : { ...entry, mode: 0o600 }]
          }),
        }
        const found = compareManifests({ released: manifest, rebuilt }).entries
        expect(new Map(found.map(({ path, kind }) => [path, kind]))).toEqual(expected)
        const reversed = compareManifests({ released: rebuilt, rebuilt: manifest }).entries
        expect(reversed.filter(({ kind }) => kind === 'added').length).toBe(
          kinds.filter(kind => kind === 'drop').length,
        )
      }),
    )
  })

  it('word modes and links', () => {
    const rebuilt = withFiles(entry => {
      if (entry.type === 'symlink') return [{ ...entry, linkTarget: 'b/d' }]
      return [entry.path === 'b/d' ? { ...entry, mode: 0o600 } : entry]
    })
    const differences = compareManifests({ released: manifest, rebuilt }).entries.map(change =>
      change.kind === 'content' ? undefined : entryDifference(change, ''),
    )
    expect(differences).toEqual([
      {
        where: 'b/d',
        released: 'file of 1 bytes, mode 644',
        rebuilt: 'file of 1 bytes, mode 600',
        why: expect.stringContaining('umask'),
      },
      { where: 'link', released: 'link to a.txt', rebuilt: 'link to b/d', why: '' },
    ])
  })

  it('of the same tar name both encoders when only the compression differs', () => {
    const comparison = compareManifests({ released: reencoded('zstd 1.5.6'), rebuilt: reencoded('zstd 1.5.7') })
    expect(encodingDifference(comparison)).toEqual({
      where: 'segment 0',
      released: 'zstd 1.5.6, level 3',
      rebuilt: 'zstd 1.5.7, level 3',
      why: "the payload's files and tar are equal; its segments differ because the release was compressed with zstd 1.5.6, level 3 and this is zstd 1.5.7, level 3",
    })
    const sameEncoder = { ...reencoded('zstd 1.5.7'), segments: manifest.segments }
    const odd = compareManifests({ released: sameEncoder, rebuilt: reencoded('zstd 1.5.7') })
    expect(encodingDifference(odd)?.why).toContain('is named in both')
  })

  it('of another tar with equal files say so', () => {
    const rebuilt = { ...manifest, tar: { ...manifest.tar, digest: digestOf('tar') } }
    expect(encodingDifference(compareManifests({ released: manifest, rebuilt }))?.where).toBe('tar')
  })
})
