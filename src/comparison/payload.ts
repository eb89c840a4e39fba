import { pathToFileURL } from 'node:url'
import { decodeSegment } from '../payload/decode.ts'
import { neededSegments } from '../payload/extract.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { openSegmentSource } from '../payload/source.ts'
import { firstDifference } from './bytes.ts'
import { compareContents, describeDifference, wholeContentBytes } from './content.ts'
import { changedDependencies, changedPackages, type DependencyChange, reasonOfDependency } from './dependencies.ts'
import { type BuildFacts, type Difference, type Differences, type Pair, shownDifferences } from './difference.ts'
import {
  compareManifests,
  type EntryChange,
  encodingDifference,
  entryDifference,
  type ManifestFile,
} from './manifests.ts'
import { reasonOf } from './reason.ts'

/** A payload in its tarball. */
export interface PayloadPlace {
  readonly manifest: PayloadManifest
  readonly file: string
  /** Where the segments start. */
  readonly payloadOffset: number
}

/**
 * Compare two payloads: entries by their manifests, and of files that changed the first bytes that differ.
 *
 * Post: only the segments of files that are shown were read, one of each payload in memory. Errors: SEGMENT_DIGEST, SEGMENT_SHORT, SEGMENT_DECODE.
 */
export async function comparePayloads(pair: Pair<PayloadPlace>, facts: BuildFacts): Promise<Differences> {
  const manifests = { released: pair.released.manifest, rebuilt: pair.rebuilt.manifest }
  const comparison = compareManifests(manifests)
  const encoding = encodingDifference(comparison)
  if (encoding !== undefined) return { shown: [encoding], count: 1 }
  const { entries } = comparison
  const dependencies = changedDependencies(entries, await readPackages(pair, entries))
  const shown: Difference[] = []
  for (const change of entries.slice(0, shownDifferences))
    shown.push(await explain({ pair, facts, dependencies }, change))
  return { shown, count: entries.length }
}

interface Explanation {
  readonly pair: Pair<PayloadPlace>
  readonly facts: BuildFacts
  readonly dependencies: readonly DependencyChange[]
}

async function explain({ pair, facts, dependencies }: Explanation, change: EntryChange): Promise<Difference> {
  const why = reasonOfDependency(change.path, dependencies)
  const where = `/${pair.released.manifest.root}/${change.path}`
  if (change.kind !== 'content') return { ...entryDifference(change, why), where }
  const { segments } = pair.released.manifest
  const segment = segments.length === 1 ? '' : ` (segment ${change.pair.released.firstSegment})`
  const found = await compareFile({ pair, facts, dependencies }, `${where}${segment}`, change.pair)
  return why === '' ? found : { ...found, why }
}

async function compareFile(
  { pair, facts }: Explanation,
  where: string,
  files: Pair<ManifestFile>,
): Promise<Difference> {
  const [released, rebuilt] = [contentOf(pair.released, files.released), contentOf(pair.rebuilt, files.rebuilt)]
  if (Math.max(files.released.sizeBytes, files.rebuilt.sizeBytes) <= wholeContentBytes) {
    const contents = { released: await collect(released), rebuilt: await collect(rebuilt) }
    return compareContents(where, contents, facts) ?? unchanged(where)
  }
  const found = await firstDifference(released, rebuilt)
  return found === undefined ? unchanged(where) : describeDifference(where, found, reasonOf(found, facts))
}

/** Segments are checked against their manifest, so this can only be a manifest that names wrong digests for files. */
function unchanged(where: string): Difference {
  return {
    where,
    released: 'equal bytes',
    rebuilt: 'equal bytes',
    why: 'one of the manifests names a digest that its payload does not have',
  }
}

/** The content of a file of a payload, from the segments that hold it. */
async function* contentOf(
  { manifest, file, payloadOffset }: PayloadPlace,
  entry: ManifestFile,
): AsyncGenerator<Buffer> {
  const source = openSegmentSource({ url: pathToFileURL(file).href, payloadOffset, manifest, attempts: 1 })
  for await (const { segment, bytes } of source.read(neededSegments(manifest, [entry]))) {
    const tar = await decodeSegment(manifest.codec, bytes, segment)
    const start = Math.max(0, entry.tarOffset - segment.tarOffset)
    yield tar.subarray(start, Math.max(start, entry.tarOffset + entry.sizeBytes - segment.tarOffset))
  }
}

async function readPackages(
  pair: Pair<PayloadPlace>,
  changes: readonly EntryChange[],
): Promise<ReadonlyMap<string, Pair<string>>> {
  const wanted = new Set(changedPackages(changes).slice(0, shownDifferences))
  const packages = new Map<string, Pair<string>>()
  for (const change of changes) {
    if (change.kind !== 'content' || !wanted.has(change.path) || change.pair.released.sizeBytes > wholeContentBytes)
      continue
    const text = async (place: PayloadPlace, file: ManifestFile) => String(await collect(contentOf(place, file)))
    packages.set(change.path, {
      released: await text(pair.released, change.pair.released),
      rebuilt: await text(pair.rebuilt, change.pair.rebuilt),
    })
  }
  return packages
}

async function collect(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces)
}
