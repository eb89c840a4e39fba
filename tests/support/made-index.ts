import fc from 'fast-check'
import { digestOf } from '../../src/core/digest.ts'
import { withListed } from '../../src/repository/channels.ts'
import type { ListedRelease, ReleaseIndex } from '../../src/trust/layout.ts'
import { emptyIndex } from '../../src/trust/release-index.ts'

/** The channels of a repository made by hand, least stable first. */
export const channels = ['edge', 'beta', 'stable'] as const

/** A line of a list of releases, made by hand; a version with `git` is a snapshot. */
export function listed(version: string, changes: Partial<ListedRelease> = {}): ListedRelease {
  return {
    version,
    commit: digestOf(version).slice(7, 47),
    sourceDateEpoch: 1_700_000_000,
    snapshot: version.includes('-git'),
    record: { sizeBytes: version.length, digest: digestOf(version) },
    debs: [],
    images: [],
    python: [],
    ...changes,
  }
}

/** A list of releases, by the channels that have each version. */
export function indexOf(versions: Readonly<Record<string, readonly string[]>>): ReleaseIndex {
  return Object.entries(versions).reduce(
    (index, [version, having]) => withListed(index, listed(version), having),
    emptyIndex('notes'),
  )
}

/** Any list of releases: some snapshots and pre-releases, some yanked, some held, in any channels. */
export const anyIndex: fc.Arbitrary<ReleaseIndex> = fc
  .uniqueArray(
    fc.record({
      version: fc.tuple(fc.nat(2), fc.nat(3), fc.constantFrom('', '-rc.1', '-git20260101.abcdef1')),
      having: fc.subarray([...channels]),
      isYanked: fc.boolean(),
      isHeld: fc.boolean(),
    }),
    { selector: ({ version }) => version.join('.'), maxLength: 12 },
  )
  .map(entries =>
    entries.reduce((index, { version: [major, minor, suffix], having, isYanked, isHeld }) => {
      const release = listed(`${major}.${minor}.0${suffix}`, {
        ...(isYanked ? { yanked: { reason: 'broken', atMs: 1 } } : {}),
        ...(isHeld ? { held: true } : {}),
      })
      return withListed(index, release, release.snapshot ? having.filter(channel => channel !== 'stable') : having)
    }, emptyIndex('notes')),
  )
