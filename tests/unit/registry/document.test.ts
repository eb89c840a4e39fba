import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { ReleaseError } from '../../../src/core/error.ts'
import { mediaTypes, parseDocument, renderPlatform } from '../../../src/registry/document.ts'
import { nextLink } from '../../../src/registry/tags.ts'
import { isSamePlatform, parsePlatform, walkImage } from '../../../src/registry/walk.ts'
import { codeOf, codeOfAsync } from '../../support/codes.ts'

const digest = digestOf('a')
const blob = { mediaType: 'application/octet-stream', digest, size: 1 }
const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: blob, layers: [blob] }
const index = (manifests: readonly object[]) => ({ schemaVersion: 2, mediaType: mediaTypes.index, manifests })
const bytesOf = (document: unknown) => Buffer.from(JSON.stringify(document))
const parse = (document: unknown, mediaType: string) => parseDocument(bytesOf(document), mediaType, 'here')

describe('a document', () => {
  it('is an index or a manifest, with the digest of its bytes', () => {
    const bytes = bytesOf(manifest)
    const stored = parseDocument(bytes, mediaTypes.manifest, 'here')
    expect(stored).toMatchObject({ digest: digestOf(bytes), sizeBytes: bytes.length, document: { kind: 'manifest' } })
    expect(parse(index([]), mediaTypes.index).document).toEqual({ kind: 'index', manifests: [], annotations: {} })
    expect(parse({ manifests: [] }, mediaTypes.dockerIndex).document.kind).toBe('index')
  })

  it.each([
    ['of two kinds', { ...manifest, manifests: [] }, mediaTypes.manifest],
    ['of two kinds', { ...index([]), layers: [] }, mediaTypes.index],
    ['of another type than it was named as', manifest, mediaTypes.index],
    ['of another type than it was named as', manifest, mediaTypes.dockerManifest],
    ['without layers', { ...manifest, layers: undefined }, mediaTypes.manifest],
    ['with a negative size', { ...manifest, layers: [{ ...blob, size: -1 }] }, mediaTypes.manifest],
    ['with a size that is no integer', { ...manifest, layers: [{ ...blob, size: 1.5 }] }, mediaTypes.manifest],
    [
      'with a digest that is a path',
      { ...manifest, config: { ...blob, digest: 'sha256:../../x' } },
      mediaTypes.manifest,
    ],
    ['with annotations that are no texts', { ...manifest, annotations: { a: 1 } }, mediaTypes.manifest],
    ['that is a list', [], mediaTypes.manifest],
  ])('%s is refused', (_what, document, mediaType) => {
    expect(codeOf(() => parse(document, mediaType))).toBe('IMAGE_INVALID')
  })

  it('of another form is not supported', () => {
    const old = 'application/vnd.docker.distribution.manifest.v1+json'
    expect(codeOf(() => parse({ schemaVersion: 1 }, old))).toBe('IMAGE_UNSUPPORTED')
  })

  it('is read or refused, never half', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(...Object.values(mediaTypes)), (text, mediaType) => {
        const code = codeOf(() => parseDocument(Buffer.from(text), mediaType, 'here'))
        expect([undefined, 'IMAGE_INVALID', 'IMAGE_UNSUPPORTED']).toContain(code)
      }),
    )
  })
})

describe('the parts of an image', () => {
  const stored = parse(manifest, mediaTypes.manifest)
  const entry = (architecture: string, variant?: string) => ({
    mediaType: mediaTypes.manifest,
    digest: stored.digest,
    size: stored.sizeBytes,
    platform: { os: 'linux', architecture, variant },
  })
  const walk = (entries: readonly object[], platforms?: readonly string[]) =>
    walkImage(parse(index(entries), mediaTypes.index), () => stored, platforms?.map(parsePlatform))

  it('are its documents, the root last, and its blobs, each once', async () => {
    const parts = await walk([entry('amd64')])
    expect(parts.documents.map(({ document }) => document.kind)).toEqual(['manifest', 'index'])
    expect(parts.blobs.map(part => part.digest)).toEqual([digest])
  })

  it('are those of the platforms that are asked for', async () => {
    expect((await walk([entry('amd64'), entry('arm64', 'v8')], ['linux/arm64'])).manifests).toMatchObject([
      { platform: { architecture: 'arm64' } },
    ])
  })

  it('cannot be had for a platform that the image is not for', async () => {
    expect(await codeOfAsync(walk([entry('amd64')], ['linux/arm64']))).toBe('IMAGE_UNSUPPORTED')
  })

  it('have the sizes that the index says', async () => {
    expect(await codeOfAsync(walk([{ ...entry('amd64'), size: 5 }]))).toBe('IMAGE_INVALID')
  })

  it('come to an end', async () => {
    let depth = 0
    const deeper = () => {
      depth += 1
      const size = bytesOf(
        index([
          { mediaType: mediaTypes.index, digest, size: 999 },
          { ...blob, digest: digestOf(`${depth}`) },
        ]),
      ).length
      return parse(
        index([
          { mediaType: mediaTypes.index, digest, size },
          { ...blob, digest: digestOf(`${depth}`) },
        ]),
        mediaTypes.index,
      )
    }
    const root = deeper()
    expect(await codeOfAsync(walkImage(root, deeper, undefined))).toBe('IMAGE_INVALID')
    expect(depth).toBeLessThan(10)
  })
})

describe('platforms', () => {
  it.each([
    ['linux/arm64/v8', 'linux/arm64', true],
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/arm/v6', 'linux/arm/v7', false],
    ['linux/arm', 'linux/arm/v7', true],
    ['linux/amd64', 'linux/arm64', false],
    ['windows/amd64', 'linux/amd64', false],
  ])('%s serves %s: %s', (found, wanted, expected) => {
    expect(isSamePlatform(parsePlatform(found), parsePlatform(wanted))).toBe(expected)
  })

  it('are written as they are read', () => {
    expect(renderPlatform(parsePlatform('linux/arm/v7'))).toBe('linux/arm/v7')
    expect(codeOf(() => parsePlatform('linux'))).toBe('USAGE')
    expect(codeOf(() => parsePlatform('linux/amd64/../x'))).toBe('USAGE')
  })
})

it.each([
  ['</v2/a/tags/list?n=2&last=b>; rel="next"', '/v2/a/tags/list?n=2&last=b'],
  ['</x>; rel=next', '/x'],
  ['</a>; rel="prev", </b>; rel="next"', '/b'],
  ['</a>; rel="prev"', undefined],
  [undefined, undefined],
])('the next page of %j is %j', (header, expected) => {
  expect(nextLink(header)).toBe(expected)
})

it('errors of documents name the place', () => {
  try {
    parseDocument(Buffer.from('{'), mediaTypes.index, 'registry.example/a:1')
    expect.unreachable()
  } catch (caught) {
    expect((caught as ReleaseError).message).toContain('registry.example/a:1')
    expect(caught).toBeInstanceOf(ReleaseError)
  }
})
