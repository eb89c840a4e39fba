import inc from 'semver/functions/inc.js'
import { ReleaseError } from '../core/error.ts'
import { compareVersions, isPreRelease, parseVersion, snapshotVersion } from '../core/version.ts'
import type { Recipe } from '../recipe/schema.ts'
import type { RepositoryFacts } from './facts.ts'

/** What is to be cut: a release, or a snapshot of a branch that is never tagged. */
export interface Wanted {
  readonly version: string
  /** Undefined for a snapshot. */
  readonly tag: string | undefined
  /** The release before it, which the changelog starts from and an upgrade is rehearsed from. */
  readonly previous: string | undefined
}

/**
 * Decide the version, tag and predecessor of what is to be cut.
 *
 * Shape: a snapshot without a version comes before the next patch release, for a release `1.1.4` that is `1.1.5-git…`.
 * Errors: VERSION_INVALID, VERSION_MISSING.
 */
export function planVersion(
  facts: Pick<RepositoryFacts, 'head' | 'releases'>,
  options: {
    readonly version: string | undefined
    readonly snapshot: boolean
    /** Name the snapshot for a machine that installs one after the other. */
    readonly local?: boolean | undefined
    readonly tagPrefix: string
  },
): Wanted {
  if (options.snapshot) {
    const base = options.version === undefined ? nextPatch(facts.releases) : parseVersion(options.version)
    const until = options.local === true ? 'second' : 'day'
    const version = snapshotVersion(base, facts.head.timeSeconds, facts.head.commit, until)
    return { version, tag: undefined, previous: facts.releases.at(-1) }
  }
  if (options.version === undefined) throw new ReleaseError('VERSION_MISSING', 'a release needs a version')
  const version = parseVersion(options.version)
  return { version, tag: `${options.tagPrefix}${version}`, previous: previousRelease(version, facts.releases) }
}

/**
 * Make sure that a release can be cut from a repository.
 *
 * Errors, in this order: SOURCE_SHALLOW, SOURCE_SUBMODULE, SOURCE_DIRTY; for a release also SOURCE_BRANCH, TAG_EXISTS, VERSION_NOT_HIGHER,
 * SOURCE_IDENTITY, SOURCE_BEHIND.
 */
export function checkReady(facts: RepositoryFacts, wanted: Wanted, source: Recipe['source']): void {
  checkCommit(facts)
  if (wanted.tag === undefined) return
  checkBranch(facts, source)
  checkTag(facts, wanted.tag, source)
  checkVersion(facts, wanted.version)
  if (!facts.hasIdentity)
    throw new ReleaseError('SOURCE_IDENTITY', 'git does not know whose name to put on the release commit and its tag')
  checkRemote(facts, source)
}

function checkCommit({ places, shallow, submodules, dirty }: RepositoryFacts): void {
  if (shallow)
    throw new ReleaseError('SOURCE_SHALLOW', `${places.root} is a shallow clone: its last release cannot be told`, {
      details: { path: places.root },
    })
  if (submodules.length > 0)
    throw new ReleaseError('SOURCE_SUBMODULE', `${places.root} has submodules: ${submodules.join(', ')}`, {
      details: { path: places.root, submodules },
    })
  if (dirty.length > 0) {
    const shown = dirty.slice(0, 10).join(', ') + (dirty.length > 10 ? ` and ${dirty.length - 10} more` : '')
    throw new ReleaseError('SOURCE_DIRTY', `${places.root} has changes that no commit has: ${shown}`, {
      details: { path: places.root, paths: dirty },
    })
  }
}

function checkBranch({ branch, places }: RepositoryFacts, source: Recipe['source']): void {
  if (branch === source.branch) return
  const found = branch === undefined ? 'no branch (HEAD is detached)' : branch
  throw new ReleaseError('SOURCE_BRANCH', `${places.root} is on ${found}, expected ${source.branch}`, {
    hint: `run git switch ${source.branch}, or cut a --snapshot from here`,
    details: { expected: source.branch, found: branch },
  })
}

function checkVersion({ releases }: RepositoryFacts, version: string): void {
  const last = releases.at(-1)
  if (last === undefined || compareVersions(version, last) > 0) return
  throw new ReleaseError('VERSION_NOT_HIGHER', `${version} is not higher than the last release ${last}`, {
    hint: `choose a version above ${last}`,
    details: { version, last },
  })
}

function checkTag({ tags, remote }: RepositoryFacts, tag: string, source: Recipe['source']): void {
  const place = tags.includes(tag)
    ? 'this repository'
    : remote.kind === 'reached' && remote.tags.includes(tag)
      ? `the remote ${source.remote}`
      : undefined
  if (place === undefined) return
  throw new ReleaseError('TAG_EXISTS', `the tag ${tag} exists already in ${place}`, { details: { tag, place } })
}

function checkRemote({ remote, head }: RepositoryFacts, source: Recipe['source']): void {
  if (remote.kind !== 'reached' || remote.contained) return
  const branch = `${source.remote}/${source.branch}`
  throw new ReleaseError('SOURCE_BEHIND', `${branch} has commits (up to ${remote.branchCommit}) that HEAD has not`, {
    hint: `run git pull ${source.remote} ${source.branch}`,
    details: { branch, expected: remote.branchCommit, found: head.commit },
  })
}

function nextPatch(releases: readonly string[]): string {
  const last = releases.at(-1)
  if (last === undefined) return '0.1.0'
  // A pre-release already comes before the release that it is made for.
  return inc(last, 'patch')!
}

/** List the releases that an upgrade to a version may come from, nearest first: of a final release the final ones before it. */
export function releasesBefore(version: string, releases: readonly string[]): readonly string[] {
  const isFinal = !isPreRelease(version)
  return releases
    .filter(other => compareVersions(other, version) < 0 && (!isFinal || !isPreRelease(other)))
    .toReversed()
}

/** A final release follows the last final one: pre-releases between them are part of its changes. */
function previousRelease(version: string, releases: readonly string[]): string | undefined {
  return releasesBefore(version, releases)[0]
}
