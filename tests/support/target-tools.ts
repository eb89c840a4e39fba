import type { LeaseTimes } from '../../src/repository/targets/lease.ts'
import { systemTransferTools, type TransferTools } from '../../src/repository/targets/tools.ts'
import { delay } from '../../src/sys/clock.ts'

/** The machine's own tools, which wait a hundredth of what they should. */
export const testedTools: TransferTools = {
  ...systemTransferTools,
  wait: (durationMs, signal) => delay(durationMs / 100, signal),
}

/** Leases that end soon enough to see it, and far enough from what a busy machine delays. */
export const testedLeaseTimes: LeaseTimes = { holdMs: 10_000, renewMs: 100, takeoverMs: 15_000, pollMs: 1000 }
