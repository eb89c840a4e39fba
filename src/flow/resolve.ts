import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { Artifact, ReleaseComponent, ReleaseRecord } from '../payload/release-record.ts'
import type { SegmentSource } from '../payload/source.ts'
import type { OfferedDelta } from '../prefix/file-change.ts'
import type { ReleaseIndex } from '../trust/layout.ts'

/** The payload of a component: it is read when it is asked for. */
export interface ResolvedPayload {
  /** What all of it takes to fetch, compressed. */
  readonly sizeBytes: number
  /** Fetch the manifest. Errors: RELEASE_CHANGED (not the one in the record), SEGMENT_MISSING, HTTP_FAILED, MANIFEST_INVALID. */
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
}

/** Where releases come from. */
export interface Resolver {
  /** The newest release that a channel offers, by default the most stable one, but for those to avoid; undefined when there is none. */
  readonly newest: (application: string, avoided: ReadonlySet<string>, channel?: string) => Promise<string | undefined>
  /** Errors: RELEASE_UNKNOWN, TRUST_*, HTTP_FAILED. */
  readonly release: (application: string, version: string) => Promise<ResolvedRelease>
}

const maxRecordBytes = 16 * 1024 * 1024

/** Resolve releases through the metadata that is trusted in a folder. Errors of the calls: those of trust/client.ts. */
export function resolveFromRepository(
  {
    trustFolder,
    repositoryUrl,
    mayBe = 'expired',
    onStale,
  }: {
    readonly trustFolder: string
    readonly repositoryUrl: string
    /** See trust/client.ts. */
    readonly mayBe?: 'expired' | 'older'
    /** Told when the repository's metadata is out of date, and since when nothing newer is known. */
    readonly onStale?: ((error: ReleaseError, knownMs: number) => void) | undefined
  },
  signal: AbortSignal,
): Resolver {
  const opened = lazily(async () => {
    // Loaded late: nothing of TUF is needed to find that a version is active already.
    const [{ openRepository }, layout, { resolveUrl }, { newestOffered }] = await Promise.all([
      import('../trust/client.ts'),
      import('../trust/layout.ts'),
      import('../sys/http.ts'),
      import('../trust/release-index.ts'),
    ])
    const repository = openRepository({
      folder: trustFolder,
      repositoryUrl,
      signal,
      mayBe,
      ...(onStale ? { onStale } : {}),
    })
    return { repository, layout, resolveUrl, newestOffered }
  })
  return {
    newest: async (application, avoided, channel) => {
      const { repository, newestOffered } = await opened()
      const index = await repository.index(application)
      const wanted = channel ?? index.defaultChannel
      if (wanted === undefined) return undefined
      if (channel !== undefined && !Object.hasOwn(index.channels, channel)) throw unknownChannel(channel, index)
      return newestOffered(index, wanted, avoided)?.version
    },
    release: async (application, version) => {
      const { repository, layout, resolveUrl } = await opened()
      const { record, bytes, digest } = await repository.record(application, version)
      const placesOf = (artifact: Artifact) => {
        const pool = resolveUrl(repositoryUrl, layout.poolKey(application, version, artifact.name))
        // The layer of the image is the tarball.
        const layer = resolveUrl(repositoryUrl, layout.ociBlobKey(application, artifact.digest))
        return artifact.kind === 'tarball' ? [pool, layer] : [pool]
      }
      return resolved({ record, recordBytes: bytes, recordDigest: digest, placesOf, signal })
    },
  }
}

/** Resolve the one release that a folder holds as `cut` wrote it, without a repository: for the rehearsal. */
export function resolveFromFolder(distFolder: string, signal?: AbortSignal): Resolver {
  const read = lazily(async () => {
    const { parseReleaseRecord } = await import('../payload/release-record.ts')
    const { readBytes } = await import('../sys/http.ts')
    const file = path.join(distFolder, 'release.json')
    const recordBytes = await readBytes(pathToFileURL(file).href, maxRecordBytes)
    if (recordBytes === undefined) {
      throw new ReleaseError('RELEASE_UNKNOWN', `${file} does not exist`, { details: { path: file } })
    }
    return { record: parseReleaseRecord(recordBytes), recordBytes, recordDigest: digestOf(recordBytes) }
  })
  return {
    newest: async (_application, avoided) => {
      const { version } = (await read()).record
      return avoided.has(version) ? undefined : version
    },
    release: async (application, version) => {
      const found = await read()
      if (found.record.name !== application || found.record.version !== version) {
        throw new ReleaseError(
          'RELEASE_UNKNOWN',
          `${distFolder} holds ${found.record.name} ${found.record.version}, expected ${application} ${version}`,
          { details: { application, version, path: distFolder } },
        )
      }
      const placesOf = (artifact: Artifact) => [pathToFileURL(path.join(distFolder, artifact.name)).href]
      return resolved({ ...found, placesOf, signal })
    },
  }
}

interface ResolvedOptions {
  readonly record: ReleaseRecord
  readonly recordBytes: Buffer
  readonly recordDigest: Digest
  readonly placesOf: (artifact: Artifact) => readonly string[]
  readonly signal: AbortSignal | undefined
}

function resolved(options: ResolvedOptions): ResolvedRelease {
  const { record, recordBytes, recordDigest } = options
  const [application] = record.components
  if (application === undefined) throw incomplete(record, 'component')
  const component = (name: string) => {
    const found = record.components.find(each => each.name === name)
    return found === undefined ? undefined : resolvedPayload(options, found)
  }
  return { record, recordBytes, recordDigest, component, deltas: [], ...resolvedPayload(options, application) }
}

function resolvedPayload(options: ResolvedOptions, component: ReleaseComponent): ResolvedPayload {
  const { artifacts } = component
  return {
    sizeBytes: artifacts.find(artifact => artifact.kind === 'tarball')?.sizeBytes ?? 0,
    manifest: () => fetchManifest(options, component),
    source: (manifest, onFailure) => openSources(options, artifacts, { manifest, onFailure }),
  }
}

async function fetchManifest(options: ResolvedOptions, { name, artifacts }: ReleaseComponent) {
  const { parseManifest } = await import('../payload/manifest.ts')
  const { readBytes } = await import('../sys/http.ts')
  const artifact = artifacts.find(each => each.kind === 'manifest')
  if (artifact === undefined) throw incomplete(options.record, 'manifest')
  const url = options.placesOf(artifact)[0]!
  const bytes = await readBytes(url, artifact.sizeBytes, options.signal === undefined ? {} : { signal: options.signal })
  if (bytes === undefined) throw new ReleaseError('SEGMENT_MISSING', `${url} does not exist`, { details: { url } })
  const found = digestOf(bytes)
  if (found !== artifact.digest) {
    throw new ReleaseError('RELEASE_CHANGED', `${url} has ${found}, expected ${artifact.digest}`, {
      hint: 'try another mirror, and tell its owner',
      details: { url, found, expected: artifact.digest },
    })
  }
  const manifest = parseManifest(bytes)
  if (manifest.name !== name || manifest.version !== options.record.version) {
    throw new ReleaseError('RELEASE_CHANGED', `${url} is the manifest of ${manifest.name} ${manifest.version}`, {
      details: { url, expected: `${name} ${options.record.version}` },
    })
  }
  return { manifest, manifestBytes: bytes }
}

async function openSources(
  options: ResolvedOptions,
  artifacts: readonly Artifact[],
  wanted: {
    readonly manifest: PayloadManifest
    readonly onFailure: (place: string, error: ReleaseError) => void
  },
): Promise<SegmentSource> {
  const [{ openSegmentSource }, { fallbackSource }] = await Promise.all([
    import('../payload/source.ts'),
    import('../payload/fallback.ts'),
  ])
  const envelopes = artifacts.filter(artifact => artifact.kind === 'tarball' || artifact.kind === 'deb')
  const tarballFirst = envelopes.toSorted((a, b) => Number(b.kind === 'tarball') - Number(a.kind === 'tarball'))
  const sources = tarballFirst.flatMap(artifact =>
    options
      .placesOf(artifact)
      .map(url => openSegmentSource({ url, payloadOffset: artifact.payloadOffset, manifest: wanted.manifest })),
  )
  const [first, ...others] = sources
  if (first === undefined) throw incomplete(options.record, 'tarball or package')
  const onFailure = (source: SegmentSource, error: ReleaseError) => wanted.onFailure(source.describe(), error)
  return fallbackSource([first, ...others], { onFailure })
}

function unknownChannel(channel: string, { application, channels }: ReleaseIndex): ReleaseError {
  const there = Object.keys(channels)
  return new ReleaseError('CHANNEL_UNKNOWN', `${application} has no channel ${JSON.stringify(channel)}`, {
    hint: there.length === 0 ? 'nothing of it is published yet' : `choose one of ${there.join(', ')}`,
    details: { application, channel, channels: there },
  })
}

function incomplete(record: ReleaseRecord, what: string): ReleaseError {
  return new ReleaseError('RECORD_INVALID', `the record of ${record.name} ${record.version} names no ${what}`, {
    details: { version: record.version },
  })
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
