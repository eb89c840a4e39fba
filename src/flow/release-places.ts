import { pathToFileURL } from 'node:url'
import type { Fetching } from '../mirror/fetching.ts'
import type { Mirror, WantedArtifact } from '../mirror/mirror.ts'
import type { Places } from '../mirror/places.ts'
import type { MirrorTools } from '../mirror/registry.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'

/**
 * Open the places that files of a release are fetched from: the mirrors, in the order that is asked for, and the repository behind them.
 *
 * Errors: MIRROR_INVALID. Loaded with the first release that is looked at: nothing of it is needed to find that a version is active already.
 */
export async function openPlaces(
  { repositoryUrl, fetching = {} }: { readonly repositoryUrl: string; readonly fetching?: Fetching | undefined },
  record: ReleaseRecord,
  signal: AbortSignal,
): Promise<Places> {
  const [{ openMirror }, { Places }] = await Promise.all([import('../mirror/open.ts'), import('../mirror/places.ts')])
  const { bytesPerSecond, leastBytesPerSecond, onFailure } = fetching
  const mirrors = await openMirrors(fetching, record, signal)
  const place = { kind: 'copy', name: repositoryUrl, url: repositoryUrl } as const
  const repository = await openMirror(place, toolsOf(fetching, signal))
  const { RateLimit } = await import('../sys/rate-limit.ts')
  const { usualPace } = await import('../sys/pace.ts')
  return new Places({
    mirrors: [...mirrors, repository],
    bandwidth: bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond),
    pace: leastBytesPerSecond === undefined ? undefined : { ...usualPace, leastBytesPerSecond },
    onFailure,
  })
}

/** The folder that `cut` has written a release into: its files as they are named, and nothing else. */
export async function openFolderPlaces(distFolder: string): Promise<Places> {
  const [{ addressLocation }, { Places }] = await Promise.all([
    import('../mirror/address.ts'),
    import('../mirror/places.ts'),
  ])
  const url = pathToFileURL(distFolder).href
  const folder: Mirror = { name: url, locate: ({ artifact }) => [addressLocation(url, artifact.name)] }
  return new Places({ mirrors: [folder] })
}

async function openMirrors(fetching: Fetching, record: ReleaseRecord, signal: AbortSignal): Promise<readonly Mirror[]> {
  const names = fetching.mirrors ?? []
  if (names.length === 0) return []
  const [{ openMirror }, { parsePlace }] = await Promise.all([
    import('../mirror/open.ts'),
    import('../mirror/place.ts'),
  ])
  const tools = toolsOf(fetching, signal)
  const mirrors = await Promise.all([...new Set(names)].map(name => openMirror(parsePlace(name), tools)))
  if (fetching.mirrorOrder !== 'fastest' || mirrors.length < 2) return mirrors
  const { fastestFirst } = await import('../mirror/fastest.ts')
  return await fastestFirst(mirrors, neededAnyway(record), { signal })
}

function toolsOf({ environment = {}, onWarning = () => {} }: Fetching, signal: AbortSignal): MirrorTools {
  return { environment, warn: onWarning, signal }
}

/** Of what a place has of these, something is fetched in every case. */
function neededAnyway(record: ReleaseRecord): readonly WantedArtifact[] {
  const [application] = record.components
  if (application === undefined) return []
  return (['manifest', 'tarball', 'deb'] as const).flatMap(kind =>
    application.artifacts
      .filter(artifact => artifact.kind === kind)
      .map(artifact => ({ record, component: application.name, artifact })),
  )
}
