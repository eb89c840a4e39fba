import { formatBytes, formatDuration } from '../core/quantity.ts'
import { type Downtime, downtimeOf } from '../prefix/downtime.ts'
import { type ChangePlan, pendingContracts } from '../prefix/plan.ts'
import { planStaging, type StagingFigures } from '../prefix/staging-plan.ts'
import type { BoundChange } from './change.ts'
import type { InstallTarget } from './install-target.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import type { FlowTools } from './tools.ts'

/** What an installation came to; the `result` of its last event. Units: bytes and milliseconds. */
export interface InstallResult {
  readonly application: string
  /** Undefined when there is none and nothing was done. */
  readonly version: string | undefined
  readonly from: string | undefined
  readonly changed: boolean
  /** Set when nothing was done because the maintenance window is closed; milliseconds since 1970, absent when it never opens again. */
  readonly deferred?: { readonly untilMs?: number }
  /** What would be done, of a dry run. */
  readonly plan?: InstallPlan
  readonly fetchedBytes: number
  readonly releaseBytes: number
  readonly reusedFiles: number
  readonly writtenFiles: number
  /** Undefined when nothing served the prefix. */
  readonly heldRequests: number | undefined
  readonly holdMs: number | undefined
}

/** What an installation would do. */
export interface InstallPlan {
  readonly operations: readonly string[]
  readonly downtime: Downtime
  /** Migrations that `cutover migrate --contract` is for afterwards. */
  readonly contracts: readonly string[]
  /** Undefined when the files are here. */
  readonly staging: StagingFigures | undefined
}

/** An installation, as far as telling about it goes. */
export interface ToldRun {
  readonly application: string
  readonly tools: FlowTools
  readonly startedMs: number
}

/** Tell that the version is active already. */
export function tellSettled(run: ToldRun, version: string): InstallResult {
  const result = resultOf(run, { version, from: version })
  return tell(run, result, `${result.application} ${version} is active already: nothing to do`)
}

/** Tell that the maintenance window is closed; `untilMs` is absent when it never opens again. */
export function tellDeferred(run: ToldRun, active: string | undefined, untilMs: number | undefined): InstallResult {
  const deferred = untilMs === undefined ? {} : { untilMs }
  const when = untilMs === undefined ? 'does not open again' : `opens at ${new Date(untilMs).toISOString()}`
  const result = { ...resultOf(run, { version: active, from: active }), deferred }
  return tell(run, result, `nothing was done: the maintenance window ${when}`)
}

const noticed: Readonly<Record<Downtime, string>> = {
  none: 'nothing',
  held: 'requests wait while the services change',
  migrated: 'requests wait while data is migrated and the services change',
}

/** Tell what a dry run would do: what is fetched, which operations, what clients notice. */
export function tellPlan(run: ToldRun, target: InstallTarget, planned: ChangePlan): InstallResult {
  const { origin } = target
  const staging =
    origin === undefined ? undefined : planStaging({ ...origin, manifest: origin.documents.manifest }).figures
  const plan: InstallPlan = {
    operations: planned.ops.map(op => op.name),
    downtime: downtimeOf(planned),
    contracts: pendingContracts(target.version, target.recipe().node.migrations, new Set()),
    staging,
  }
  run.tools.emit({
    kind: 'table',
    title: `${run.application} ${target.from ?? 'nothing'} → ${target.version}, if it were not a dry run`,
    columns: ['operation', 'undo', 'left out because'],
    rows: [
      ...planned.ops.map(op => [op.name, op.undo, '']),
      ...planned.skipped.map(skipped => [skipped.name, '', skipped.reason]),
    ],
  })
  const rows = [
    ...(staging === undefined ? [] : stagingRows(staging)),
    ['clients notice', noticed[plan.downtime]],
    ...(plan.contracts.length === 0 ? [] : [['left for migrate --contract', plan.contracts.join(', ')]]),
  ]
  run.tools.emit({ kind: 'table', title: 'what it takes', columns: ['', ''], rows })
  return tell(run, { ...resultOf(run, target), plan }, 'nothing was changed')
}

function stagingRows(staging: StagingFigures): readonly (readonly string[])[] {
  const { deltaBytes, segmentBytes, fetchBytes, wholeBytes, files, reusedFiles, patchedFiles, writtenFiles } = staging
  const from = deltaBytes === 0 ? '' : `, ${formatBytes(deltaBytes)} of it a delta pack`
  return [
    [
      'bytes to fetch',
      `${formatBytes(fetchBytes)} of ${formatBytes(wholeBytes)}${segmentBytes === 0 && deltaBytes > 0 ? ', a delta pack' : from}`,
    ],
    ['files', `${files}: ${reusedFiles} are here, ${patchedFiles} from the delta pack, ${writtenFiles} from segments`],
  ]
}

/** Tell what was done. */
export function tellDone(
  run: ToldRun,
  target: InstallTarget,
  done: { readonly change: BoundChange; readonly prefix: LockedPrefix; readonly pruned: readonly string[] },
): InstallResult {
  const { reusedFiles, writtenFiles } = done.change.files.figures
  const { serving: served } = done.prefix
  const held = served?.figures
  const result: InstallResult = {
    ...resultOf(run, target),
    changed: true,
    fetchedBytes: target.resolved?.fetchedBytes ?? 0,
    reusedFiles,
    writtenFiles,
    heldRequests: held?.heldRequests ?? (served === undefined ? undefined : 0),
    holdMs: held?.holdMs ?? (served === undefined ? undefined : 0),
  }
  const serving =
    held === undefined
      ? [
          [
            'gate',
            served === undefined ? 'nothing serves this prefix' : 'both versions ran side by side: nobody waited',
          ],
        ]
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

function resultOf(
  run: ToldRun,
  target: { readonly version: string | undefined; readonly from: string | undefined; readonly releaseBytes?: number },
) {
  return {
    application: run.application,
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

function tell(run: ToldRun, result: InstallResult, message: string): InstallResult {
  const durationMs = run.tools.clock.elapsedMs() - run.startedMs
  run.tools.emit({ kind: 'run-done', command: 'install', changed: result.changed, durationMs, message, result })
  return result
}
