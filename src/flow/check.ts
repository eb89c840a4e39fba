import fs from 'node:fs'
import path from 'node:path'
import { type Condition, type Finding, judge, type Threshold } from '../core/condition.ts'
import { ReleaseError } from '../core/error.ts'
import { formatBytes, formatDuration } from '../core/quantity.ts'
import { compareVersions } from '../core/version.ts'
import { connectControl } from '../gate/control/client.ts'
import { type ControlResponse, controlSocket } from '../gate/control/protocol.ts'
import { accountOf } from '../prefix/account.ts'
import { type PrefixIdentity, readIdentity } from '../prefix/identity.ts'
import { currentVersion, isComplete, readInstalledRecipe } from '../prefix/installed.ts'
import { readJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { checkRuntime } from '../prefix/runtime-check.ts'
import { type PrefixState, replay } from '../prefix/state.ts'
import { lockHolder } from '../sys/lock.ts'
import { knownSince, readKnownIndex } from '../trust/client.ts'
import type { FlowTools } from './tools.ts'

/** From where on what is a warning, and critical. Units: milliseconds and percent. */
export interface CheckLimits {
  /** How long the gate lets nobody through. */
  readonly maintenanceMs: Threshold
  /** How long a command is at work. */
  readonly lockMs: Threshold
  /** Since when the repository was not read. */
  readonly metadataMs: Threshold
  /** How much of the file system is used: its bytes and its files. */
  readonly usedPercent: Threshold
}

/** What `cutover check` is asked for. */
export interface CheckOptions {
  readonly prefix: string
  /** Whose newest release is wanted; the most stable channel's when absent. */
  readonly channel?: string | undefined
  readonly limits: CheckLimits
}

/** What a check found. */
export interface CheckResult {
  readonly application: string
  readonly active: string | undefined
  readonly findings: readonly Finding[]
}

/**
 * Look at a prefix as a monitoring system does: cheaply, without asking the repository and without changing anything.
 *
 * Errors: PREFIX_UNKNOWN, DOCUMENT_INVALID, JOURNAL_*; everything else is a finding.
 */
export async function check(options: CheckOptions, { clock }: Pick<FlowTools, 'clock'>): Promise<CheckResult> {
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  const state = replay(readJournal(paths.journal))
  const look: Look = { paths, identity, state, nowMs: clock.nowMs(), ...options }
  const findings = [
    found('version', () => checkVersion(look)),
    found('change', () => checkChange(look)),
    found('files', () => checkFiles(look)),
    await foundLater('runtime', () => checkInterpreter(look)),
    ...(await checkServing(look)),
    found('lock', () => checkLock(look)),
    found('metadata', () => checkMetadata(look)),
    found('space', () => checkSpace(look)),
  ]
  return { application: identity.application, active: state.active, findings }
}

interface Look extends CheckOptions {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly state: PrefixState
  readonly nowMs: number
}

type Found = readonly [Condition, string, Finding['measures']?]

/** What cannot be looked at is unknown: one finding must not hide the others. */
function found(name: string, look: () => Found): Finding {
  try {
    const [condition, text, measures = []] = look()
    return { name, condition, text, measures }
  } catch (caught) {
    if (!(caught instanceof Error)) throw caught
    return { name, condition: 'unknown', text: caught.message, measures: [] }
  }
}

async function foundLater(name: string, look: () => Promise<Found>): Promise<Finding> {
  try {
    const looked = await look()
    return found(name, () => looked)
  } catch (caught) {
    return found(name, () => {
      throw caught
    })
  }
}

function checkVersion({ paths, identity, state, channel }: Look): Found {
  const { active, avoided } = state
  if (active === undefined) return ['critical', `no version of ${identity.application} is active`]
  const index = readKnownIndex(paths.trust, identity.application)
  const wanted = channel ?? index?.defaultChannel
  if (index === undefined || wanted === undefined) return ['ok', `${active} is active, none is known to be wanted`]
  const newer = (index.channels[wanted] ?? []).filter(
    version =>
      compareVersions(version, active) > 0 &&
      index.releases.some(release => release.version === version && release.yanked === undefined),
  )
  const behind = [{ name: 'behind', value: newer.length, unit: '' as const }]
  const newest = newer.at(-1)
  if (newest === undefined) return ['ok', `${active} is the newest of ${wanted}`, behind]
  if (avoided.has(newest)) {
    return ['warning', `${active} is active, ${newest} failed here: cutover why --version ${newest}`, behind]
  }
  return ['warning', `${active} is active, ${wanted} offers ${newest}`, behind]
}

function checkChange({ paths, state, nowMs }: Look): Found {
  const { unfinished, transactions } = state
  if (unfinished !== undefined) {
    const what = `${unfinished.command} of ${unfinished.version}`
    const holder = lockHolder(paths.lock)
    if (holder !== undefined) return ['ok', `${what} is under way (pid ${holder.pid})`]
    return ['critical', `${what} was interrupted: run cutover recover`]
  }
  const failed = transactions.findLast(each => each.outcome === 'aborted' || each.command === 'rollback')
  if (failed === undefined) return ['ok', 'no change has gone back']
  const sinceMs = nowMs - (failed.endedAtMs ?? failed.beganAtMs)
  const measures = [{ name: 'last_rollback', value: seconds(sinceMs), unit: 's' as const }]
  const why = failed.failure === undefined ? '' : `, ${failed.failure.code}`
  const text = `${failed.command} of ${failed.version} ${formatDuration(sinceMs)} ago${why}`
  const isLast = failed === transactions.at(-1) && failed.outcome === 'aborted'
  return [isLast ? 'warning' : 'ok', isLast ? `${text}: run cutover why` : `the last to go back: ${text}`, measures]
}

function checkFiles({ paths, state }: Look): Found {
  const current = currentVersion(paths)
  if (current !== state.active) {
    return ['critical', `current points to ${current ?? 'nothing'}, the journal says ${state.active ?? 'nothing'}`]
  }
  if (current === undefined) return ['ok', 'nothing is installed']
  if (!isComplete(paths, current)) return ['critical', `${current} is not whole: run cutover verify --repair`]
  return ['ok', `${current} is whole`]
}

async function checkInterpreter({ paths, state }: Look): Promise<Found> {
  if (state.active === undefined || !isComplete(paths, state.active)) return ['ok', 'nothing is installed']
  const { name, node } = readInstalledRecipe(paths, state.active)
  try {
    await checkRuntime({ paths, version: state.active, runtime: node.runtime, account: accountOf({ name, node }) })
    return ['ok', node.runtime.kind === 'none' ? 'the release needs none' : `${node.runtime.kind} is as it was set up`]
  } catch (caught) {
    if (!(caught instanceof ReleaseError)) throw caught
    return ['critical', `${caught.code}: ${caught.message}`]
  }
}

async function checkServing(look: Look): Promise<readonly Finding[]> {
  try {
    const client = await connectControl(path.join(look.paths.root, controlSocket))
    if (client === undefined) return [found('health', () => checkUnserved(look))]
    const answer = await client.request({ kind: 'probe' }, { timeoutMs: 15_000 })
    return [found('health', () => checkHealth(look, answer)), found('gate', () => checkGate(look, answer))]
  } catch (caught) {
    if (!(caught instanceof ReleaseError)) throw caught
    return [{ name: 'health', condition: 'critical', text: `${caught.code}: ${caught.message}`, measures: [] }]
  }
}

function checkUnserved({ paths, state }: Look): Found {
  if (state.active === undefined) return ['ok', 'there is nothing to serve']
  const { services } = readInstalledRecipe(paths, state.active).node
  if (services.length === 0) return ['ok', 'the release has no services']
  return ['critical', 'nothing serves this prefix: start cutover serve']
}

type Answer = Extract<ControlResponse, { readonly ok: true }>

function checkHealth({ state }: Look, { status, result }: Answer): Found {
  const restarts = status.services.reduce((sum, service) => sum + service.restarts, 0)
  const measures = [{ name: 'restarts', value: restarts, unit: '' as const }]
  if (status.version !== state.active) {
    return ['critical', `${status.version ?? 'nothing'} runs, ${state.active ?? 'nothing'} is active`, measures]
  }
  if (result?.ok !== true) return ['critical', result?.evidence ?? 'it was not asked', measures]
  return ['ok', result.evidence, measures]
}

function checkGate({ limits, nowMs }: Look, { status }: Answer): Found {
  const { mode, sinceMs, reason } = status.gate
  const lastsMs = mode === 'pass' ? 0 : Math.max(0, nowMs - sinceMs)
  const measures = [
    { name: 'maintenance', value: seconds(lastsMs), unit: 's' as const, ...inSeconds(limits.maintenanceMs) },
    { name: 'in_flight', value: status.counters.inFlight, unit: '' as const },
    { name: 'held', value: status.counters.heldNow, unit: '' as const },
  ]
  if (mode === 'pass') return ['ok', 'requests pass', measures]
  return [judge(lastsMs, limits.maintenanceMs), `${mode} for ${formatDuration(lastsMs)}: ${reason}`, measures]
}

function checkLock({ paths, limits, nowMs }: Look): Found {
  const holder = lockHolder(paths.lock)
  const lastsMs = holder === undefined ? 0 : Math.max(0, nowMs - holder.sinceMs)
  const measures = [{ name: 'lock', value: seconds(lastsMs), unit: 's' as const, ...inSeconds(limits.lockMs) }]
  if (holder === undefined) return ['ok', 'no command is at work', measures]
  const text = `${holder.command} (pid ${holder.pid}) is at work for ${formatDuration(lastsMs)}`
  return [judge(lastsMs, limits.lockMs), text, measures]
}

function checkMetadata({ paths, identity, limits, nowMs }: Look): Found {
  const knownMs = knownSince(paths.trust, identity.application)
  if (knownMs === undefined) return ['warning', `${identity.repository} was never read`]
  const ageMs = Math.max(0, nowMs - knownMs)
  const measures = [
    { name: 'metadata_age', value: seconds(ageMs), unit: 's' as const, ...inSeconds(limits.metadataMs) },
  ]
  return [judge(ageMs, limits.metadataMs), `the repository was read ${formatDuration(ageMs)} ago`, measures]
}

function checkSpace({ paths, limits }: Look): Found {
  const { bavail, blocks, bsize, files, ffree } = fs.statfsSync(paths.root)
  const used = { bytes: percentUsed(bavail, blocks), files: percentUsed(ffree, files) }
  const usedPercent = Math.max(used.bytes, used.files)
  const { warning, critical } = limits.usedPercent
  const measures = [
    { name: 'used', value: used.bytes, unit: '%' as const, warning, critical },
    { name: 'used_files', value: used.files, unit: '%' as const, warning, critical },
    { name: 'free', value: bavail * bsize, unit: 'B' as const },
  ]
  const text = `${formatBytes(bavail * bsize)} free, ${used.bytes} % of the bytes and ${used.files} % of the files used`
  return [judge(usedPercent, limits.usedPercent), text, measures]
}

/** Some file systems have no fixed number of files and say 0. */
function percentUsed(free: number, total: number): number {
  return total === 0 ? 0 : Math.round((1 - free / total) * 100)
}

const seconds = (durationMs: number) => Math.round(durationMs / 1000)
const inSeconds = ({ warning, critical }: Threshold): Threshold => ({
  warning: seconds(warning),
  critical: seconds(critical),
})
