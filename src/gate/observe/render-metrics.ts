import type { GateMode } from '../machine/machine.ts'
import type { GateFigures } from './figures.ts'
import { bucketBoundsMs, type HistogramCounts } from './histogram.ts'

/** What is shown of a gate to whoever watches machines. */
export interface MetricsSnapshot {
  readonly application: string
  /** The version that runs; undefined when none does. */
  readonly version: string | undefined
  readonly gateKind: string
  readonly mode: GateMode
  /** How long the mode lasts already. */
  readonly modeSeconds: number
  /** How many services run, and how many there are. */
  readonly services: readonly { readonly name: string; readonly isRunning: boolean; readonly restarts: number }[]
  /** Whether the application accepts; undefined where no request of ours goes there. */
  readonly isUpstreamUp: boolean | undefined
  readonly inFlight: number
  readonly streams: number
  readonly heldNow: number
  readonly heldBytes: number
  /** Counts since the start, by what became of those who came. */
  readonly held: number
  readonly released: number
  readonly backedOff: number
  readonly abandoned: number
  readonly figures: GateFigures
  readonly process: { readonly startSeconds: number; readonly cpuSeconds: number; readonly residentBytes: number }
}

type Labels = Readonly<Record<string, string | number>>

const modes: readonly GateMode[] = ['pass', 'hold', 'backoff', 'drain']

/**
 * Write what a gate has counted as Prometheus reads it.
 *
 * Shape: text exposition format 0.0.4; names in base units (seconds, bytes), counters end in `_total`.
 * Source: Prometheus documentation, "Exposition formats" and "Metric and label naming".
 */
export function renderMetrics(snapshot: MetricsSnapshot): string {
  const { figures } = snapshot
  const lines: string[] = []
  const family = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    samples: readonly (readonly [Labels, number])[],
  ) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const [labels, value] of samples) lines.push(`${name}${labelText(labels)} ${value}`)
  }
  const one = (name: string, type: 'counter' | 'gauge', help: string, value: number) =>
    family(name, type, help, [[{}, value]])

  family('cutover_release_info', 'gauge', 'The release that runs.', [
    [{ application: snapshot.application, version: snapshot.version ?? '', gate: snapshot.gateKind }, 1],
  ])
  family(
    'cutover_gate_mode',
    'gauge',
    'The mode that the gate is in.',
    modes.map(mode => [{ mode }, mode === snapshot.mode ? 1 : 0]),
  )
  one('cutover_gate_mode_seconds', 'gauge', 'How long it is in that mode.', snapshot.modeSeconds)
  if (snapshot.isUpstreamUp !== undefined) {
    one('cutover_upstream_up', 'gauge', 'Whether the application accepts.', snapshot.isUpstreamUp ? 1 : 0)
  }
  family(
    'cutover_gate_requests_total',
    'counter',
    'Requests that have ended, by outcome and by the status that the client got.',
    figures.requests.map(({ outcome, status, count }) => [{ outcome, code: status }, count]),
  )
  one('cutover_gate_in_flight', 'gauge', 'Requests that the application has.', snapshot.inFlight)
  one('cutover_gate_streams', 'gauge', 'Event streams and upgraded connections.', snapshot.streams)
  one('cutover_gate_held', 'gauge', 'Requests that are held.', snapshot.heldNow)
  one('cutover_gate_held_bytes', 'gauge', 'Bytes that held requests keep in memory at most.', snapshot.heldBytes)
  one('cutover_gate_held_total', 'counter', 'Requests that were held.', snapshot.held)
  one('cutover_gate_released_total', 'counter', 'Held requests that the application got.', snapshot.released)
  one('cutover_gate_backed_off_total', 'counter', 'Requests that were turned away for a while.', snapshot.backedOff)
  one(
    'cutover_gate_abandoned_total',
    'counter',
    'Requests whose client hung up before it got an answer.',
    snapshot.abandoned,
  )
  one('cutover_gate_bypassed_total', 'counter', 'Requests that passed while others did not.', figures.bypassed)
  one('cutover_gate_canary_total', 'counter', 'Requests that the version on trial got.', figures.canary)
  one('cutover_gate_received_bytes_total', 'counter', 'Bytes of bodies from clients.', figures.receivedBytes)
  one('cutover_gate_sent_bytes_total', 'counter', 'Bytes of bodies to clients.', figures.sentBytes)
  lines.push(...histogram('cutover_gate_wait_seconds', 'How long requests were held.', figures.waits))
  lines.push(
    ...histogram(
      'cutover_gate_request_duration_seconds',
      'From arrival to the end of the application’s answer.',
      figures.durations,
    ),
  )
  family(
    'cutover_service_up',
    'gauge',
    'Whether a service runs.',
    snapshot.services.map(({ name, isRunning }) => [{ service: name }, isRunning ? 1 : 0]),
  )
  family(
    'cutover_service_restarts_total',
    'counter',
    'How often a service was started again.',
    snapshot.services.map(({ name, restarts }) => [{ service: name }, restarts]),
  )
  one(
    'process_start_time_seconds',
    'gauge',
    'When the serving process started, since 1970.',
    snapshot.process.startSeconds,
  )
  one('process_cpu_seconds_total', 'counter', 'Processor time of the serving process.', snapshot.process.cpuSeconds)
  one('process_resident_memory_bytes', 'gauge', 'Memory of the serving process.', snapshot.process.residentBytes)
  return `${lines.join('\n')}\n`
}

function histogram(name: string, help: string, { counts, sumMs }: HistogramCounts): readonly string[] {
  let count = 0
  const buckets = counts.map((own, bucket) => {
    count += own
    const bound = bucketBoundsMs[bucket]
    return `${name}_bucket{le="${bound === undefined ? '+Inf' : bound / 1000}"} ${count}`
  })
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} histogram`,
    ...buckets,
    `${name}_sum ${sumMs / 1000}`,
    `${name}_count ${count}`,
  ]
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
