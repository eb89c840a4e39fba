import path from 'node:path'
import { formatBytes } from '../core/quantity.ts'
import { measureUsage } from '../prefix/disk-usage.ts'
import { findGarbage, type Garbage } from '../prefix/garbage.ts'
import { type PrefixPaths, prefixPaths, releasePaths } from '../prefix/layout.ts'
import { keptReleases, planPrune, prune, putAway, sweepRemoved } from '../prefix/prune.ts'
import { previousVersion } from '../prefix/state.ts'
import { type LockedPrefix, lockPrefix } from './locked-prefix.ts'
import { recoverPrefix } from './recover.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover gc` is asked for. */
export interface GcOptions {
  readonly prefix: string
  /** How many releases stay; what the prefix's settings say when absent. */
  readonly keep?: number | undefined
  readonly dryRun?: boolean | undefined
  readonly waitLockMs?: number | undefined
}

/** Something that goes. Units: bytes on disk. */
interface RemovedItem {
  /** Relative to the prefix. */
  readonly path: string
  readonly reason: string
  readonly sizeBytes: number
}

/** What a collection came to; the `result` of its last event. */
export interface GcResult {
  /** In a dry run: what would be. */
  readonly removed: readonly RemovedItem[]
  /** What stays although nobody needs it, for it is not ours to remove. */
  readonly left: readonly RemovedItem[]
  readonly versions: readonly string[]
  /** Without what another release shares by hard links. */
  readonly freedBytes: number
}

/**
 * Remove from a prefix what nothing needs any more: releases beyond those to keep, those that failed, and what killed commands left.
 *
 * The active release stays, the one that a rollback goes to, the rollback floor, and the newest besides. The lock is held until all of it is
 * out of the way, not until it is deleted. Errors: those of taking the lock and of a recovery, FILE_IO. Crash: the next call, or the next
 * installation, goes on.
 */
export async function collectGarbage(options: GcOptions, tools: FlowTools): Promise<GcResult> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  const isDry = options.dryRun === true
  const taken = await takeOut(paths, options, tools)
  const result = measure(paths, taken)
  if (!isDry) sweepRemoved(paths)
  tell(result, isDry, tools)
  const freed = formatBytes(result.freedBytes)
  const message = isDry
    ? `${freed} would be freed; nothing was changed`
    : `${result.removed.length} removed, ${freed} freed`
  tools.emit({
    kind: 'run-done',
    command: 'gc',
    changed: !isDry && result.removed.length > 0,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: result.removed.length === 0 ? 'nothing to remove' : message,
    result,
  })
  return result
}

/** What was taken out of a prefix, or would be. */
interface Taken {
  readonly versions: readonly string[]
  /** Each with the place where its files are now. */
  readonly garbage: readonly (Garbage & { readonly place: string })[]
  readonly unknown: readonly Garbage[]
}

async function takeOut(paths: PrefixPaths, options: GcOptions, tools: FlowTools): Promise<Taken> {
  const lock = { prefix: paths.root, command: 'gc', waitLockMs: options.waitLockMs ?? 0 }
  await using prefix = await lockPrefix(lock, tools)
  tools.emit({ kind: 'run-started', command: 'gc', subject: paths.root, steps: [] })
  if (options.dryRun !== true) await recoverPrefix(prefix, tools)
  const state = prefix.state()
  const policy = { keep: options.keep ?? keptReleases(prefix.identity), inUse: await servedVersions(prefix) }
  const versions = planPrune(state, policy)
  const { garbage, unknown } = findGarbage(paths, state, tools.clock.nowMs())
  const release = (version: string) => ({
    path: releasePaths(paths, version).root,
    reason: state.releases.get(version)?.status === 'failed' ? 'it failed here' : 'older than those to keep',
  })
  if (options.dryRun === true) {
    const all = [...versions.map(release), ...garbage]
    return { versions, garbage: all.map(each => ({ ...each, place: each.path })), unknown }
  }
  const pruned = prune(paths, prefix.journal, policy)
  const gone = pruned.map(({ version, place = '' }) => ({ ...release(version), place }))
  const rest = garbage.map(each => ({ ...each, place: putAway(paths, each.path) ?? '' }))
  tellKept(prefix, tools)
  return { versions, garbage: [...gone, ...rest], unknown }
}

/** How much it is. Many files take long, for which nobody has to wait: the lock is given back before. */
function measure(paths: PrefixPaths, { versions, garbage, unknown }: Taken): GcResult {
  const item = ({ path: name, reason }: Garbage, place: string): RemovedItem => {
    return { path: path.relative(paths.root, name), reason, sizeBytes: measureUsage([place]).sizeBytes }
  }
  return {
    removed: garbage.map(each => item(each, each.place)),
    left: unknown.map(each => item(each, each.path)),
    versions,
    freedBytes: measureUsage(garbage.map(({ place }) => place)).freedBytes,
  }
}

/** What runs is not removed, whatever the journal says. */
async function servedVersions({ serving }: LockedPrefix): Promise<ReadonlySet<string>> {
  const version = serving === undefined ? undefined : (await serving.status()).version
  return new Set(version === undefined ? [] : [version])
}

function tellKept(prefix: LockedPrefix, { emit }: FlowTools): void {
  const state = prefix.state()
  const names = [...state.releases.keys()].map(version => {
    if (version === state.active) return `${version} (active)`
    if (version === previousVersion(state)) return `${version} (rollback goes there)`
    return version === state.rollbackFloor ? `${version} (rollback floor)` : version
  })
  emit({ kind: 'note', message: names.length === 0 ? 'no release is installed' : `kept: ${names.join(', ')}` })
}

function tell({ removed, left }: GcResult, isDry: boolean, { emit }: FlowTools): void {
  if (removed.length > 0) {
    emit({
      kind: 'table',
      title: isDry ? 'would be removed, if it were not a dry run' : 'removed',
      columns: ['path', 'why', 'size'],
      rows: removed.map(({ path: name, reason, sizeBytes }) => [name, reason, formatBytes(sizeBytes)]),
    })
  }
  for (const { path: name, reason, sizeBytes } of left) {
    emit({ kind: 'note', message: `left: ${name}, ${formatBytes(sizeBytes)} (${reason})` })
  }
}
