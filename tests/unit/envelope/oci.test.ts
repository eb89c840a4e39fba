import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { list, type ReadEntry } from 'tar'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/core/digest.ts'
import { payloadManifestAnnotation, payloadManifestType } from '../../../src/envelope/oci.ts'
import { parseManifest } from '../../../src/payload/manifest.ts'
import { makeImage, type TestEnvelopes, testEnvelopes } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

let envelopes: TestEnvelopes
let folder: string

beforeAll(async () => {
  envelopes = await testEnvelopes(tempFolder(), { 'bin/run.sh': '#!/bin/sh\n' })
  folder = envelopes.imageOptions.folder
})

type Document = { [key: string]: Document } & Document[] & string

const json = (name: string) => JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as Document
const blob = (descriptor: Document) => `blobs/sha256/${String(descriptor['digest']).slice('sha256:'.length)}`

describe('createImage', () => {
  it('names the image by its version and leads to a manifest for each platform', () => {
    const artifact = makeImage(envelopes)
    const entry = json('index.json')['manifests']!
    expect(entry.length).toBe(1)
    expect(entry[0]!['digest']).toBe(artifact.digest)
    expect(entry[0]!['annotations']).toEqual({ 'org.opencontainers.image.ref.name': '1.0.0' })
    const index = json(blob(entry[0]!))
    expect([...index['manifests']!].map(each => each['platform'])).toEqual([
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
    ])
  })

  it('has the tarball as its layer and the digest of its tar as diff_id', () => {
    makeImage(envelopes, { config: { ...envelopes.imageOptions.config, volumes: [] } })
    const manifest = json(blob(json(blob(json('index.json')['manifests']![0]!))['manifests']![0]!))
    expect(manifest['layers']).toEqual([
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
        digest: envelopes.artifact.digest,
        size: envelopes.artifact.sizeBytes,
      },
    ])
    const config = json(blob(manifest['config']!))
    expect(config['rootfs']).toEqual({ type: 'layers', diff_ids: [envelopes.manifest.tar.digest] })
    expect(config['created']).toBe('2026-01-01T00:00:00.000Z')
    expect(config['config']).toEqual({
      User: '65534:65534',
      WorkingDir: '/opt/app',
      Env: ['A=1', 'B=2'],
      Entrypoint: ['/opt/app/bin/run.sh'],
      ExposedPorts: { '8080/tcp': {} },
      Labels: { a: 'b' },
    })
    expect(manifest['annotations']).toMatchObject({ 'org.opencontainers.image.version': '1.0.0' })
  })

  it('has folders for its volumes that belong to its user', () => {
    makeImage(envelopes)
    const manifest = json(blob(json(blob(json('index.json')['manifests']![0]!))['manifests']![0]!))
    const config = json(blob(manifest['config']!))
    expect(config['config']!['Volumes']).toEqual({ '/data': {} })
    const tar = zlib.zstdDecompressSync(fs.readFileSync(path.join(folder, blob(manifest['layers']![0]!))))
    expect(config['rootfs']!['diff_ids']).toEqual([digestOf(tar), envelopes.manifest.tar.digest])
    const entries: unknown[] = []
    const onReadEntry = ({ path: name, type, uid, gid, mode }: ReadEntry) =>
      entries.push({ name, type, uid, gid, mode })
    list({ onReadEntry, strict: true, sync: true }).end(tar)
    expect(entries).toEqual([{ name: './data/', type: 'Directory', uid: 65534, gid: 65534, mode: 0o750 }])
  })

  it.each(['0', '0:0', 'web'])('has no folders for volumes when it runs as %s', user => {
    makeImage(envelopes, { config: { ...envelopes.imageOptions.config, user } })
    const manifest = json(blob(json(blob(json('index.json')['manifests']![0]!))['manifests']![0]!))
    expect(manifest['layers']!.length).toBe(1)
  })

  it('carries the payload manifest as an artifact that refers to the image', () => {
    const artifact = makeImage(envelopes)
    const manifests = artifact.blobs.filter(each => each.mediaType.endsWith('image.manifest.v1+json'))
    const referrer = manifests.map(each => json(`blobs/sha256/${hexOf(each.digest)}`)).find(each => 'subject' in each)!
    expect(referrer['artifactType']).toBe(payloadManifestType)
    expect(referrer['subject']!['digest']).toBe(artifact.digest)
    const bytes = fs.readFileSync(path.join(folder, blob(referrer['layers']![0]!)))
    expect(parseManifest(bytes)).toEqual(envelopes.manifest)
    const index = json(blob(json('index.json')['manifests']![0]!))
    expect(index['annotations']![payloadManifestAnnotation]).toBe(digestOf(bytes))
  })

  it('lists every blob with its size, and says which is the tarball', () => {
    const artifact = makeImage(envelopes)
    const names = fs.readdirSync(path.join(folder, 'blobs/sha256')).sort()
    expect([...artifact.blobs.map(each => hexOf(each.digest)), hexOf(artifact.digest)].sort()).toEqual(names)
    for (const each of artifact.blobs) {
      const bytes = fs.readFileSync(path.join(folder, 'blobs/sha256', hexOf(each.digest)))
      expect([digestOf(bytes), bytes.byteLength]).toEqual([each.digest, each.sizeBytes])
    }
    const shared = artifact.blobs.filter(each => each.sameAs !== undefined)
    expect(shared.map(each => [each.digest, each.sameAs])).toEqual([
      [envelopes.artifact.digest, envelopes.artifact.name],
    ])
  })

  it('does not copy the tarball', () => {
    makeImage(envelopes)
    const layer = path.join(folder, 'blobs/sha256', hexOf(envelopes.artifact.digest))
    expect(fs.statSync(layer).ino).toBe(fs.statSync(envelopes.file).ino)
  })

  it('makes the same image again over what is there', () => {
    const first = makeImage(envelopes)
    fs.writeFileSync(path.join(folder, 'blobs/sha256/left-over'), 'x')
    expect(makeImage(envelopes)).toEqual(first)
    expect(fs.existsSync(path.join(folder, 'blobs/sha256/left-over'))).toBe(false)
  })
})
