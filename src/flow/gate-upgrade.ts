import path from 'node:path'
import { servingClient } from './gate.ts'
import type { FlowTools } from './tools.ts'

export interface GateUpgradeOptions {
  readonly prefix: string
  /** The executable of the successor; the one that serves, as it is on the disk now, when absent. */
  readonly cutover: string | undefined
  /** How long the successor may take until it could take over; what the serving process allows when absent. */
  readonly readyMs: number | undefined
  /** How long streams may keep the old process. */
  readonly streamsMs: number | undefined
}

/** What follows when the successor could take over is bounded by the serving process itself. */
const takingMs = 30_000

/**
 * Replace the serving process of a prefix by its successor: no connection is lost, and its services run on.
 *
 * Errors: PREFIX_UNKNOWN, SERVE_NOT_RUNNING, GATE_UNREACHABLE, GATE_UPGRADE_REFUSED, GATE_UPGRADE_FAILED; all as before then.
 */
export async function upgradeGate(options: GateUpgradeOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const { cutover, readyMs, streamsMs } = options
  const client = await servingClient(options.prefix)
  const before = await client.request({ kind: 'status' })
  const { status } = await client.request(
    {
      kind: 'upgrade',
      ...(cutover === undefined ? {} : { cutover: path.resolve(cutover) }),
      ...(readyMs === undefined ? {} : { readyMs }),
      ...(streamsMs === undefined ? {} : { streamsMs }),
    },
    { timeoutMs: (readyMs ?? takingMs) + takingMs },
  )
  tools.emit({
    kind: 'run-done',
    command: 'gate upgrade',
    changed: true,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `process ${status.pid} serves in place of ${before.status.pid}`,
    result: status,
  })
}
