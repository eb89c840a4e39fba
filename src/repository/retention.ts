import { compareVersions } from '../core/version.ts'
import type { ListedRelease, ReleaseIndex } from '../trust/layout.ts'
import { offered } from './channels.ts'

/** How much of an application is kept. */
export interface RetentionOptions {
  /** How many of the newest releases that each channel offers; the head always. */
  readonly keep: number
  /** Versions that something else that is kept needs, with the reason to show. */
  readonly needed?: ReadonlyMap<string, string>
}

/** Whether a release is kept, and why. */
export interface RetentionDecision {
  readonly version: string
  readonly decision: 'keep' | 'remove'
  readonly because: string
}

/**
 * Decide which releases of an application can go, oldest first, each with its reason.
 *
 * A channel keeps its `keep` newest offered releases and whatever else it has that is not older: a yanked release takes nobody's
 * place, and is kept as long as its neighbours, for somebody may run it. What no channel has is judged beside all releases.
 * Post: never the head of a channel, never a held or needed release.
 */
export function prunable(index: ReleaseIndex, options: RetentionOptions): readonly RetentionDecision[] {
  const keep = Math.max(1, options.keep)
  const everything = index.releases.filter(release => release.yanked === undefined).map(release => release.version)
  const floor = floorOf(everything, keep)
  const channels = Object.entries(index.channels).map(([name, versions]) => {
    const offers = offered(index, name)
    return { name, versions: new Set(versions), head: offers.at(-1), floor: floorOf(offers, keep) }
  })
  return index.releases.map(release => {
    const { version } = release
    const having = channels.filter(channel => channel.versions.has(version))
    const because =
      keptBy(release, options.needed) ??
      keptIn(
        'offered by',
        having.filter(channel => channel.head === version),
      ) ??
      keptIn(
        `among the newest ${keep} of`,
        having.filter(channel => reaches(version, channel.floor)),
      ) ??
      (having.length === 0 && reaches(version, floor) ? `among the newest ${keep} of all` : undefined)
    if (because !== undefined) return { version, decision: 'keep', because }
    return { version, decision: 'remove', because: olderThan(having, keep) }
  })
}

function keptBy({ version, held }: ListedRelease, needed: RetentionOptions['needed']): string | undefined {
  return held === true ? 'held' : needed?.get(version)
}

function keptIn(what: string, channels: readonly Named[]): string | undefined {
  return channels.length === 0 ? undefined : `${what} ${namesOf(channels)}`
}

/** The oldest of the newest `keep`; undefined when there are not that many, and so nothing is too old. */
function floorOf(versions: readonly string[], keep: number): string | undefined {
  return versions.length < keep ? undefined : versions[versions.length - keep]
}

function reaches(version: string, floor: string | undefined): boolean {
  return floor === undefined || compareVersions(version, floor) >= 0
}

function olderThan(having: readonly Named[], keep: number): string {
  return having.length === 0
    ? `in no channel, and older than the newest ${keep} of all`
    : `older than the newest ${keep} of ${namesOf(having)}`
}

interface Named {
  readonly name: string
}

function namesOf(channels: readonly Named[]): string {
  return channels.map(({ name }) => name).join(', ')
}
