import path from 'node:path'
import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { Places } from '../mirror/places.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { isDelta, type ReleaseComponent, type ReleaseRecord } from '../payload/release-record.ts'
import type { SegmentSource } from '../payload/source.ts'
import type { OfferedDelta } from '../prefix/file-change.ts'

/** The payload of a component: it is read when it is asked for. */
export interface ResolvedPayload {
  /** What all of it takes to fetch, compressed. */
  readonly sizeBytes: number
  /** Fetch the manifest. Errors: SEGMENT_DIGEST (not the one in the record), RELEASE_CHANGED, SEGMENT_*, HTTP_*, MANIFEST_INVALID. */
  readonly manifest: () => Promise<{ readonly manifest: PayloadManifest; readonly manifestBytes: Buffer }>
  /** Open everything that has the payload, one place behind the other. `onFailure` hears of each that is given up. */
  readonly source: (
    manifest: PayloadManifest,
    onFailure: (place: string, error: ReleaseError) => void,
  ) => Promise<SegmentSource>
}

/** A release that can be installed: its record is believed, everything else is checked against it. The payload is the application's. */
export interface ResolvedRelease extends ResolvedPayload {
  readonly record: ReleaseRecord
  readonly recordBytes: Buffer
  readonly recordDigest: Digest
  /** The payload of another component; undefined when the release has none of that name. */
  readonly component: (name: string) => ResolvedPayload | undefined
  /** The delta packs that lead to the application's payload. */
  readonly deltas: readonly OfferedDelta[]
  /** All bytes of its files that have come so far: manifests, delta packs, segments, and what was thrown away. */
  readonly fetchedBytes: number
  /** Remove what is kept for the next run: there is nothing left to fetch. */
  readonly forget: () => Promise<void>
}

/** What a release is fetched with. */
export interface ReleaseOptions {
  readonly record: ReleaseRecord
  readonly recordBytes: Buffer
  readonly recordDigest: Digest
  readonly places: Places
  /** Where what has come in part is kept for the next run. */
  readonly cacheFolder?: string | undefined
  readonly signal: AbortSignal | undefined
}

/** Offer a release whose record is believed. Nothing is fetched yet. Errors: RECORD_INVALID (it consists of nothing). */
export function resolvedRelease(options: ReleaseOptions): ResolvedRelease {
  const { record, recordBytes, recordDigest, places, cacheFolder } = options
  const [application] = record.components
  if (application === undefined) throw incomplete(record, 'component')
  const payload = resolvedPayload(options, application)
  return {
    ...payload,
    record,
    recordBytes,
    recordDigest,
    component: name => {
      const found = record.components.find(each => each.name === name)
      return found === undefined ? undefined : resolvedPayload(options, found)
    },
    deltas: offeredDeltas(options, application),
    get fetchedBytes() {
      return places.fetchedBytes
    },
    forget: async () => {
      if (cacheFolder === undefined) return
      const { removeParts } = await import('../payload/part-file.ts')
      removeParts(cacheFolder)
    },
  }
}

function resolvedPayload(options: ReleaseOptions, component: ReleaseComponent): ResolvedPayload {
  const { record, places, cacheFolder } = options
  return {
    sizeBytes: component.artifacts.find(artifact => artifact.kind === 'tarball')?.sizeBytes ?? 0,
    manifest: () => fetchManifest(options, component),
    source: async (manifest, onFailure) => {
      const { openPayload } = await import('../mirror/payload-source.ts')
      return openPayload(places, { record, component, manifest, cacheFolder, onFailure })
    },
  }
}

async function fetchManifest({ record, places, signal }: ReleaseOptions, { name, artifacts }: ReleaseComponent) {
  const [{ parseManifest }, { fetchDocument }] = await Promise.all([
    import('../payload/manifest.ts'),
    import('../mirror/fetch-artifact.ts'),
  ])
  const artifact = artifacts.find(each => each.kind === 'manifest')
  if (artifact === undefined) throw incomplete(record, 'manifest')
  const manifestBytes = await fetchDocument(places, { record, component: name, artifact }, signal)
  const manifest = parseManifest(manifestBytes)
  if (manifest.name === name && manifest.version === record.version) return { manifest, manifestBytes }
  const message = `the manifest in the record of ${name} ${record.version} is one of ${manifest.name} ${manifest.version}`
  throw new ReleaseError('RELEASE_CHANGED', message, {
    hint: 'tell the vendor; the release was not made by `release cut`',
    details: { expected: `${name} ${record.version}`, found: `${manifest.name} ${manifest.version}` },
  })
}

function offeredDeltas(options: ReleaseOptions, component: ReleaseComponent): readonly OfferedDelta[] {
  const { record, places } = options
  return component.artifacts.filter(isDelta).map(artifact => ({
    fromVersion: artifact.from,
    fromManifest: artifact.fromManifest,
    digest: artifact.digest,
    sizeBytes: artifact.sizeBytes,
    fetch: async (file, signal) => {
      const { fetchFile } = await import('../mirror/fetch-artifact.ts')
      const beforeBytes = places.fetchedBytes
      const cacheFolder = options.cacheFolder ?? path.dirname(file)
      await fetchFile(places, { record, component: component.name, artifact }, { file, cacheFolder, signal })
      return places.fetchedBytes - beforeBytes
    },
  }))
}

function incomplete({ name, version }: ReleaseRecord, what: string): ReleaseError {
  return new ReleaseError('RECORD_INVALID', `the record of ${name} ${version} names no ${what}`, {
    details: { version },
  })
}
