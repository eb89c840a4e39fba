import { isPreRelease } from '../../core/version.ts'
import type { ReleaseIndex } from '../../trust/layout.ts'
import { channelsOf, headOf, offered } from '../channels.ts'
import type { MovedRelease, Standing } from './outlet.ts'

/**
 * Tell how a release stands in the channels of its repository.
 *
 * Pre: `channels` are all of the repository, least stable first. Errors: none; a version that is not listed stands nowhere.
 */
export function standingOf(index: ReleaseIndex, version: string, channels: readonly string[]): Standing {
  const yanked = index.releases.find(release => release.version === version)?.yanked
  const heads = channels.filter(channel => headOf(index, channel)?.version === version)
  const stable = channels.at(-1)
  const had = channelsOf(index, version)
  return {
    heads,
    vacated: channels.filter(channel => had.includes(channel) && offered(index, channel).length === 0),
    isStable: stable !== undefined && offered(index, stable).includes(version),
    isLatest: stable !== undefined && heads.includes(stable),
    ...(yanked === undefined ? {} : { yanked: { reason: yanked.reason } }),
  }
}

/** Tell whether places that know two kinds of releases should call this one not final. */
export function isProvisional({ record, standing }: MovedRelease): boolean {
  return !standing.isStable || standing.yanked !== undefined || isPreRelease(record.version)
}

/** Name the versions that stand otherwise after a change, for {@link Outlet.moveChannels}; in the order of the list. */
export function movedVersions(
  before: ReleaseIndex,
  after: ReleaseIndex,
  channels: readonly string[],
): readonly string[] {
  return after.releases
    .map(({ version }) => version)
    .filter(version => {
      const [was, is] = [before, after].map(index => JSON.stringify(standingOf(index, version, channels)))
      return was !== is
    })
}
