import fs from 'node:fs'
import path from 'node:path'
import { recordBytes } from '../../src/payload/release-record.ts'
import type { OutletRelease, OutletTools, Standing } from '../../src/repository/outlets/outlet.ts'
import { openReceipts } from '../../src/repository/outlets/receipts.ts'
import { type MadeRelease, makeRelease } from './made-release.ts'
import { type RecordedRegistryTools, registryTools } from './registry-tools.ts'

/** Tools for outlets that do not wait, and record what they were asked for. */
export type RecordedOutletTools = OutletTools & RecordedRegistryTools

/** Make tools whose waits are over at once; receipts are in the folder of the release. */
export function outletTools(folder: string, options: { readonly signal?: AbortSignal } = {}): RecordedOutletTools {
  const receipts = openReceipts(path.join(folder, 'outlets.ndjson'))
  return { ...registryTools(options), receipts, onProgress: () => {} }
}

/** How a release stands that is the newest everywhere. */
export const newest: Standing = { heads: ['edge', 'beta', 'stable'], vacated: [], isStable: true, isLatest: true }

/** Write a release as `cut` leaves it, with an image that is whole, for an outlet. */
export function makeOutletRelease(made: MadeRelease, standing: Standing = newest): OutletRelease {
  const record = makeRelease(made)
  const folder = path.join(made.distFolder, made.version)
  for (const artifact of record.components.flatMap(({ artifacts }) => artifacts)) {
    if (artifact.kind !== 'oci') continue
    const layout = path.join(folder, artifact.name)
    for (const { digest, sameAs } of artifact.blobs) {
      if (sameAs === undefined) continue
      fs.copyFileSync(path.join(folder, sameAs), path.join(layout, 'blobs/sha256', digest.slice('sha256:'.length)))
    }
    const { mediaType, digest, sizeBytes } = artifact
    fs.writeFileSync(path.join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    const index = { manifests: [{ mediaType, digest, size: sizeBytes }] }
    fs.writeFileSync(path.join(layout, 'index.json'), JSON.stringify(index))
  }
  return { record, standing, folder, recordBytes: recordBytes(record) }
}
