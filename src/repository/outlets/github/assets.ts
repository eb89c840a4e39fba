import path from 'node:path'
import { type Digest, digestOf } from '../../../core/digest.ts'
import { ReleaseError } from '../../../core/error.ts'
import { assetName } from '../../../core/github.ts'
import { formatBytes } from '../../../core/quantity.ts'
import type { OutletRelease } from '../outlet.ts'

/** A file of a release, as an asset of a release at GitHub. */
export interface PlannedAsset {
  /** As it is called there. */
  readonly name: string
  /** As it is called here, and shown there. */
  readonly label: string
  readonly sizeBytes: number
  readonly digest: Digest
  readonly mediaType: string
  readonly source:
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'memory'; readonly bytes: Buffer }
}

/** Source: docs.github.com, "About releases", storage and bandwidth quotas. */
const mostAssets = 1000
const largestAssetBytes = 2 * 1024 ** 3 - 1

/**
 * List what of a release becomes an asset: everything but images, which are not files and belong into registries.
 *
 * Errors: GITHUB_ASSETS (too many, too large, empty, or two of one name there). Source: docs.github.com, "About releases".
 */
export function planAssets({ record, folder, recordBytes, envelope }: OutletRelease): readonly PlannedAsset[] {
  const inMemory = (label: string, bytes: Buffer, mediaType: string): PlannedAsset => ({
    name: assetName(label),
    label,
    sizeBytes: bytes.byteLength,
    digest: digestOf(bytes),
    mediaType,
    source: { kind: 'memory', bytes },
  })
  const artifacts = record.components.flatMap(component => component.artifacts)
  const assets = [
    ...artifacts
      .filter(({ kind }) => kind !== 'oci')
      .map(({ name, sizeBytes, digest, mediaType }): PlannedAsset => {
        const source = { kind: 'file', path: path.join(folder, name) } as const
        return { name: assetName(name), label: name, sizeBytes, digest, mediaType, source }
      }),
    inMemory('release.json', recordBytes, 'application/json'),
    ...(envelope === undefined ? [] : [inMemory(envelope.name, envelope.bytes, 'application/jsonl')]),
  ]
  assertAllowed(assets)
  return assets
}

function assertAllowed(assets: readonly PlannedAsset[]): void {
  if (assets.length > mostAssets) {
    throw invalid(`the release has ${assets.length} files, GitHub takes ${mostAssets} assets`)
  }
  const labels = new Map<string, string>()
  for (const { name, label, sizeBytes } of assets) {
    if (sizeBytes > largestAssetBytes)
      throw invalid(`${label} has ${formatBytes(sizeBytes)}, GitHub takes less than 2 GiB`)
    if (sizeBytes === 0) throw invalid(`${label} is empty, which GitHub does not take`)
    const other = labels.get(name.toLowerCase())
    if (name === '' || other !== undefined)
      throw invalid(`${label} would be ${name || 'nothing'} at GitHub, as ${other} is`)
    labels.set(name.toLowerCase(), label)
  }
}

function invalid(message: string): ReleaseError {
  return new ReleaseError('GITHUB_ASSETS', message)
}
