import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { digestOf } from '../../src/core/digest.ts'
import { parseReleaseRecord, type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'

/** A document as JSON, to be changed at will. */
export type LooseJson = Record<string, unknown>

/**
 * Change the manifest of a release that `cut` wrote, and have its record name the changed one: what somebody could sign who wants to do harm.
 */
export function changeManifest(distFolder: string, change: (manifest: LooseJson) => void): void {
  const { name } = manifestArtifact(readRecord(distFolder))
  const file = path.join(distFolder, name)
  const manifest = JSON.parse(String(zlib.zstdDecompressSync(fs.readFileSync(file)))) as LooseJson
  change(manifest)
  putManifest(distFolder, zlib.zstdCompressSync(JSON.stringify(manifest)))
}

/** Put any bytes in the place of the manifest, and have the record name them. */
export function putManifest(distFolder: string, bytes: Buffer): void {
  const record = readRecord(distFolder)
  const artifact = manifestArtifact(record)
  fs.writeFileSync(path.join(distFolder, artifact.name), bytes)
  Object.assign(artifact, { sizeBytes: bytes.byteLength, digest: digestOf(bytes) })
  fs.writeFileSync(path.join(distFolder, 'release.json'), recordBytes(record))
}

/**
 * Put other segments into a release whose payload is one file, `file`, with this content, in one segment.
 *
 * `tar` is what the segment is said to be of, `stored` what it is sent as; `codec` how it is said to be compressed.
 */
export function putSegment(
  distFolder: string,
  segment: { readonly tar: Buffer; readonly stored: Buffer; readonly codec: 'zstd' | 'gzip'; readonly content: string },
): void {
  const { tar, stored, codec, content } = segment
  const record = readRecord(distFolder)
  const tarball = record.components[0]!.artifacts.find(artifact => artifact.kind === 'tarball')!
  fs.writeFileSync(path.join(distFolder, tarball.name), stored)
  Object.assign(tarball, { sizeBytes: stored.byteLength, digest: digestOf(stored), payloadOffset: 0 })
  fs.writeFileSync(path.join(distFolder, 'release.json'), recordBytes(record))
  changeManifest(distFolder, manifest => {
    const [sizeBytes, digest] = [Buffer.byteLength(content), digestOf(content)]
    const place = { tarOffset: 512, firstSegment: 0, lastSegment: 0 }
    Object.assign(manifest, {
      codec: { name: codec, level: 3, encoder: 'by hand' },
      segmentsSizeBytes: stored.byteLength,
      tar: { sizeBytes: tar.byteLength + 1024, digest: digestOf(tar) },
      segments: [
        {
          index: 0,
          offset: 0,
          sizeBytes: stored.byteLength,
          digest: digestOf(stored),
          tarOffset: 0,
          tarSizeBytes: tar.byteLength,
          tarDigest: digestOf(tar),
        },
      ],
      files: [{ type: 'file', path: 'file', mode: 0o644, sizeBytes, digest, ...place }],
    })
  })
}

/** A tar of one member with this content, whose header says whatever it is told to. Source: POSIX ustar. */
export function tarOf(
  header: { readonly name: string; readonly mode: number; readonly type: string },
  content: string,
) {
  const block = Buffer.alloc(512)
  block.write(header.name, 0)
  block.write(`${header.mode.toString(8).padStart(7, '0')}\0`, 100)
  block.write('0000000\0'.repeat(2), 108)
  block.write(`${Buffer.byteLength(content).toString(8).padStart(11, '0')}\0`, 124)
  block.write('00000000000\0        ', 136)
  block.write(header.type, 156)
  block.write('/etc/passwd', 157)
  block.write('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([block, Buffer.from(content), Buffer.alloc(512 - (Buffer.byteLength(content) % 512))])
}

function readRecord(distFolder: string): ReleaseRecord {
  return parseReleaseRecord(fs.readFileSync(path.join(distFolder, 'release.json')))
}

function manifestArtifact(record: ReleaseRecord) {
  return record.components[0]!.artifacts.find(artifact => artifact.kind === 'manifest')!
}
