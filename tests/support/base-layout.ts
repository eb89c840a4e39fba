import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { Header } from 'tar'
import { canonicalJson } from '../../src/core/canonical-json.ts'
import { type Digest, digestOf, hexOf } from '../../src/core/digest.ts'

/** A member of a tar, a file unless it says otherwise. */
export interface TestMember {
  readonly path: string
  readonly content?: string | Buffer
  readonly type?: 'File' | 'Directory' | 'SymbolicLink' | 'Link' | 'CharacterDevice' | 'FIFO'
  readonly linkpath?: string
  readonly mode?: number
}

/** A descriptor as it stands in documents. */
export interface TestDescriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

/** A layer that was written, with the digest of its tar. */
export interface TestLayer {
  readonly descriptor: TestDescriptor
  readonly diffId: Digest
}

const ociLayer = 'application/vnd.oci.image.layer.v1.tar'
/** The types of documents. */
export const testTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const

/** Write a tar, whatever its members are called. */
export function tarOf(members: readonly TestMember[]): Buffer {
  const blocks = members.flatMap(({ path: name, content = '', type = 'File', linkpath, mode }) => {
    const bytes = Buffer.from(content)
    const header = Buffer.alloc(512)
    const isFile = type === 'File'
    new Header({
      path: name,
      type,
      size: isFile ? bytes.byteLength : 0,
      mode: mode ?? (type === 'Directory' ? 0o755 : 0o644),
      uid: 0,
      gid: 0,
      mtime: new Date(0),
      ...(linkpath === undefined ? {} : { linkpath }),
    }).encode(header)
    return isFile ? [header, bytes, Buffer.alloc((512 - (bytes.byteLength % 512)) % 512)] : [header]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

/** An image layout that a test writes as it likes. */
export class TestLayout {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
    fs.mkdirSync(path.join(folder, 'blobs', 'sha256'), { recursive: true })
  }

  file(digest: Digest): string {
    return path.join(this.folder, 'blobs', 'sha256', hexOf(digest))
  }

  put(bytes: Buffer, mediaType: string): TestDescriptor {
    const digest = digestOf(bytes)
    fs.writeFileSync(this.file(digest), bytes)
    return { mediaType, digest, size: bytes.byteLength }
  }

  putJson(value: unknown, mediaType: string): TestDescriptor {
    return this.put(Buffer.from(canonicalJson(value)), mediaType)
  }

  layer(members: readonly TestMember[], codec: 'none' | 'gzip' | 'zstd' = 'gzip', mediaType?: string): TestLayer {
    const tar = tarOf(members)
    const plain = { none: tar, gzip: zlib.gzipSync(tar), zstd: zlib.zstdCompressSync(tar) }[codec]
    const type = mediaType ?? (codec === 'none' ? ociLayer : `${ociLayer}+${codec}`)
    return { descriptor: this.put(plain, type), diffId: digestOf(tar) }
  }

  /** Write configuration and manifest of one platform. `config` and `manifest` replace members of the usual ones. */
  image(
    platform: string,
    layers: readonly TestLayer[],
    changes: {
      readonly config?: Readonly<Record<string, unknown>>
      readonly manifest?: Readonly<Record<string, unknown>>
      readonly configType?: string
    } = {},
  ): TestDescriptor & { readonly platform: object } {
    const [os, architecture, variant] = platform.split('/')
    const config = this.putJson(
      {
        os,
        architecture,
        variant,
        config: {},
        rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
        ...changes.config,
      },
      changes.configType ?? testTypes.config,
    )
    const document = {
      schemaVersion: 2,
      mediaType: testTypes.manifest,
      config,
      layers: layers.map(({ descriptor }) => descriptor),
      ...changes.manifest,
    }
    return { ...this.putJson(document, String(document.mediaType)), platform: { os, architecture, variant } }
  }

  index(manifests: readonly TestDescriptor[], mediaType: string = testTypes.index): TestDescriptor {
    return this.putJson({ schemaVersion: 2, mediaType, manifests }, mediaType)
  }

  /** End it. Each image stands under a name, or without one. */
  finish(images: readonly (readonly [TestDescriptor, name?: string])[]): void {
    const manifests = images.map(([{ mediaType, digest, size }, name]) => ({
      mediaType,
      digest,
      size,
      annotations: name === undefined ? undefined : { 'org.opencontainers.image.ref.name': name },
    }))
    fs.writeFileSync(path.join(this.folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    fs.writeFileSync(path.join(this.folder, 'index.json'), canonicalJson({ schemaVersion: 2, manifests }))
  }
}

/** The settings of the usual base. */
export const baseRun = {
  User: 'web',
  Env: ['PATH=/usr/bin:/bin', 'LANG=C'],
  Entrypoint: ['/bin/tini', '--'],
  Cmd: ['/bin/sh'],
  WorkingDir: '/srv',
  ExposedPorts: { '80/tcp': {} },
  Volumes: { '/cache': {} },
  Labels: { vendor: 'base' },
  StopSignal: 'SIGINT',
} as const

const passwd = 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/srv:/bin/sh\n'
const group = 'root:x:0:\nweb:x:1000:\n'

/** Write a small base for two platforms, named `stable`: two layers, the upper one in Docker's type. Hand back the index. */
export function baseLayout(
  folder: string,
  changes: { readonly members?: readonly TestMember[]; readonly run?: object; readonly history?: unknown } = {},
): TestDescriptor {
  const layout = new TestLayout(folder)
  const lower = layout.layer(
    [
      { path: 'etc/', type: 'Directory' },
      { path: 'etc/passwd', content: passwd },
      { path: 'etc/group', content: group },
      { path: 'usr/', type: 'Directory' },
      { path: 'usr/lib/', type: 'Directory' },
      { path: 'lib', type: 'SymbolicLink', linkpath: 'usr/lib' },
    ],
    'zstd',
  )
  const upper = layout.layer(changes.members ?? [{ path: 'srv/', type: 'Directory' }], 'gzip', testTypes.dockerLayer)
  const config = {
    config: changes.run ?? baseRun,
    history: changes.history ?? [{ created_by: 'a' }, { created_by: 'b' }],
  }
  const index = layout.index([
    layout.image('linux/amd64', [lower, upper], { config }),
    layout.image('linux/arm64/v8', [lower, upper], { config }),
  ])
  layout.finish([[index, 'stable']])
  return index
}
