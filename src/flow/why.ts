import path from 'node:path'
import { formatDuration } from '../core/quantity.ts'
import { compareVersions, parseVersion } from '../core/version.ts'
import { avoidedFor } from '../prefix/admission.ts'
import { type FailureRecord, readFailure } from '../prefix/failure-record.ts'
import { readIdentity } from '../prefix/identity.ts'
import { isComplete, readInstalledRecipe } from '../prefix/installed.ts'
import { readJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { backupOp, migrationOf, type PrefixState, replay, type Transaction } from '../prefix/state.ts'
import { type TimelineEntry, timelineOf } from '../prefix/timeline.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover why` is asked for. */
export interface WhyOptions {
  readonly prefix: string
  /** The last change that failed or was rolled back, when absent. */
  readonly version?: string | undefined
}

/**
 * What `cutover why` tells; the `result` of its last event.
 *
 * `failed`: it was taken back, or could not be. `left`: somebody rolled back from it. `floor`: a migration has changed the data for good.
 * `epoch`: it cannot read what a later version wrote. `fine`: nothing is held against it. `never`: it was never tried here, or nothing ever
 * failed.
 */
export interface WhyResult {
  readonly application: string
  readonly version: string | undefined
  readonly active: string | undefined
  readonly answer: 'failed' | 'left' | 'floor' | 'epoch' | 'fine' | 'never'
  /** The change that the answer is about. */
  readonly change: Transaction | undefined
  /** What was known when it failed; undefined where it was not written down, or is long gone. */
  readonly failure: FailureRecord | undefined
  readonly timeline: readonly TimelineEntry[]
  /** Whether an installation chooses it only with `--retry`. */
  readonly isAvoided: boolean
  readonly rollbackFloor: string | undefined
  readonly stateEpoch: number | undefined
}

/** Tell why a version was taken back, or is not chosen any more. Errors: PREFIX_UNKNOWN, JOURNAL_*, VERSION_INVALID, DOCUMENT_*. */
export async function why(options: WhyOptions, tools: FlowTools): Promise<WhyResult> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  const { application } = readIdentity(paths)
  const records = readJournal(paths.journal)
  const state = replay(records)
  const asked = options.version === undefined ? undefined : parseVersion(options.version)
  const { answer, change } = asked === undefined ? lastTrouble(state) : troubleOf(paths, state, asked)
  const version = asked ?? (answer === 'left' ? change?.from : change?.version)
  const result: WhyResult = {
    application,
    version,
    active: state.active,
    answer,
    change,
    failure: change === undefined ? undefined : readFailure(paths, change.txn),
    timeline: change === undefined ? [] : timelineOf(records, change.txn),
    isAvoided: version !== undefined && state.avoided.has(version),
    rollbackFloor: state.rollbackFloor,
    stateEpoch: state.stateEpoch,
  }
  if (answer === 'failed') tellFailure(result, tools)
  const durationMs = tools.clock.elapsedMs() - startedMs
  tools.emit({ kind: 'run-done', command: 'why', changed: false, durationMs, message: headline(result), result })
  return result
}

type Trouble = Pick<WhyResult, 'answer' | 'change'>

function lastTrouble({ transactions }: PrefixState): Trouble {
  const change = transactions.findLast(each => each.failure !== undefined || isRollback(each))
  if (change === undefined) return { answer: 'never', change }
  return { answer: change.failure === undefined ? 'left' : 'failed', change }
}

function isRollback({ command, outcome }: Transaction): boolean {
  return command === 'rollback' && outcome === 'committed'
}

function troubleOf(paths: PrefixPaths, state: PrefixState, version: string): Trouble {
  const avoided = avoidedFor(state, version)
  if (avoided !== undefined) return { answer: avoided.failure === undefined ? 'left' : 'failed', change: avoided }
  const { rollbackFloor, transactions } = state
  if (rollbackFloor !== undefined && compareVersions(version, rollbackFloor) < 0) {
    return { answer: 'floor', change: transactions.find(each => hasRaisedFloor(each, rollbackFloor)) }
  }
  const change = transactions.findLast(each => each.version === version)
  if (change === undefined) return { answer: 'never', change }
  if (!canReadState(paths, state, version)) return { answer: 'epoch', change }
  return { answer: change.failure === undefined ? 'fine' : 'failed', change }
}

/** Only what is still here can say what it reads. */
function canReadState(paths: PrefixPaths, { stateEpoch }: PrefixState, version: string): boolean {
  if (stateEpoch === undefined || !isComplete(paths, version)) return true
  const format = readInstalledRecipe(paths, version).node.state
  return format === undefined || format.reads.includes(stateEpoch)
}

function hasRaisedFloor({ version, planned, ops }: Transaction, floor: string): boolean {
  if (version !== floor) return false
  return planned.some(
    ({ name, undo, raisesFloor }) =>
      migrationOf(name) !== undefined &&
      (undo === 'forward-only' || raisesFloor === true) &&
      ops.some(op => op.name === name && op.state === 'done'),
  )
}

function headline(result: WhyResult): string {
  const { application, version, active, answer, change, rollbackFloor } = result
  switch (answer) {
    case 'failed':
      return `${failureText(result)}${result.isAvoided ? `; cutover install --version ${version} --retry tries it again` : ''}`
    case 'left':
      return `${version} was rolled back from by ${change!.by} at ${timeOf(change!.beganAtMs)}; ${active} is active`
    case 'floor':
      return `${version} cannot run on the data any more: ${floorText(change)} of ${rollbackFloor} has changed it`
    case 'epoch':
      return `${version} cannot read the data, which is of epoch ${result.stateEpoch} since a later version ran here`
    case 'fine':
      return `nothing is held against ${application} ${version}${version === active ? ', which is active' : ''}`
    case 'never':
      return version === undefined ? `no change of ${application} has failed here` : `${version} was never tried here`
  }
}

function floorText(change: Transaction | undefined): string {
  const names = change?.planned.filter(({ undo, raisesFloor }) => undo === 'forward-only' || raisesFloor === true)
  return names?.map(({ name }) => migrationOf(name) ?? name).join(', ') || 'a migration'
}

function failureText({ change, active }: WhyResult): string {
  const { command, version, from, failure, outcome } = change!
  const why = `${failure!.code}: ${failure!.reason}`
  if (outcome === 'unfinished') return `${command} of ${version} failed and was not taken back yet (${why})`
  if (command === 'migrate') return `contracting the data for ${version} failed (${why})`
  if (active === version) return `${version} failed and could not be taken back (${why})`
  return `${version} was taken back${from === undefined ? '' : ` to ${from}`} (${why})`
}

const shownLogLines = 8

function tellFailure(result: WhyResult, tools: FlowTools): void {
  const { application, failure, timeline } = result
  tools.emit({
    kind: 'table',
    title: `${application}: ${failureText(result)}`,
    columns: ['', ''],
    rows: facts(result),
  })
  tools.emit({
    kind: 'table',
    title: 'what was done',
    columns: ['step', 'took', 'outcome', 'note'],
    rows: timeline.map(({ step, durationMs, outcome, note }) => [
      step,
      durationMs === undefined ? '' : formatDuration(durationMs),
      outcome,
      note ?? '',
    ]),
  })
  for (const { file, lines } of failure?.logs ?? []) {
    if (lines.length === 0) continue
    const rows = lines.slice(-shownLogLines).map(line => [line])
    tools.emit({ kind: 'table', title: `the end of ${file}`, columns: [''], rows })
  }
}

function facts({ change, failure, timeline, isAvoided }: WhyResult): readonly (readonly string[])[] {
  const { txn, command, from, version, by, beganAtMs, endedAtMs } = change!
  const failed = timeline.find(entry => entry.outcome !== 'done')
  const took = endedAtMs === undefined ? '' : `, took ${formatDuration(endedAtMs - beganAtMs)}`
  const [reason = change!.failure!.reason, ...output] = failure?.message.split('\n') ?? []
  const printed = failure === undefined || failure.logs.length > 0 ? [] : output
  const services = failure?.services.map(
    ({ name, state, lastExit }) => `${name} ${state}${lastExit ? ` (${lastExit})` : ''}`,
  )
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['change', `#${txn}: ${command} ${from ?? 'nothing'} → ${version} by ${by}`],
    ['when', `${timeOf(beganAtMs)}${took}`],
    ['failed in', failure?.op ?? failed?.step],
    ['error', `${change!.failure!.code}: ${reason}`],
    ...printed.slice(-shownLogLines).map(line => ['', line] as const),
    ...(failure?.causes ?? []).map(cause => ['because', cause.split('\n', 1)[0]] as const),
    ['services', services?.join(', ') || undefined],
    ...backupsOf(timeline).map(place => ['backup', place] as const),
    ['avoided', isAvoided ? 'yes: chosen again only with --retry' : undefined],
  ]
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
}

function backupsOf(timeline: readonly TimelineEntry[]): readonly string[] {
  return timeline.flatMap(({ step, note }) => (step.split(':', 1)[0] === backupOp && note !== undefined ? [note] : []))
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
