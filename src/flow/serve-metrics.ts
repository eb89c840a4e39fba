import type { ServeStatus } from '../gate/control/protocol.ts'
import type { GateFigures } from '../gate/observe/figures.ts'
import { renderMetrics } from '../gate/observe/render-metrics.ts'

/** Write what a serving process is and has counted as Prometheus reads it; see gate/observe/render-metrics.ts. */
export function metricsText(
  application: string,
  status: ServeStatus,
  { figures, isUpstreamUp }: { readonly figures: GateFigures; readonly isUpstreamUp: boolean | undefined },
  nowMs: number,
): string {
  const { counters, gate } = status
  const { user, system } = process.cpuUsage()
  return renderMetrics({
    application,
    version: status.version,
    gateKind: status.gateMode,
    mode: gate.mode,
    modeSeconds: Math.max(0, nowMs - gate.sinceMs) / 1000,
    services: status.services.map(({ name, state, restarts }) => ({ name, isRunning: state === 'running', restarts })),
    isUpstreamUp,
    inFlight: counters.inFlight,
    streams: counters.streams,
    heldNow: counters.heldNow,
    heldBytes: counters.heldBytes,
    held: counters.held,
    released: counters.released,
    backedOff: counters.backedOff,
    abandoned: counters.abandoned,
    figures,
    process: {
      startSeconds: nowMs / 1000 - process.uptime(),
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
    },
  })
}
