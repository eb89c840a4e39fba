import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { formatDuration } from '../core/quantity.ts'
import { type ControlClient, connectControl } from '../gate/control/client.ts'
import { type ControlRequest, controlSocket, type ServeStatus } from '../gate/control/protocol.ts'
import { remainingMs } from '../gate/machine/machine.ts'
import { type RunningShaping, recoveryRate, runningShaping, softShare } from '../gate/machine/shaping.ts'
import { readIdentity } from '../prefix/identity.ts'
import { prefixPaths } from '../prefix/layout.ts'
import type { FlowTools } from './tools.ts'

export interface GateOptions {
  readonly prefix: string
  /** What to do; `status` only looks. */
  readonly verb: 'status' | 'pass' | 'hold' | 'backoff' | 'drain' | 'soften'
  readonly reason: string
  /** How long a mode other than pass, or the soft phase, may last; what the release's recipe says when absent. */
  readonly lastsMs: number | undefined
}

/** A change may have to wait for a release to be started. */
const answerTimeoutMs = 60_000

/**
 * Look at a prefix's gate, or set its mode.
 *
 * Errors: PREFIX_UNKNOWN, SERVE_NOT_RUNNING, GATE_UNREACHABLE, what the serving process reports.
 */
export async function gate(options: GateOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const client = await servingClient(options.prefix)
  const { status } = await client.request(controlRequest(options), { timeoutMs: answerTimeoutMs })
  tools.emit({ kind: 'table', title: 'Gate', columns: ['what', 'value'], rows: gateRows(status, tools.clock.nowMs()) })
  tools.emit({
    kind: 'run-done',
    command: 'gate',
    changed: options.verb !== 'status',
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `mode ${status.gate.mode}: ${status.gate.reason}`,
    result: status,
  })
}

/**
 * Read what a prefix's gate has counted, as Prometheus reads it.
 *
 * Errors: PREFIX_UNKNOWN, SERVE_NOT_RUNNING, GATE_UNREACHABLE.
 */
export async function gateMetrics({ prefix }: { readonly prefix: string }): Promise<string> {
  const client = await servingClient(prefix)
  return (await client.request({ kind: 'metrics' })).metrics ?? ''
}

/** Find whoever serves a prefix. Errors: PREFIX_UNKNOWN, SERVE_NOT_RUNNING. */
export async function servingClient(prefix: string): Promise<ControlClient> {
  const paths = prefixPaths(path.resolve(prefix))
  readIdentity(paths)
  const client = await connectControl(path.join(paths.root, controlSocket))
  if (client !== undefined) return client
  throw new ReleaseError('SERVE_NOT_RUNNING', `nothing serves ${paths.root}`, {
    hint: `start it with cutover serve ${paths.root}`,
    details: { path: paths.root },
  })
}

function controlRequest({ verb, reason, lastsMs }: GateOptions): ControlRequest {
  if (verb === 'status') return { kind: 'status' }
  if (verb === 'soften')
    return { kind: 'soften', reason, by: 'operator', ...(lastsMs === undefined ? {} : { lastsMs }) }
  return { kind: 'gate', mode: verb, reason, by: 'operator', ...(lastsMs === undefined ? {} : { deadlineMs: lastsMs }) }
}

function gateRows(status: ServeStatus, nowMs: number): (readonly [string, string])[] {
  const { gate, counters } = status
  const leftMs = remainingMs(gate, nowMs)
  return [
    ['mode', gate.mode],
    ['for', formatDuration(Math.max(0, nowMs - gate.sinceMs))],
    ...(gate.shaping === undefined ? [] : [['shaping', shapingText(runningShaping(gate.shaping, nowMs))] as const]),
    ...(leftMs === undefined ? [] : [['ends in', formatDuration(leftMs)] as const]),
    ['reason', gate.reason],
    ['address', `${status.address} (${status.gateMode})`],
    ['release', status.version ?? 'none'],
    ...(status.beside === undefined ? [] : [['beside it', besideText(status.beside)] as const]),
    ...[...status.services, ...(status.beside?.services ?? [])].map(
      service => [`service ${service.name}`, serviceText(service)] as const,
    ),
    ['held now', `${counters.heldNow} of ${counters.held} ever, longest ${formatDuration(counters.longestHoldMs)}`],
    ['in flight', `${counters.inFlight} and ${counters.streams} streams`],
    ['turned away', `${counters.backedOff}, hung up ${counters.abandoned}`],
  ]
}

function shapingText(shaping: RunningShaping): string {
  if (shaping.kind === 'soft') {
    const percent = Math.round(softShare(shaping.elapsedMs, shaping) * 100)
    return `soft: ${percent} % of good answers tell clients to stay away`
  }
  const perSecond = Math.round(recoveryRate(shaping.elapsedMs, shaping))
  return `recovery: ${perSecond} requests per second are let in`
}

function besideText({ version, share, liveAnswers, besideAnswers }: NonNullable<ServeStatus['beside']>): string {
  const told = (answers: typeof liveAnswers) => `${answers.failures} of ${answers.answers}`
  const failed = `answers failed ${told(besideAnswers)}, of the other ${told(liveAnswers)}`
  return `${version}, with ${share * 100} % of the clients, ${failed}`
}

function serviceText(service: ServeStatus['services'][number]): string {
  const pid = service.pid === undefined ? '' : ` (pid ${service.pid})`
  const exit = service.lastExit === undefined ? '' : `, ended ${service.restarts} times, last: ${service.lastExit}`
  return `${service.state}${pid}${exit}`
}
