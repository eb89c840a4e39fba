import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { ReleaseFile } from '../../../src/repository/dist.ts'
import { immutable, pointer } from '../../../src/repository/document.ts'
import { keysToHead, planPublication } from '../../../src/repository/plan.ts'
import { opsOf } from '../../../src/repository/publish.ts'
import { timestampKey } from '../../../src/repository/tuf/state.ts'

const base = digestOf('timestamp before')
const file = (key: string, content: string): ReleaseFile => ({
  key,
  path: key.split('/').at(-1)!,
  sizeBytes: content.length,
  digest: digestOf(content),
  mediaType: 'application/octet-stream',
})
const tarball = file('pool/notes/1.0.0/notes.tar.zst', 'tarball')
const layer = { ...file('oci/notes/blobs/sha256/aa', 'tarball'), path: 'notes.tar.zst' }
const pointers = [
  pointer(timestampKey, 'timestamp', 'application/json'),
  pointer('index.html', 'entrance', 'text/html'),
  pointer('pages/notes/index.html', 'application', 'text/html'),
  pointer('pages/notes/1.0.0/index.html', 'release', 'text/html'),
  pointer('dists/stable/InRelease', 'signed', 'text/plain'),
  pointer('dists/stable/Release.gpg', 'signature', 'text/plain'),
  pointer('dists/stable/Release', 'release', 'text/plain'),
  pointer('dists/stable/main/binary-all/Packages.gz', 'packages', 'application/gzip'),
]
const documents = [
  ...pointers,
  immutable('metadata', 'metadata/2.snapshot.json', Buffer.from('snapshot'), 'application/json'),
  immutable('indexes', 'dists/stable/main/binary-all/by-hash/SHA256/bb', Buffer.from('packages'), 'application/gzip'),
]
const plan = (current: ReadonlyMap<string, ReturnType<typeof digestOf>> = new Map(), files = [layer, tarball]) =>
  planPublication({ base, files, documents, current, sweep: ['old'] })

describe('planPublication', () => {
  it('writes what is pointed to before what points to it, timestamp.json last', () => {
    const keys = plan().phases.flatMap(({ ops }) => ops.map(op => op.key))
    expect(keys).toEqual([
      'pool/notes/1.0.0/notes.tar.zst',
      'oci/notes/blobs/sha256/aa',
      'dists/stable/main/binary-all/by-hash/SHA256/bb',
      'metadata/2.snapshot.json',
      'dists/stable/main/binary-all/Packages.gz',
      'dists/stable/Release',
      'dists/stable/Release.gpg',
      'dists/stable/InRelease',
      'pages/notes/1.0.0/index.html',
      'pages/notes/index.html',
      'index.html',
      'metadata/timestamp.json',
    ])
  })

  it('is the same whatever the order of its input', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(documents, { minLength: documents.length }), shuffled => {
        const other = planPublication({
          base,
          files: [tarball, layer],
          documents: shuffled,
          current: new Map(),
          sweep: ['old'],
        })
        expect(other).toEqual(plan())
      }),
    )
  })

  it('lets a layer share the bytes of the tarball', () => {
    const [first, second] = opsOf(plan(), 'blobs')
    expect(first?.source).toEqual({ kind: 'file', path: 'notes.tar.zst' })
    expect(second?.source).toEqual({ kind: 'file', path: 'notes.tar.zst', sameAs: tarball.key })
  })

  it('writes bytes once that have a name by their hash and a plain one', () => {
    const [plain] = opsOf(plan(), 'pointer').filter(op => op.key.endsWith('Packages.gz'))
    const byHash = 'dists/stable/main/binary-all/by-hash/SHA256/bb'
    expect(plain?.source).toEqual({ kind: 'generated', sameAs: byHash })
  })

  it('writes a key once, though two images share a blob', () => {
    expect(opsOf(plan(new Map(), [tarball, layer, layer]), 'blobs')).toHaveLength(2)
  })

  it('replaces pointers in the place of what is there, and nothing else', () => {
    const before = digestOf('entrance before')
    const ops = plan(new Map([['index.html', before]])).phases.flatMap(planned => planned.ops)
    expect(ops.find(op => op.key === 'index.html')).toMatchObject({ kind: 'replace', replaces: before })
    expect(ops.find(op => op.key === timestampKey)).not.toHaveProperty('replaces')
    expect(ops.filter(op => op.kind === 'replace').map(op => op.key)).toEqual(
      expect.arrayContaining(pointers.map(document => document.key)),
    )
  })

  it('replaces a file that a killed upload left, and keeps one that is the same', () => {
    const left = digestOf('left by a killed upload')
    expect(opsOf(plan(new Map([[tarball.key, left]])), 'blobs')[0]).toMatchObject({ kind: 'replace', replaces: left })
    expect(opsOf(plan(new Map([[tarball.key, tarball.digest]])), 'blobs')[0]).toMatchObject({ kind: 'put' })
  })

  it('needs to know about files and pointers, not about names made of digests', () => {
    const keys = keysToHead([tarball], documents)
    expect(keys).toContain(tarball.key)
    expect(keys).toContain(timestampKey)
    expect(keys).not.toContain('metadata/2.snapshot.json')
  })
})
