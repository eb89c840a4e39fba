import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { type ReleaseRecord, recordBytes } from '../../../src/payload/release-record.ts'
import { listedRelease } from '../../../src/repository/listing.ts'
import { filesOfPublished, freedFiles, type PublishedRelease, spaceBytes } from '../../../src/repository/removal.ts'
import { ociBlobKey, poolKey } from '../../../src/trust/layout.ts'
import { makeRelease } from '../../support/made-release.ts'
import { tempFolder } from '../../support/temp.ts'

const envelope = Buffer.from('signed')
function published(version: string, content?: string): PublishedRelease {
  const record: ReleaseRecord = makeRelease({
    distFolder: tempFolder(),
    version,
    evidence: true,
    ...(content === undefined ? {} : { content }),
  })
  return { record, listed: listedRelease(record, recordBytes(record), { name: 'notes.intoto.jsonl', envelope }) }
}
const keysOf = (files: readonly { readonly key: string }[]) => files.map(({ key }) => key)

describe('filesOfPublished', () => {
  it('has the record, the pool, the image, and what refers to the image', () => {
    const release = published('1.0.0')
    const keys = keysOf(filesOfPublished(release))
    for (const { kind, name } of release.record.components[0]!.artifacts) {
      if (kind !== 'oci') expect(keys).toContain(poolKey('notes', '1.0.0', name))
    }
    expect(keys).toContain(poolKey('notes', '1.0.0', 'notes.intoto.jsonl'))
    expect(keys[0]).toMatch(/^targets\/notes\/1\.0\.0\/[0-9a-f]{64}\.release\.json$/)
    const [image] = release.listed.images
    for (const digest of [image!.digest, image!.referrers[0]!.digest, digestOf(envelope), digestOf('{}')]) {
      expect(keys).toContain(ociBlobKey('notes', digest))
    }
  })
})

describe('freedFiles', () => {
  it('leaves the blobs that a staying release has, too', () => {
    const [old, next] = [published('1.0.0', 'same'), published('1.1.0', 'same')]
    const freed = keysOf(freedFiles([old], [next]))
    const layer = old.record.components[0]!.artifacts.find(({ kind }) => kind === 'tarball')!.digest
    expect(freed).not.toContain(ociBlobKey('notes', layer))
    expect(freed).not.toContain(ociBlobKey('notes', digestOf('{}')))
    expect(freed).toContain(poolKey('notes', '1.0.0', 'notes-1.0.0.tar.gz'))
    const needed = new Set(keysOf(filesOfPublished(next)))
    expect(freed.filter(key => needed.has(key))).toEqual([])
  })

  it('frees everything of the last release, and nothing when none goes', () => {
    const only = published('1.0.0')
    expect(new Set(keysOf(freedFiles([only], [])))).toEqual(new Set(keysOf(filesOfPublished(only))))
    expect(freedFiles([], [only])).toEqual([])
  })
})

describe('spaceBytes', () => {
  it('counts bytes once, whatever they are called', () => {
    const digest = digestOf('a')
    expect(
      spaceBytes([
        { key: 'pool/a', digest, sizeBytes: 7 },
        { key: 'oci/a', digest, sizeBytes: 7 },
        { key: 'pool/b', digest: digestOf('b'), sizeBytes: 1 },
      ]),
    ).toBe(8)
  })
})
