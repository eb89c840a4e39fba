import { Figures } from '../../../../src/gate/observe/figures.ts'
import type { RequestRecord } from '../../../../src/gate/observe/observer.ts'
import type { MetricsSnapshot } from '../../../../src/gate/observe/render-metrics.ts'

/** A request as the gate tells of it, but for what a test says. */
export function record(different: Partial<RequestRecord> = {}): RequestRecord {
  return {
    method: 'GET',
    target: '/notes?page=2',
    httpVersion: '1.1',
    host: 'notes.example',
    remoteAddress: '192.0.2.7',
    userAgent: 'curl/8.5',
    referrer: undefined,
    status: 200,
    receivedBytes: 0,
    sentBytes: 12,
    arrivedMs: Date.UTC(2026, 10, 21, 15, 32, 7),
    durationMs: 4,
    waitedMs: 0,
    outcome: 'answered',
    bypassed: false,
    isCanary: false,
    ...different,
  }
}

/** What a gate shows, but for what a test says. */
export function snapshot(different: Partial<MetricsSnapshot> = {}): MetricsSnapshot {
  const figures = new Figures()
  figures.finished(record({ durationMs: 30, waitedMs: 20 }))
  return {
    application: 'notes',
    version: '1.2.0',
    gateKind: 'proxy',
    mode: 'hold',
    modeSeconds: 1.5,
    services: [{ name: 'web', isRunning: true, restarts: 2 }],
    isUpstreamUp: true,
    inFlight: 3,
    streams: 1,
    heldNow: 7,
    heldBytes: 900,
    held: 9,
    released: 2,
    backedOff: 1,
    abandoned: 0,
    figures: figures.snapshot(),
    process: { startSeconds: 1_700_000_000, cpuSeconds: 0.25, residentBytes: 50_000_000 },
    ...different,
  }
}
