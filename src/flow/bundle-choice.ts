import { ReleaseError } from '../core/error.ts'
import { compareVersions, parseVersion } from '../core/version.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { deltaBases } from '../repository/bundle.ts'
import type { ListedRelease, ReleaseIndex } from '../trust/layout.ts'
import { newestOffered } from '../trust/release-index.ts'

/** Which releases are to go into a bundle. */
export interface BundleOrder {
  /** The newest that the channel offers, when empty. */
  readonly versions: readonly string[]
  /** The most stable one when absent. */
  readonly channel?: string | undefined
  /** Add the delta packs that lead from these versions. */
  readonly deltasFrom: readonly string[]
}

/** A release that goes into a bundle. */
export interface ChosenRelease {
  readonly listed: ListedRelease
  readonly record: ReleaseRecord
}

/** Refuse an order that means two things. Errors: USAGE, VERSION_INVALID. */
export function assertUnderstood({ versions, channel, deltasFrom }: BundleOrder): void {
  for (const version of [...versions, ...deltasFrom]) parseVersion(version)
  if (versions.length === 0 || channel === undefined) return
  throw new ReleaseError('USAGE', `versions are named, and the channel ${channel} besides`, {
    hint: 'name the versions, or the channel whose newest is meant',
  })
}

/** Choose the releases that are meant, oldest first. `place` names the repository. Errors: RELEASE_UNKNOWN, CHANNEL_UNKNOWN. */
export function chooseListed(
  index: ReleaseIndex,
  { versions, channel }: BundleOrder,
  place: string,
): readonly ListedRelease[] {
  if (versions.length > 0) {
    return [...new Set(versions)].toSorted(compareVersions).map(version => {
      const listed = index.releases.find(release => release.version === version)
      if (listed !== undefined) return listed
      throw new ReleaseError('RELEASE_UNKNOWN', `${place} has no ${index.application} ${version}`, {
        details: { application: index.application, version },
      })
    })
  }
  if (channel !== undefined && !Object.hasOwn(index.channels, channel)) {
    throw new ReleaseError('CHANNEL_UNKNOWN', `${index.application} has no channel ${JSON.stringify(channel)}`, {
      hint: `choose one of ${Object.keys(index.channels).join(', ')}`,
      details: { application: index.application, channel },
    })
  }
  const wanted = channel ?? index.defaultChannel
  const newest = wanted === undefined ? undefined : newestOffered(index, wanted)
  if (newest !== undefined) return [newest]
  throw new ReleaseError('RELEASE_UNKNOWN', `${wanted ?? 'no channel'} offers no release of ${index.application}`, {
    hint: 'name the versions to put into the bundle; `release list` shows all',
    details: { application: index.application, channel: wanted },
  })
}

/** Make sure that each delta pack that is asked for leads to one of the releases. Errors: RELEASE_UNKNOWN. */
export function assertDeltas(releases: readonly ChosenRelease[], wanted: readonly string[]): void {
  const there = new Set(releases.flatMap(({ record }) => deltaBases(record)))
  const missing = wanted.find(from => !there.has(from))
  if (missing === undefined) return
  throw new ReleaseError('RELEASE_UNKNOWN', `no delta pack leads from ${missing} to what is chosen`, {
    hint: there.size === 0 ? 'leave out --delta-from' : `choose one from ${[...there].join(', ')}`,
    details: { missing, there: [...there] },
  })
}
