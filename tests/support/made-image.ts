import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { canonicalJson } from '../../src/core/canonical-json.ts'
import { type Digest, digestOf, hexOf } from '../../src/core/digest.ts'

/** What an image made by hand is like. */
export interface MadeImageOptions {
  readonly folder: string
  /** Makes the bytes of this image differ from others. */
  readonly seed?: string
  readonly layerBytes?: number
  readonly codec?: 'gzip' | 'zstd'
  readonly platforms?: readonly string[]
  /** A layer below the own one, as of a base image. */
  readonly baseLayer?: Buffer
  /** The reference of the base image, as annotation. */
  readonly baseName?: string
  readonly referrers?: readonly string[]
}

/** An image layout that was made by hand. */
export interface MadeImage {
  readonly folder: string
  /** The digest of the index. */
  readonly digest: Digest
  readonly manifests: readonly Digest[]
  readonly layer: { readonly digest: Digest; readonly sizeBytes: number }
  readonly referrers: readonly Digest[]
  readonly file: (digest: Digest) => string
}

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
} as const

/** Write an image layout with real layers: one file of pseudo-random bytes in a tar, compressed. */
export function makeImage(options: MadeImageOptions): MadeImage {
  const { folder, seed = 'a', codec = 'gzip', platforms = ['linux/amd64', 'linux/arm64'] } = options
  const file = (digest: Digest) => path.join(folder, 'blobs', 'sha256', hexOf(digest))
  fs.mkdirSync(path.dirname(file(digestOf(''))), { recursive: true })
  const put = (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes)
    fs.writeFileSync(file(digest), bytes)
    return { mediaType, digest, size: bytes.byteLength }
  }
  const putJson = (value: unknown, mediaType: string) => put(Buffer.from(canonicalJson(value)), mediaType)
  const tars = [
    ...(options.baseLayer === undefined ? [] : [options.baseLayer]),
    oneFileTar(seed, options.layerBytes ?? 2000),
  ]
  const compress = codec === 'gzip' ? (bytes: Buffer) => gzipSync(bytes, { level: 1 }) : zstdCompressSync
  const layers = tars.map(tar => put(compress(tar), `application/vnd.oci.image.layer.v1.tar+${codec}`))
  const annotations =
    options.baseName === undefined ? undefined : { 'org.opencontainers.image.base.name': options.baseName }
  const manifests = platforms.map(platform => {
    const [os = '', architecture = ''] = platform.split('/')
    const rootfs = { type: 'layers', diff_ids: tars.map(tar => digestOf(tar)) }
    const config = putJson({ architecture, os, config: { Cmd: ['/a'] }, rootfs }, types.config)
    const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers, annotations }
    return { ...putJson(manifest, types.manifest), platform: { os, architecture } }
  })
  const index = putJson({ schemaVersion: 2, mediaType: types.index, manifests, annotations }, types.index)
  const referrers = (options.referrers ?? []).map(text => {
    const config = put(Buffer.from('{}'), types.empty)
    const layer = put(Buffer.from(text), 'text/plain')
    const document = { schemaVersion: 2, mediaType: types.manifest, artifactType: 'text/x-note', config }
    return putJson({ ...document, layers: [layer], subject: index }, types.manifest).digest
  })
  const entry = { ...index, annotations: { 'org.opencontainers.image.ref.name': '1.0.0' } }
  fs.writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  fs.writeFileSync(
    path.join(folder, 'index.json'),
    canonicalJson({ schemaVersion: 2, mediaType: types.index, manifests: [entry] }),
  )
  const top = layers.at(-1)!
  return {
    folder,
    digest: index.digest,
    manifests: manifests.map(({ digest }) => digest),
    layer: { digest: top.digest, sizeBytes: top.size },
    referrers,
    file,
  }
}

/** A tar with the file `a`, of bytes that do not compress and are the same every time. */
export function oneFileTar(seed: string, sizeBytes: number): Buffer {
  const content = Buffer.concat(
    Array.from({ length: Math.ceil(sizeBytes / 64) }, (_, at) => createHash('sha512').update(`${seed} ${at}`).digest()),
    sizeBytes,
  )
  const header = Buffer.alloc(512)
  header.write('a', 0)
  header.write('0000755\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.fill(' ', 148, 156)
  header.write('0', 156)
  header.write('ustar\u000000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, content, Buffer.alloc(1024 + ((512 - (sizeBytes % 512)) % 512))])
}
