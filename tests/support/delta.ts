import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import type { Json } from '../../src/core/canonical-json.ts'
import { applyDelta } from '../../src/payload/delta/apply.ts'
import { createDelta, type DeltaArtifact } from '../../src/payload/delta/create.ts'
import { deltaHeaderBytes, deltaMagic } from '../../src/payload/delta/format.ts'
import { openDelta } from '../../src/payload/delta/open.ts'
import { writeFolders } from '../../src/payload/extract.ts'
import type { PayloadManifest } from '../../src/payload/manifest.ts'
import { type TestFiles, type TestPayload, testPayload, testTree } from './payload.ts'
import { tempFolder } from './temp.ts'

/** A delta pack between two releases, and where the files of the earlier one are. */
export interface TestDelta {
  readonly old: TestPayload
  readonly next: TestPayload
  readonly oldFolder: string
  readonly manifest: PayloadManifest
  readonly artifact: DeltaArtifact
  readonly file: string
  readonly bytes: Buffer
}

/** Pack both trees and make a delta pack from the one to the other. */
export async function testDelta(oldFiles: TestFiles, nextFiles: TestFiles): Promise<TestDelta> {
  const folder = tempFolder()
  const at = (name: string) => path.join(folder, name)
  for (const name of ['old', 'next']) fs.mkdirSync(at(`${name}/tree`), { recursive: true })
  const old = await testPayload(at('old'), testTree(at('old/tree'), oldFiles))
  const next = await testPayload(at('next'), testTree(at('next/tree'), nextFiles))
  const file = at('delta')
  const artifact = await createDelta({ ...sidesOf({ old, next }), file })
  const { manifest } = next
  return { old, next, oldFolder: at('old/tree'), manifest, artifact, file, bytes: fs.readFileSync(file) }
}

/** The two releases as `createDelta` wants them. */
export function sidesOf({ old, next }: Pick<TestDelta, 'old' | 'next'>) {
  return {
    old: { manifest: old.manifest, source: old.source() },
    new: { manifest: next.manifest, source: next.source() },
  }
}

/** Apply a delta pack to an empty folder, and return what was written there. */
export async function applied(
  { manifest, oldFolder }: Pick<TestDelta, 'manifest' | 'oldFolder'>,
  delta: string | Uint8Array,
  folder: string = tempFolder(),
): Promise<{ readonly folder: string; readonly written: ReadonlySet<string> }> {
  const opened = openDelta(delta, manifest)
  writeFolders(manifest, folder)
  return { folder, written: await applyDelta({ delta: opened, manifest, oldFolder, folder }) }
}

/** The files below a folder, ascending. */
export function filesBelow(folder: string): string[] {
  const entries = fs.readdirSync(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter(entry => !entry.isDirectory())
    .map(entry => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .toSorted()
}

/** An index as JSON that a test may change as it likes. */
export type LooseIndex = { [key: string]: LooseIndex } & LooseIndex[]

/** Write a delta pack again with another index, and with other pieces when they are given. */
export function withIndex(bytes: Buffer, change: (index: LooseIndex) => unknown, pieces?: Buffer): Buffer {
  const start = deltaHeaderBytes
  const end = start + bytes.readUInt32LE(deltaMagic.byteLength)
  const index = JSON.parse(zlib.zstdDecompressSync(bytes.subarray(start, end)).toString()) as LooseIndex
  change(index)
  return packOf(Buffer.from(JSON.stringify(index as Json)), pieces ?? bytes.subarray(end))
}

/** A delta pack of any text as index. */
export function packOf(index: Buffer, pieces: Buffer): Buffer {
  const compressed = zlib.zstdCompressSync(index)
  const sizeBytes = Buffer.alloc(4)
  sizeBytes.writeUInt32LE(compressed.byteLength)
  return Buffer.concat([deltaMagic, sizeBytes, compressed, pieces])
}
