import fs from 'node:fs'
import { ReleaseError } from '../core/error.ts'
import { compareVersions } from '../core/version.ts'
import type { ReleaseOrigin } from '../prefix/file-change.ts'
import { currentVersion, isComplete, readInstalledRecipe } from '../prefix/installed.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { openLocalRelease } from '../prefix/local-release.ts'
import { type ChangePlan, planChange, plannedData } from '../prefix/plan.ts'
import { assertConfigurable } from '../prefix/preconditions.ts'
import { isUsable, type PrefixState, previousVersion } from '../prefix/state.ts'
import { type InstalledRecipe, parseNodeRecipe } from '../recipe/node.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import { manifestFromDelta } from './manifest-from-delta.ts'
import { type OverlapTarget, wantedOverlap } from './overlap.ts'
import type { Resolver } from './resolve.ts'
import type { ResolvedRelease } from './resolved-release.ts'
import type { FlowTools } from './tools.ts'

/** A version that a prefix is to change to, with all that is needed for it. */
export interface InstallTarget {
  readonly version: string
  readonly from: string | undefined
  readonly recordDigest: string
  readonly recipe: () => InstalledRecipe
  /** Undefined when the files are there already. */
  readonly origin: ReleaseOrigin | undefined
  /** What all of the release takes to fetch; 0 when its files are there. */
  readonly releaseBytes: number
  /** What the release is fetched through; undefined when its files are there. */
  readonly resolved: ResolvedRelease | undefined
}

/**
 * Find out what a version consists of: from the prefix when it is there, else from the repository.
 *
 * Errors: TRUST_*, RELEASE_UNKNOWN, RELEASE_CHANGED, HTTP_FAILED, MANIFEST_INVALID, RECIPE_INVALID,
 * ENVIRONMENT_UNKNOWN, VARIABLE_INVALID, ACCOUNT_*, SECRET_KEY.
 */
export async function resolveTarget(
  prefix: LockedPrefix,
  version: string,
  resolver: Resolver,
  tools: FlowTools,
): Promise<InstallTarget> {
  const { paths, identity } = prefix
  const state = prefix.state()
  const from = state.active
  const known = state.releases.get(version)
  if (known !== undefined && isUsable(state, version) && isComplete(paths, version)) {
    const recipe = readInstalledRecipe(paths, version)
    await assertConfigurable({ paths, identity, recipe, version })
    return { version, from, recordDigest: known.recordDigest, recipe: () => recipe, ...fetchesNothing }
  }
  const resolved = await resolver.release(identity.application, version)
  const locals = localVersions(paths, state).map(local => openLocalRelease(paths, local))
  const made = await manifestFromDelta(resolved, locals, { paths, version, signal: tools.signal })
  const { manifest, manifestBytes } = made ?? (await resolved.manifest())
  const recipe = parseNodeRecipe(manifest.recipe)
  // Told now rather than by setup, when everything has been fetched.
  await assertConfigurable({ paths, identity, recipe, version })
  const source = await resolved.source(manifest, (place, error) =>
    tools.emit({ kind: 'warning', code: error.code, message: `${place} is given up: ${error.message}` }),
  )
  const documents = { recordBytes: resolved.recordBytes, manifestBytes, manifest }
  return {
    version,
    from,
    recordDigest: resolved.recordDigest,
    recipe: () => recipe,
    origin: { documents, source, deltas: resolved.deltas, locals },
    releaseBytes: resolved.sizeBytes + manifestBytes.byteLength,
    resolved,
  }
}

/** The parts of a target whose files are there. */
export const fetchesNothing = { origin: undefined, releaseBytes: 0, resolved: undefined } as const

/** Plan the way to a version. Errors: GATE_UNREACHABLE. */
export async function planTarget(
  prefix: LockedPrefix,
  target: Pick<InstallTarget, 'version' | 'from' | 'recipe' | 'origin'>,
  { command, canary }: Pick<OverlapTarget, 'command' | 'canary'>,
): Promise<ChangePlan> {
  const { migrations, rollbackFloor } = prefix.state()
  return planChange({
    ...plannedData(target.recipe().node, activeNode(prefix.paths, target.from)),
    command,
    version: target.version,
    from: target.from,
    isComplete: target.origin === undefined,
    isServing: prefix.serving !== undefined,
    migrationsDone: migrations,
    softens: target.recipe().node.gate.soft.for > 0,
    rollbackFloor,
    overlap: await wantedOverlap(prefix, { ...target, command, canary }),
  })
}

/** What cannot be read any more must not keep its successor away. */
function activeNode(paths: PrefixPaths, version: string | undefined): InstalledRecipe['node'] | undefined {
  if (version === undefined) return undefined
  try {
    return readInstalledRecipe(paths, version).node
  } catch (caught) {
    if (caught instanceof ReleaseError) return undefined
    throw caught
  }
}

/** Tell whether a version is active, whole, and nothing is left to recover: the common answer, found without a lock. */
export function isSettled(paths: PrefixPaths, state: PrefixState, version: string): boolean {
  if (state.unfinished !== undefined || state.active !== version) return false
  return currentVersion(paths) === version && isComplete(paths, version)
}

/** Refuse to change a prefix that does not look as its journal says. Errors: PREFIX_DAMAGED. */
export function assertSound(paths: PrefixPaths, state: PrefixState): void {
  const found = currentVersion(paths)
  if (found === state.active) return
  throw new ReleaseError(
    'PREFIX_DAMAGED',
    `${paths.current} points to ${found ?? 'nothing'}, expected ${state.active ?? 'nothing'} as the journal says`,
    { hint: howToMend(paths, state), details: { path: paths.current, found, expected: state.active } },
  )
}

function howToMend({ current, journal }: PrefixPaths, { active, transactions }: PrefixState): string {
  if (transactions.length === 0) return `the journal is lost: put ${journal} back from a backup`
  if (active === undefined) return `remove ${current}`
  const link = `ln -sfn releases/${active} ${current}`
  // Into a folder that stands there, ln would put the link.
  return fs.lstatSync(current, { throwIfNoEntry: false })?.isDirectory() ? `move ${current} away, then ${link}` : link
}

/** Refuse a version that cannot run on the data as it is. Errors: ROLLBACK_FLOOR. */
export function assertAboveFloor(state: PrefixState, version: string): void {
  const { rollbackFloor } = state
  if (rollbackFloor === undefined || compareVersions(version, rollbackFloor) >= 0) return
  throw new ReleaseError(
    'ROLLBACK_FLOOR',
    `${version} cannot run on the data: a forward-only migration of ${rollbackFloor} has changed it`,
    {
      hint: `choose ${rollbackFloor} or later, or restore the data from before it by hand`,
      details: { version, rollbackFloor },
    },
  )
}

/**
 * Refuse to go to an older version that nobody meant to go to, or that nobody says is still published.
 *
 * Errors: DOWNGRADE; what made the repository's metadata `stale`, for who could keep a server from newer metadata could otherwise send it back to any
 * release that ever had a hole.
 */
export function assertDirection(
  active: string | undefined,
  version: string,
  asked: { readonly allowDowngrade: boolean; readonly stale: ReleaseError | undefined },
): void {
  if (active === undefined || compareVersions(version, active) >= 0) return
  if (!asked.allowDowngrade) {
    throw new ReleaseError('DOWNGRADE', `${version} is older than ${active}, which is active`, {
      hint: `cutover rollback --to ${version} where it is installed, else the same command with --allow-downgrade`,
      details: { version, active },
    })
  }
  if (asked.stale !== undefined) throw asked.stale
}

/** The releases that are here, those first that files are most likely the same in. */
function localVersions(paths: PrefixPaths, state: PrefixState): readonly string[] {
  const newestFirst = [...state.releases.values()]
    .filter(({ version }) => isUsable(state, version))
    .toSorted((a, b) => b.installedAtMs - a.installedAtMs)
  const likely = [state.active, previousVersion(state), ...newestFirst.map(({ version }) => version)]
  return [...new Set(likely)].filter(
    version => version !== undefined && isComplete(paths, version),
  ) as readonly string[]
}
