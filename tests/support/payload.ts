import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { compareBytes } from '../../src/core/relative-path.ts'
import type { Tree, TreeEntry } from '../../src/core/tree.ts'
import { createTarball, type TarballArtifact } from '../../src/envelope/tarball.ts'
import type { Codec, PayloadManifest } from '../../src/payload/manifest.ts'
import { packPayload } from '../../src/payload/pack.ts'
import type { SegmentSink } from '../../src/payload/sink.ts'
import { openSegmentSource, type SegmentSource } from '../../src/payload/source.ts'

/** What a test says of a tree: text or bytes of a file, `{ link }` for a symbolic link, `null` for an empty folder. */
export type TestFiles = Readonly<Record<string, string | Uint8Array | { readonly link: string } | null>>

/** 2026-01-01T00:00:00Z: when everything in the test payloads was made. */
export const testEpoch = 1_767_225_600

/** Write files below a folder and describe them as a tree at `opt/app`. A path that ends in `.sh` is executable. */
export function testTree(folder: string, files: TestFiles): Tree {
  const entries = new Map<string, TreeEntry>()
  for (const [name, content] of Object.entries(files)) {
    for (const parent of foldersAbove(name)) entries.set(parent, { type: 'directory', path: parent, mode: 0o755 })
    const source = path.join(folder, name)
    if (content === null) {
      fs.mkdirSync(source, { recursive: true })
      entries.set(name, { type: 'directory', path: name, mode: 0o755 })
      continue
    }
    fs.mkdirSync(path.dirname(source), { recursive: true })
    if (typeof content === 'object' && 'link' in content) {
      entries.set(name, { type: 'symlink', path: name, linkTarget: content.link })
      continue
    }
    fs.writeFileSync(source, content)
    const mode = name.endsWith('.sh') ? 0o755 : 0o644
    entries.set(name, { type: 'file', path: name, mode, sizeBytes: Buffer.byteLength(content), source })
  }
  return { root: 'opt/app', entries: [...entries.values()].sort(inTarOrder) }
}

/** A payload that was packed into a tarball. */
export interface TestPayload {
  readonly manifest: PayloadManifest
  readonly file: string
  readonly artifact: TarballArtifact
  readonly md5sums: ReadonlyMap<string, string>
  /** A new source that reads the tarball. */
  readonly source: () => SegmentSource
}

/** Pack a tree into `FOLDER/app-1.0.0.tar.zst`. */
export async function testPayload(
  folder: string,
  tree: Tree,
  options: {
    readonly codec?: Codec['name']
    readonly sinks?: readonly SegmentSink[]
    readonly epoch?: number
  } = {},
): Promise<TestPayload> {
  const codec = options.codec ?? 'zstd'
  const file = path.join(folder, `app-1.0.0.tar.${codec === 'zstd' ? 'zst' : 'gz'}`)
  const tarball = createTarball(file, codec)
  const { manifest, md5sums } = await packPayload({
    tree,
    name: 'app',
    version: '1.0.0',
    sourceDateEpoch: options.epoch ?? testEpoch,
    codec,
    level: 3,
    recipe: { schema: 1, name: 'app', node: {}, environments: {} },
    sinks: [tarball, ...(options.sinks ?? [])],
    withMd5: true,
  })
  const artifact = tarball.finish(manifest)
  const url = pathToFileURL(file).href
  const source = () => openSegmentSource({ url, payloadOffset: artifact.payloadOffset, manifest })
  return { manifest, file, artifact, md5sums, source }
}

/** Bytes that look random but are the same in every run, and do not compress. */
export function noise(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(Math.ceil(sizeBytes / 4) * 4)
  let state = seed | 0 || 1
  for (let at = 0; at < bytes.byteLength; at += 4) {
    // xorshift32
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes.writeInt32LE(state, at)
  }
  return bytes.subarray(0, sizeBytes)
}

function foldersAbove(name: string): string[] {
  const names = name.split('/').slice(0, -1)
  return names.map((_, index) => names.slice(0, index + 1).join('/'))
}

function inTarOrder(a: TreeEntry, b: TreeEntry): number {
  return Number(a.type === 'symlink') - Number(b.type === 'symlink') || compareBytes(a.path, b.path)
}
