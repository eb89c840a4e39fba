import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { Fetching } from '../mirror/fetching.ts'
import type { ReleaseIndex } from '../trust/layout.ts'
import { openFolderPlaces, openPlaces } from './release-places.ts'
import { type ResolvedRelease, resolvedRelease } from './resolved-release.ts'

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
    fetching = {},
  }: {
    readonly trustFolder: string
    readonly repositoryUrl: string
    /** See trust/client.ts. */
    readonly mayBe?: 'expired' | 'older'
    /** Told when the repository's metadata is out of date, and since when nothing newer is known. */
    readonly onStale?: ((error: ReleaseError, knownMs: number) => void) | undefined
    /** Where files come from besides the repository, and how. */
    readonly fetching?: Fetching | undefined
  },
  signal: AbortSignal,
): Resolver {
  const opened = lazily(async () => {
    // Loaded late: nothing of TUF is needed to find that a version is active already.
    const [{ openRepository }, { newestOffered }] = await Promise.all([
      import('../trust/client.ts'),
      import('../trust/release-index.ts'),
    ])
    const repository = openRepository({
      folder: trustFolder,
      repositoryUrl,
      signal,
      mayBe,
      ...(onStale ? { onStale } : {}),
    })
    return { repository, newestOffered }
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
      const { repository } = await opened()
      const { record, bytes, digest } = await repository.record(application, version)
      const places = await openPlaces({ repositoryUrl, fetching }, record, signal)
      const { cacheFolder } = fetching
      return resolvedRelease({ record, recordBytes: bytes, recordDigest: digest, places, cacheFolder, signal })
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
      const places = await openFolderPlaces(distFolder)
      return resolvedRelease({ ...found, places, signal })
    },
  }
}

function unknownChannel(channel: string, { application, channels }: ReleaseIndex): ReleaseError {
  const there = Object.keys(channels)
  return new ReleaseError('CHANNEL_UNKNOWN', `${application} has no channel ${JSON.stringify(channel)}`, {
    hint: there.length === 0 ? 'nothing of it is published yet' : `choose one of ${there.join(', ')}`,
    details: { application, channel, channels: there },
  })
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
