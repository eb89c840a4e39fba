import fs from 'node:fs'
import path from 'node:path'
import { digestOf } from '../../src/core/digest.ts'
import { createDelta } from '../../src/payload/delta/create.ts'
import { compressedManifest, type PayloadManifest } from '../../src/payload/manifest.ts'
import { type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { makeDeb, makeImage, testEnvelopes } from './envelopes.ts'
import { type TestFiles, testPayload, testTree } from './payload.ts'
import { recordOf } from './wanted.ts'

/** A release of `app` 1.0.0 in every envelope, in a folder as `cut` leaves it. */
export interface EnvelopedRelease {
  readonly folder: string
  readonly record: ReleaseRecord
  readonly recordBytes: Buffer
  readonly manifest: PayloadManifest
}

/** Make one below `dist`, with a delta pack from a release that had none of the files. */
export async function envelopedRelease(dist: string, files: TestFiles, tag?: string): Promise<EnvelopedRelease> {
  const folder = path.join(dist, '1.0.0')
  const scratch = path.join(dist, '.scratch')
  for (const each of [path.join(folder, 'tree'), path.join(scratch, 'tree')]) fs.mkdirSync(each, { recursive: true })
  const envelopes = await testEnvelopes(folder, files)
  const { manifest, artifact: tarball } = envelopes
  const stored = compressedManifest(manifest)
  fs.writeFileSync(path.join(folder, 'app-1.0.0.manifest.zst'), stored)
  const old = await testPayload(scratch, testTree(path.join(scratch, 'tree'), { 'old.txt': 'old' }))
  const delta = await createDelta({
    old: { manifest: old.manifest, source: old.source() },
    new: { manifest, source: envelopes.source() },
    file: path.join(folder, 'app-1.0.0-from-0.9.0.delta'),
  })
  const record = recordOf(
    [
      tarball,
      await makeDeb(envelopes),
      makeImage(envelopes),
      {
        kind: 'manifest',
        name: 'app-1.0.0.manifest.zst',
        mediaType: 'application/zstd',
        sizeBytes: stored.byteLength,
        digest: digestOf(stored),
      },
      delta,
    ],
    tag,
  )
  fs.rmSync(path.join(folder, 'tree'), { recursive: true })
  fs.rmSync(scratch, { recursive: true })
  const bytes = recordBytes(record)
  fs.writeFileSync(path.join(folder, 'release.json'), bytes)
  return { folder, record, recordBytes: bytes, manifest }
}
