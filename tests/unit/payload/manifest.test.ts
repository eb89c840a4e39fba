import path from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  compressedManifest,
  manifestBytes,
  type PayloadManifest,
  parseManifest,
  segmentsOfContent,
} from '../../../src/payload/manifest.ts'
import { noise, testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

type Mutable = { [key: string]: Mutable } & Mutable[]

let manifest: PayloadManifest

beforeAll(async () => {
  const folder = tempFolder()
  const files = {
    'a/empty': '',
    'a/large': noise(9 * 1024 * 1024),
    'a/text': 'text',
    'b/c/deep': 'deep',
    'b/link': { link: '../a/text' },
  }
  manifest = (await testPayload(folder, testTree(path.join(folder, 'tree'), files))).manifest
})

const invalid = expect.objectContaining({ code: 'MANIFEST_INVALID' })

function changed(change: (document: Mutable) => unknown): Buffer {
  const document = JSON.parse(manifestBytes(manifest).toString()) as Mutable
  change(document)
  return Buffer.from(JSON.stringify(document))
}

describe('parseManifest', () => {
  it('reads what was written, plain or compressed, and keeps members that it does not know', () => {
    expect(parseManifest(manifestBytes(manifest))).toEqual(manifest)
    expect(parseManifest(compressedManifest(manifest))).toEqual(manifest)
    expect(parseManifest(changed(document => Object.assign(document, { later: 1 })))).toHaveProperty('later', 1)
  })

  it('refuses a manifest that is cut at any byte', () => {
    const bytes = manifestBytes(manifest)
    for (let sizeBytes = 0; sizeBytes < bytes.byteLength; sizeBytes += 1) {
      expect(() => parseManifest(bytes.subarray(0, sizeBytes)), `${sizeBytes}`).toThrow(invalid)
    }
    const compressed = compressedManifest(manifest)
    for (let sizeBytes = 4; sizeBytes < compressed.byteLength; sizeBytes += 1) {
      expect(() => parseManifest(compressed.subarray(0, sizeBytes)), `${sizeBytes} compressed`).toThrow(invalid)
    }
  })

  it('says that a newer one was written by a newer version', () => {
    const newer = changed(document => Object.assign(document, { schema: 2 }))
    expect(() => parseManifest(newer)).toThrow(expect.objectContaining({ code: 'DOCUMENT_NEWER' }))
  })

  const hostile: readonly (readonly [string, (document: Mutable) => unknown])[] = [
    ['a path that climbs', document => Object.assign(document['files']![0]!, { path: '../a' })],
    ['an absolute path', document => Object.assign(document['files']![0]!, { path: '/a' })],
    ['a root that climbs', document => Object.assign(document, { root: '../..' })],
    ['a link out of the tree', document => Object.assign(document['files']!.at(-1)!, { linkTarget: '../../x' })],
    ['an absolute link', document => Object.assign(document['files']!.at(-1)!, { linkTarget: '/etc' })],
    ['a file twice', document => document['files']!.splice(2, 0, document['files']![1]!)],
    [
      'a file below a link',
      document => {
        Object.assign(document['files']![0]!, { type: 'symlink', linkTarget: 'b' })
      },
    ],
    ['an unknown type', document => Object.assign(document['files']![0]!, { type: 'device' })],
    ['setuid', document => Object.assign(document['files']![1]!, { mode: 0o4755 })],
    ['a negative size', document => Object.assign(document['files']![1]!, { sizeBytes: -1 })],
    ['a fraction', document => Object.assign(document['files']![1]!, { sizeBytes: 0.5 })],
    ['a file behind the tar', document => Object.assign(document['files']![2]!, { sizeBytes: 2 ** 40 })],
    ['a file over another', document => Object.assign(document['files']![3]!, { tarOffset: 2048 })],
    ['a wrong segment', document => Object.assign(document['files']![2]!, { lastSegment: 0 })],
    ['a segment that is too large', document => Object.assign(document['segments']![0]!, { tarSizeBytes: 2 ** 30 })],
    ['an empty segment', document => Object.assign(document['segments']![0]!, { sizeBytes: 0 })],
    ['a gap between segments', document => Object.assign(document['segments']![1]!, { offset: 1 })],
    ['segments out of order', document => document['segments']!.reverse()],
    ['a missing segment', document => document['segments']!.pop()],
    ['a digest of another form', document => Object.assign(document['segments']![0]!, { digest: 'md5:00' })],
    ['an unknown codec', document => Object.assign(document['codec']!, { name: 'xz' })],
    ['files that are no list', document => Object.assign(document, { files: {} })],
    ['no recipe', document => delete document['recipe']],
    ['a version of another form', document => Object.assign(document, { version: '1.0' })],
  ]

  it.each(hostile)('refuses %s', (_, change) => {
    expect(() => parseManifest(changed(change))).toThrow(invalid)
  })

  it('refuses more files or segments than it would look at', () => {
    const many = Array.from({ length: 2_000_001 }, () => 0)
    for (const list of ['files', 'segments']) {
      const bytes = changed(document => Object.assign(document, { [list]: many }))
      expect(() => parseManifest(bytes)).toThrow(
        expect.objectContaining({ message: expect.stringContaining('at most') }),
      )
      expect(() => parseManifest(bytes)).toThrow(invalid)
    }
  })

  it('throws nothing but its own error at any JSON', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        expect(() => parseManifest(Buffer.from(text))).toThrow(invalid)
      }),
    )
  })

  it('throws nothing but its own error when any member is replaced', () => {
    const text = manifestBytes(manifest).toString()
    const members = [...text.matchAll(/"(\w+)":/g)].map(match => match.index + match[0].length)
    fc.assert(
      fc.property(fc.constantFrom(...members), fc.jsonValue(), (at, value) => {
        const end = text.slice(at).search(/[,}\]]/) + at
        try {
          parseManifest(Buffer.from(`${text.slice(0, at)}${JSON.stringify(value)}${text.slice(end)}`))
        } catch (caught) {
          expect(['MANIFEST_INVALID', 'DOCUMENT_NEWER']).toContain((caught as { code: string }).code)
        }
      }),
    )
  })
})

describe('segmentsOfContent', () => {
  it('names the segments that overlap a content, and for an empty file that of its header', () => {
    const segments = manifest.segments
    const second = segments[1]!.tarOffset
    expect(segmentsOfContent(segments, second, 1)).toEqual({ firstSegment: 1, lastSegment: 1 })
    expect(segmentsOfContent(segments, second - 1, 2)).toEqual({ firstSegment: 0, lastSegment: 1 })
    expect(segmentsOfContent(segments, second, 0)).toEqual({ firstSegment: 0, lastSegment: 0 })
  })
})
