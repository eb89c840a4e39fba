import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { decideWindow, type MaintenanceWindow } from '../core/maintenance-window.ts'
import { formatDuration } from '../core/quantity.ts'
import { compareVersions, parseVersion } from '../core/version.ts'
import { assertNotAvoided, assertReadsState } from '../prefix/admission.ts'
import { type PrefixIdentity, readIdentity } from '../prefix/identity.ts'
import { readJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { isPruned, keptReleases, prune, sweepRemoved } from '../prefix/prune.ts'
import { type PrefixState, replay } from '../prefix/state.ts'
import { delay } from '../sys/clock.ts'
import { runChange } from './change.ts'
import { type InstallResult, type ToldRun, tellDeferred, tellDone, tellPlan, tellSettled } from './install-report.ts'
import {
  assertAboveFloor,
  assertDirection,
  assertSound,
  type InstallTarget,
  isSettled,
  planTarget,
  resolveTarget,
} from './install-target.ts'
import { type LockedPrefix, lockPrefix } from './locked-prefix.ts'
import { type AskedCanary, canaryOf } from './overlap.ts'
import { chooseResolver } from './prefix-resolver.ts'
import { recoverPrefix } from './recover.ts'
import type { Resolver } from './resolve.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover install` is asked for. */
export interface InstallOptions {
  readonly prefix: string
  /** The newest that has neither failed nor been rolled back here, when absent. */
  readonly version?: string | undefined
  /** Where the newest is looked for when no version is named; the most stable channel when absent. */
  readonly channel?: string | undefined
  readonly dryRun?: boolean | undefined
  /** Take a version that is older than the active one. */
  readonly allowDowngrade?: boolean | undefined
  /** Take a version that failed here before. */
  readonly retry?: boolean | undefined
  /** Ask nobody: only what is on this machine counts. */
  readonly offline?: boolean | undefined
  readonly waitLockMs?: number | undefined
  /** The longest of the random waits before the repository is asked, so that not all servers ask at once. */
  readonly splayMs?: number | undefined
  /** When a change may be made; outside of it nothing is done. */
  readonly window?: MaintenanceWindow | undefined
  /** An offline bundle that releases come from, instead of the repository of the prefix. */
  readonly from?: string | undefined
  /** How the version is tried out on a part of the clients, where two run side by side; what is not said, its recipe says. */
  readonly canary?: AskedCanary | undefined
  /** Where releases come from instead of the repository of the prefix. */
  readonly resolve?: Resolver | undefined
  /** Find out what to install once it is time, before the prefix is locked: building takes long. In place of `version` and `resolve`. */
  readonly prepare?: (() => Promise<PreparedRelease>) | undefined
}

/** A release that was made ready for an installation. */
export interface PreparedRelease {
  readonly version: string
  readonly resolve: Resolver
}

/**
 * Install a version into a prefix and switch to it, or find that there is nothing to do.
 *
 * Errors: those of taking the lock, TRUST_*, RELEASE_UNKNOWN, RELEASE_AVOIDED, DOWNGRADE, OFFLINE, ROLLBACK_FLOOR, PREFIX_DAMAGED; those of the operations,
 * after everything was taken back: FILE_NO_SPACE, SEGMENT_*, RUNTIME_*, SETUP_FAILED, MIGRATION_FAILED, INSTALL_UNHEALTHY, WINDOW_CLOSED; else
 * RECOVERY_INCOMPLETE. Crash: the next command finishes or undoes it; `current` names a complete version at any time.
 */
export async function install(options: InstallOptions, tools: FlowTools): Promise<InstallResult> {
  const run = beginRun(options, tools)
  const result = await installVersion(run, options, tools)
  // Deleting takes long, and needs no lock.
  if (options.dryRun !== true) sweepRemoved(run.paths)
  return result
}

async function installVersion(run: InstallRun, options: InstallOptions, tools: FlowTools): Promise<InstallResult> {
  const { paths, identity } = run
  const isDry = options.dryRun === true
  if (options.version !== undefined) {
    parseVersion(options.version)
    const state = replay(readJournal(paths.journal))
    const isTidy = isPruned(paths, state, { keep: keptReleases(identity) })
    if (isTidy && isSettled(paths, state, options.version)) return tellSettled(run, options.version)
  }
  const closed = closedWindow(run)
  if (closed !== undefined) return closed
  await waitSplay(run)
  const prepared = await options.prepare?.()
  const waitLockMs = options.waitLockMs ?? 0
  const asked = prepared?.version ?? options.version
  const command = asked === undefined ? 'install' : `install ${asked}`
  await using prefix = await lockPrefix({ prefix: paths.root, command, waitLockMs }, tools)
  tools.emit({ kind: 'run-started', command: 'install', subject: identity.application, steps: stepNames })
  if (!isDry) await recoverPrefix(prefix, tools)
  const state = prefix.state()
  assertSound(paths, state)
  const version = asked ?? (await newestVersion(prefix, run))
  const pruneSpare = () => prune(paths, prefix.journal, { keep: keptReleases(identity) }).map(each => each.version)
  if (isSettled(paths, state, version)) {
    // What made it active may have been killed before it came to this.
    if (!isDry) pruneSpare()
    return tellSettled(run, version)
  }
  assertAdmitted(run, state, version)
  const target = await resolveStep(run, () => resolveTarget(prefix, version, prepared?.resolve ?? run.resolver, tools))
  // Again, now that it is known how old the metadata is.
  assertAdmitted(run, state, version)
  assertReadsState(state, version, target.recipe().node.state)
  const { canary } = options
  const plan = await planTarget(prefix, target, { command: 'install', canary })
  if (isDry) return tellPlan(run, target, plan)
  const assertMaySwitch = () => assertOpen(run)
  const how = { assertMaySwitch, canary: canaryOf(target.recipe(), canary) }
  const change = await runChange(prefix, plan, { command: 'install', ...target, ...how }, tools)
  await target.resolved?.forget()
  return tellDone(run, target, { change, prefix, pruned: pruneSpare() })
}

/** The widest names of steps, for reports to align to. */
const stepNames = ['resolve', 'stage', 'switch', 'verify'] as const

interface InstallRun extends ToldRun {
  readonly options: InstallOptions
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly resolver: Resolver
  /** Set once metadata was found to have expired. */
  stale: ReleaseError | undefined
}

function beginRun(options: InstallOptions, tools: FlowTools): InstallRun {
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  const onStale = (error: ReleaseError, knownMs: number) => {
    run.stale = error
    tellStale(error, knownMs, tools)
  }
  const { application } = identity
  const run: InstallRun = {
    application,
    options,
    paths,
    identity,
    resolver: options.resolve ?? chooseResolver({ ...options, paths, identity, onStale }, tools),
    tools,
    startedMs: tools.clock.elapsedMs(),
    stale: undefined,
  }
  return run
}

/** A repository that nobody renews takes nothing away from a server: it goes on with what it knows, and says so. */
function tellStale(error: ReleaseError, knownMs: number, tools: FlowTools): void {
  const days = Math.floor((tools.clock.nowMs() - knownMs) / 86_400_000)
  const message = `${error.message}; going on with what was known ${days === 0 ? 'today' : `${days} days ago`}`
  tools.emit({ kind: 'warning', code: error.code, message })
}

/** Outside of its window an agent that runs every half an hour has nothing to do, which is no failure. */
function closedWindow(run: InstallRun): InstallResult | undefined {
  const { window } = run.options
  const state = window === undefined ? undefined : decideWindow(window, run.tools.clock.nowMs())
  if (state?.kind !== 'closed') return undefined
  return tellDeferred(run, replay(readJournal(run.paths.journal)).active, state.opensAtMs)
}

/** What was staged while the window was open must not be switched to once it is closed. Errors: WINDOW_CLOSED. */
function assertOpen({ options, tools }: InstallRun): void {
  const state = options.window === undefined ? undefined : decideWindow(options.window, tools.clock.nowMs())
  if (state?.kind !== 'closed') return
  const opens = state.opensAtMs === undefined ? 'for good' : `until ${new Date(state.opensAtMs).toISOString()}`
  throw new ReleaseError('WINDOW_CLOSED', `the maintenance window has closed meanwhile, ${opens}`, {
    details: { opensAtMs: state.opensAtMs },
  })
}

/** Refuse a version that nobody would want without saying so. Errors: ROLLBACK_FLOOR, DOWNGRADE, RELEASE_AVOIDED, TRUST_EXPIRED. */
function assertAdmitted({ options, stale }: InstallRun, state: PrefixState, version: string): void {
  assertAboveFloor(state, version)
  assertDirection(state.active, version, { allowDowngrade: options.allowDowngrade === true, stale })
  assertNotAvoided(state, version, options.retry === true)
}

async function waitSplay({ options, tools }: InstallRun): Promise<void> {
  const waitMs = Math.floor(Math.random() * (options.splayMs ?? 0))
  if (waitMs < 1000) return
  tools.emit({ kind: 'note', message: `waiting ${formatDuration(waitMs)}, so that not all servers begin at once` })
  await delay(waitMs, tools.signal)
}

/**
 * Choose the newest release that is on offer; none older than the active one, unless that was asked for: then a channel that went back takes its servers
 * with it. Errors: RELEASE_UNKNOWN when there is none at all.
 */
async function newestVersion(prefix: LockedPrefix, { options, resolver, tools }: InstallRun): Promise<string> {
  const { active, avoided } = prefix.state()
  const { application } = prefix.identity
  const newest = await resolver.newest(application, avoided, options.channel)
  const isNewer = (version: string) => active === undefined || compareVersions(version, active) > 0
  if (newest !== undefined && (isNewer(newest) || options.allowDowngrade === true)) return newest
  const above = [...avoided].filter(isNewer)
  if (above.length > 0) {
    const message = `${above.join(', ')} failed or was left here: name it with --version and --retry to install it all the same`
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
  const summary = `${run.application} ${target.from ?? 'nothing'} → ${target.version}`
  emit({ kind: 'step-done', step: 'resolve', durationMs: clock.elapsedMs() - startedMs, summary })
  return target
}
