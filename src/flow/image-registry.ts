import { formatBytes } from '../core/quantity.ts'
import type { RegistryTools } from '../registry/retry.ts'
import { delay } from '../sys/clock.ts'
import type { FlowTools } from './tools.ts'

/** What every flow that talks to a registry is told about it. */
export interface RegistryOptions {
  readonly cwd: string
  /** Where credentials are looked for. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Speak without TLS to a registry that is not on this machine. */
  readonly plainHttp: boolean
}

/** Make the tools of the registry's client from those of a flow. */
export function registryTools(tools: FlowTools): RegistryTools {
  return {
    clock: tools.clock,
    wait: delay,
    random: Math.random,
    warn: (code, message) => tools.emit({ kind: 'warning', code, message }),
    signal: tools.signal,
  }
}

/** Make a function that tells how many bytes of a step were moved. */
export function tellBytes(tools: FlowTools, step: string, what: string): (done: number, total: number) => void {
  return (done, total) => tools.emit({ kind: 'progress', step, what, unit: 'bytes', done, total })
}

/** Word the amount and speed of a transfer: `45.1 MiB at 210.0 MiB/s`. */
export function describeTransfer(sizeBytes: number, durationMs: number): string {
  const perSecond = Math.round((sizeBytes / Math.max(1, durationMs)) * 1000)
  return `${formatBytes(sizeBytes)} at ${formatBytes(perSecond)}/s`
}
