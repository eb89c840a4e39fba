import { ReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import { compareVersions, isPreRelease } from '../core/version.ts'
import { type ChannelDocument, type ListedRelease, type ReleaseIndex, recordKey } from '../trust/layout.ts'
import { nearVersions } from '../trust/release-index.ts'

/*
 * What channels offer, as pure functions from one list of releases to the next. One that changes nothing returns the list it was
 * given, so that whoever asks whether something changed compares with `===`.
 */

/** Where a release is to be offered. */
export interface PromotionTarget {
  readonly channel: string
  /** All channels of the repository, least stable first. */
  readonly channels: readonly string[]
}

/** What promoting a release came to. */
export interface Promotion {
  readonly index: ReleaseIndex
  /** What the channel offered before. */
  readonly before?: string
  /** The newer releases that left the channel, oldest first: it was a rollback. */
  readonly left: readonly string[]
}

/** List the versions that a channel offers, oldest first: those that it has and that are not yanked. */
export function offered(index: ReleaseIndex, channel: string): readonly string[] {
  const yankedVersions = new Set(index.releases.filter(each => each.yanked !== undefined).map(each => each.version))
  return versionsIn(index, channel).filter(version => !yankedVersions.has(version))
}

/** Find the newest release that a channel offers. */
export function headOf(index: ReleaseIndex, channel: string): ListedRelease | undefined {
  const version = offered(index, channel).at(-1)
  return version === undefined ? undefined : index.releases.find(release => release.version === version)
}

/** Name the channels that have a version, whether they offer it or not. */
export function channelsOf(index: ReleaseIndex, version: string): readonly string[] {
  return Object.keys(index.channels).filter(channel => versionsIn(index, channel).includes(version))
}

/** Name the channels that a new release goes to: a snapshot to the first, a pre-release to all but the last, a release to all; never a snapshot to the last. */
export function defaultChannels(
  { version, snapshot }: Pick<ListedRelease, 'version' | 'snapshot'>,
  channels: readonly string[],
): readonly string[] {
  if (!snapshot && !isPreRelease(version)) return channels
  return channels.slice(0, -1).slice(0, snapshot ? 1 : undefined)
}

/** Name a channel and those that are less stable. Errors: CHANNEL_UNKNOWN. */
export function channelsUpTo({ channel, channels }: PromotionTarget): readonly string[] {
  return channels.slice(0, knownChannel({ channel, channels }) + 1)
}

/**
 * Add a release, or take another record of it, and put it into channels.
 *
 * Post: it stays in the channels that have it, and yanked or held as it was.
 */
export function withListed(index: ReleaseIndex, listed: ListedRelease, channels: readonly string[]): ReleaseIndex {
  const before = index.releases.find(release => release.version === listed.version)
  const { yanked, held } = before ?? {}
  const release = { ...(yanked === undefined ? {} : { yanked }), ...(held === undefined ? {} : { held }), ...listed }
  const others = index.releases.filter(each => each.version !== listed.version)
  const releases = [...others, release].toSorted((a, b) => compareVersions(a.version, b.version))
  const added: ReleaseIndex = { ...index, releases }
  return channels.reduce((changed, channel) => withMember(changed, channel, listed.version), added)
}

/**
 * Offer a release in a channel. Where the channel offers a newer one, it is rolled back: all newer ones leave it.
 *
 * Errors: RELEASE_UNKNOWN, CHANNEL_UNKNOWN, RELEASE_YANKED, CHANNEL_SNAPSHOT (a snapshot to the last channel).
 */
export function promoted(index: ReleaseIndex, version: string, target: PromotionTarget): Promotion {
  const release = releaseIn(index, version)
  const { channel, channels } = target
  const isLast = knownChannel(target) === channels.length - 1
  if (release.yanked !== undefined) throw yankedError(index, release)
  if (release.snapshot && isLast) throw snapshotError(index, version, target)
  const before = headOf(index, channel)?.version
  const outcome = before === undefined ? {} : { before }
  const joined = withMember(index, channel, version)
  if (before === undefined || compareVersions(before, version) <= 0) return { index: joined, ...outcome, left: [] }
  const newer = (each: string) => compareVersions(each, version) > 0
  const left = versionsIn(joined, channel).filter(newer)
  const staying = versionsIn(joined, channel).filter(each => !newer(each))
  return { index: withChannel(joined, channel, staying), ...outcome, left }
}

/** Withdraw a release from all channels that have it; it stays listed for whoever names it. Errors: RELEASE_UNKNOWN. */
export function yanked(
  index: ReleaseIndex,
  version: string,
  { reason, atMs }: NonNullable<ListedRelease['yanked']>,
): ReleaseIndex {
  const release = releaseIn(index, version)
  return release.yanked?.reason === reason ? index : withRelease(index, { ...release, yanked: { reason, atMs } })
}

/** Offer a withdrawn release again, in the channels that have it. Errors: RELEASE_UNKNOWN. */
export function unyanked(index: ReleaseIndex, version: string): ReleaseIndex {
  const { yanked: withdrawn, ...release } = releaseIn(index, version)
  return withdrawn === undefined ? index : withRelease(index, release)
}

/** Keep a release from being pruned, or let it be. Errors: RELEASE_UNKNOWN. */
export function held(index: ReleaseIndex, version: string, hold: boolean): ReleaseIndex {
  const { held: before = false, ...release } = releaseIn(index, version)
  if (before === hold) return index
  return withRelease(index, hold ? { ...release, held: true } : release)
}

/** Take releases off the list and out of all channels. */
export function withoutReleases(index: ReleaseIndex, versions: ReadonlySet<string>): ReleaseIndex {
  const releases = index.releases.filter(release => !versions.has(release.version))
  if (releases.length === index.releases.length) return index
  const without = Object.keys(index.channels).reduce((changed, channel) => {
    const staying = versionsIn(changed, channel).filter(version => !versions.has(version))
    return withChannel(changed, channel, staying)
  }, index)
  return { ...without, releases }
}

/** A channel that offers another release than before. */
export interface HeadMove {
  readonly channel: string
  /** Absent where it offered nothing. */
  readonly before?: string
  /** Absent where it offers nothing now. */
  readonly after?: string
}

/** Tell which channels offer another release than before. */
export function headMoves(before: ReleaseIndex, after: ReleaseIndex, channels: readonly string[]): readonly HeadMove[] {
  return channels.flatMap(channel => {
    const was = headOf(before, channel)?.version
    const is = headOf(after, channel)?.version
    if (was === is) return []
    return [{ channel, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) }]
  })
}

/** Write down what a channel offers. */
export function channelDocument(index: ReleaseIndex, channel: string): ChannelDocument {
  const { application } = index
  const head = headOf(index, channel)
  if (head === undefined) return { schema: 1, application, channel }
  const { version, record } = head
  const key = recordKey(application, version, record.digest)
  return { schema: 1, application, channel, release: { version, record: { key, ...record } } }
}

/** Find a release by its version. Errors: RELEASE_UNKNOWN, with the versions next to it. */
export function releaseIn(index: ReleaseIndex, version: string): ListedRelease {
  const release = index.releases.find(each => each.version === version)
  if (release !== undefined) return release
  const versions = index.releases.map(each => each.version)
  const near = nearVersions(versions, version, 5)
  const hint = near.length === 0 ? `nothing of ${index.application} is published yet` : `there are ${near.join(', ')}`
  throw new ReleaseError('RELEASE_UNKNOWN', `${index.application} has no release ${version}`, {
    hint: `${hint}; \`release list\` shows all`,
    details: { application: index.application, version, near },
  })
}

function versionsIn(index: ReleaseIndex, channel: string): readonly string[] {
  return Object.hasOwn(index.channels, channel) ? index.channels[channel]! : []
}

function withMember(index: ReleaseIndex, channel: string, version: string): ReleaseIndex {
  const versions = versionsIn(index, channel)
  return versions.includes(version)
    ? index
    : withChannel(index, channel, [...versions, version].toSorted(compareVersions))
}

/** Channels are kept by name, and one that has nothing is not kept, so that equal lists are equal whatever led to them. */
function withChannel(index: ReleaseIndex, channel: string, versions: readonly string[]): ReleaseIndex {
  const changed = Object.entries({ ...index.channels, [channel]: versions })
    .filter(([, members]) => members.length > 0)
    .toSorted(([a], [b]) => compareBytes(a, b))
  return { ...index, channels: Object.fromEntries(changed) }
}

function withRelease(index: ReleaseIndex, release: ListedRelease): ReleaseIndex {
  return { ...index, releases: index.releases.map(each => (each.version === release.version ? release : each)) }
}

function knownChannel({ channel, channels }: PromotionTarget): number {
  const at = channels.indexOf(channel)
  if (at >= 0) return at
  throw new ReleaseError('CHANNEL_UNKNOWN', `the repository has no channel ${channel}`, {
    hint: `choose one of ${channels.join(', ')}`,
    details: { channel, channels },
  })
}

function yankedError(index: ReleaseIndex, { version, yanked: withdrawn }: ListedRelease): ReleaseError {
  return new ReleaseError('RELEASE_YANKED', `${index.application} ${version} is yanked: ${withdrawn?.reason}`, {
    hint: `run \`release unyank ${version}\` first, if it may be offered again`,
    details: { application: index.application, version, reason: withdrawn?.reason },
  })
}

function snapshotError(index: ReleaseIndex, version: string, { channel, channels }: PromotionTarget): ReleaseError {
  const less = channels.slice(0, -1)
  const other = less.length === 0 ? '' : `, or promote it to ${less.join(' or ')}`
  return new ReleaseError(
    'CHANNEL_SNAPSHOT',
    `${index.application} ${version} is a snapshot, and ${channel} is the most stable channel`,
    {
      hint: `cut a release from its commit and upload that${other}`,
      details: { application: index.application, version, channel },
    },
  )
}
