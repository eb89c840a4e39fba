import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { formatBytes, formatDuration } from '../core/quantity.ts'
import { compareVersions, parseVersion } from '../core/version.ts'
import { type PrefixIdentity, readIdentity } from '../prefix/identity.ts'
import { readJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import type { ChangePlan } from '../prefix/plan.ts'
import { prune } from '../prefix/prune.ts'
import { replay } from '../prefix/state.ts'
import { type BoundChange, runChange } from './change.ts'
import {
  assertAboveFloor,
  assertSound,
  type InstallTarget,
  isSettled,
  planTarget,
  resolveTarget,
} from './install-target.ts'
import { type LockedPrefix, lockPrefix } from './locked-prefix.ts'
import { recoverPrefix } from './recover.ts'
import { type Resolver, resolveFromRepository } from './resolve.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover install` is asked for. */
export interface InstallOptions {
  readonly prefix: string
  /** The newest that has neither failed nor been rolled back here, when absent. */
  readonly version?: string | undefined
  /** Where the newest is looked for when no version is named; the most stable channel when absent. */
  readonly channel?: string | undefined
  readonly dryRun?: boolean | undefined
  readonly waitLockMs?: number | undefined
  /** Where releases come from instead of the repository of the prefix. */
  readonly resolve?: Resolver | undefined
}

/** What an installation came to; the `result` of its last event. Units: bytes and milliseconds. */
export interface InstallResult {
  readonly application: string
  readonly version: string
  readonly from: string | undefined
  readonly changed: boolean
  readonly fetchedBytes: number
  readonly releaseBytes: number
  readonly reusedFiles: number
  readonly writtenFiles: number
  /** Undefined when nothing served the prefix. */
  readonly heldRequests: number | undefined
  readonly holdMs: number | undefined
}

/**
 * Install a version into a prefix and switch to it, or find that there is nothing to do.
 *
 * Errors: those of taking the lock, TRUST_*, RELEASE_UNKNOWN, ROLLBACK_FLOOR, PREFIX_DAMAGED; those of the operations, after everything
 * was taken back: FILE_NO_SPACE, SEGMENT_*, RUNTIME_*, SETUP_FAILED, MIGRATION_FAILED, INSTALL_UNHEALTHY; else RECOVERY_INCOMPLETE.
 * Crash: the next command finishes or undoes it; `current` names a complete version at any time.
 */
export async function install(options: InstallOptions, tools: FlowTools): Promise<InstallResult> {
  const run = beginRun(options, tools)
  const { paths, identity, resolver } = run
  if (options.version !== undefined) {
    parseVersion(options.version)
    if (isSettled(paths, replay(readJournal(paths.journal)), options.version)) return settled(run, options.version)
  }
  const waitLockMs = options.waitLockMs ?? 0
  await using prefix = await lockPrefix({ prefix: paths.root, command: 'install', waitLockMs }, tools)
  tools.emit({ kind: 'run-started', command: 'install', subject: identity.application, steps: stepNames })
  if (options.dryRun !== true) await recoverPrefix(prefix, tools)
  assertSound(paths, prefix.state())
  const version = options.version ?? (await newestVersion(prefix, { resolver, channel: options.channel }, tools))
  if (isSettled(paths, prefix.state(), version)) return settled(run, version)
  assertAboveFloor(prefix.state(), version)
  const target = await resolveStep(run, () => resolveTarget(prefix, version, resolver, tools))
  const plan = planTarget(prefix, target, 'install')
  if (options.dryRun === true) return tellPlan(run, target, plan)
  const change = await runChange(prefix, plan, { command: 'install', ...target }, tools)
  const pruned = prune(paths, prefix.journal)
  return tellDone(run, target, { change, prefix, pruned })
}

/** The widest names of steps, for reports to align to. */
const stepNames = ['resolve', 'stage', 'switch', 'verify'] as const

interface InstallRun {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly resolver: Resolver
  readonly tools: FlowTools
  readonly startedMs: number
}

function beginRun(options: InstallOptions, tools: FlowTools): InstallRun {
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  const resolver =
    options.resolve ??
    resolveFromRepository(
      { trustFolder: paths.trust, repositoryUrl: identity.repository, onStale: (...stale) => tellStale(stale, tools) },
      tools.signal,
    )
  return { paths, identity, resolver, tools, startedMs: tools.clock.elapsedMs() }
}

/** A repository that nobody renews takes nothing away from a server: it goes on with what it knows, and says so. */
function tellStale([error, knownMs]: readonly [ReleaseError, number], tools: FlowTools): void {
  const days = Math.floor((tools.clock.nowMs() - knownMs) / 86_400_000)
  const message = `${error.message}; going on with what was known ${days === 0 ? 'today' : `${days} days ago`}`
  tools.emit({ kind: 'warning', code: error.code, message })
}

/** Choose the newest release, but none older than the active one. Errors: RELEASE_UNKNOWN when there is none at all. */
async function newestVersion(
  prefix: LockedPrefix,
  { resolver, channel }: { readonly resolver: Resolver; readonly channel: string | undefined },
  tools: FlowTools,
): Promise<string> {
  const { active, avoided } = prefix.state()
  const { application } = prefix.identity
  const newest = await resolver.newest(application, avoided, channel)
  if (newest !== undefined && (active === undefined || compareVersions(newest, active) > 0)) return newest
  const above = [...avoided].filter(version => active !== undefined && compareVersions(version, active) > 0)
  if (above.length > 0) {
    const message = `${above.join(', ')} failed or was left here: name it with --version to install it all the same`
    tools.emit({ kind: 'note', message })
  }
  if (active !== undefined) return active
  const failed = avoided.size === 0 ? '' : ` besides ${[...avoided].join(', ')}, which failed here`
  throw new ReleaseError('RELEASE_UNKNOWN', `there is no release of ${application} to choose${failed}`, {
    hint: 'name one with --version; snapshots and pre-releases are never chosen by themselves',
    details: { application, avoided: [...avoided] },
  })
}

async function resolveStep(run: InstallRun, resolve: () => Promise<InstallTarget>): Promise<InstallTarget> {
  const { emit, clock } = run.tools
  const startedMs = clock.elapsedMs()
  emit({ kind: 'step-started', step: 'resolve' })
  const target = await resolve()
  const summary = `${run.identity.application} ${target.from ?? 'nothing'} → ${target.version}`
  emit({ kind: 'step-done', step: 'resolve', durationMs: clock.elapsedMs() - startedMs, summary })
  return target
}

function settled(run: InstallRun, version: string): InstallResult {
  const result = resultOf(run, { version, from: version })
  return tell(run, result, `${result.application} ${version} is active already: nothing to do`)
}

function tellPlan(run: InstallRun, target: InstallTarget, plan: ChangePlan): InstallResult {
  run.tools.emit({
    kind: 'table',
    title: `${run.identity.application} ${target.from ?? 'nothing'} → ${target.version}, if it were not a dry run`,
    columns: ['operation', 'undo', 'left out because'],
    rows: [
      ...plan.ops.map(op => [op.name, op.undo, '']),
      ...plan.skipped.map(skipped => [skipped.name, '', skipped.reason]),
    ],
  })
  return tell(run, resultOf(run, target), 'nothing was changed')
}

function tellDone(
  run: InstallRun,
  target: InstallTarget,
  done: { readonly change: BoundChange; readonly prefix: LockedPrefix; readonly pruned: readonly string[] },
): InstallResult {
  const { reusedFiles, writtenFiles } = done.change.files.figures
  const held = done.prefix.serving?.figures
  const manifestBytes = target.origin?.documents.manifestBytes.byteLength ?? 0
  const result: InstallResult = {
    ...resultOf(run, target),
    changed: true,
    fetchedBytes: (target.origin?.source.fetchedBytes ?? 0) + manifestBytes,
    reusedFiles,
    writtenFiles,
    heldRequests: held?.heldRequests,
    holdMs: held?.holdMs,
  }
  const serving =
    held === undefined
      ? [['gate', 'nothing serves this prefix']]
      : [
          ['requests held', `${held.heldRequests}, the longest ${formatDuration(held.longestHoldMs)}`],
          ['requests backed off', String(held.backedOffRequests)],
          ['hold to release', formatDuration(held.holdMs)],
        ]
  run.tools.emit({
    kind: 'table',
    title: `${result.application} ${result.from ?? 'nothing'} → ${result.version}`,
    columns: ['', ''],
    rows: [
      ['bytes fetched', `${formatBytes(result.fetchedBytes)} of ${formatBytes(result.releaseBytes)}`],
      ['files', `${writtenFiles} written, ${reusedFiles} reused`],
      ...serving,
      ...(done.pruned.length === 0 ? [] : [['releases removed', done.pruned.join(', ')]]),
    ],
  })
  return tell(run, result, `${result.application} ${result.version} is active`)
}

function resultOf(run: InstallRun, target: Pick<InstallTarget, 'version' | 'from'> & { releaseBytes?: number }) {
  return {
    application: run.identity.application,
    version: target.version,
    from: target.from,
    changed: false,
    fetchedBytes: 0,
    releaseBytes: target.releaseBytes ?? 0,
    reusedFiles: 0,
    writtenFiles: 0,
    heldRequests: undefined,
    holdMs: undefined,
  } satisfies InstallResult
}

function tell(run: InstallRun, result: InstallResult, message: string): InstallResult {
  const durationMs = run.tools.clock.elapsedMs() - run.startedMs
  run.tools.emit({ kind: 'run-done', command: 'install', changed: result.changed, durationMs, message, result })
  return result
}
