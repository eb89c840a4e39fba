import type { RegistryTools } from '../../src/registry/retry.ts'

/** Tools for talking to a registry that do not wait, and record what they were asked for. */
export interface RecordedRegistryTools extends RegistryTools {
  readonly waits: number[]
  readonly warnings: string[]
}

/** Make tools whose waits are over at once. The clock goes on by what was waited. */
export function registryTools(options: { readonly signal?: AbortSignal } = {}): RecordedRegistryTools {
  const waits: number[] = []
  const warnings: string[] = []
  let nowMs = Date.UTC(2026, 0, 1)
  return {
    waits,
    warnings,
    clock: { nowMs: () => nowMs, elapsedMs: () => nowMs },
    wait: async durationMs => {
      waits.push(durationMs)
      nowMs += durationMs
    },
    random: () => 0,
    warn: (_code, message) => void warnings.push(message),
    signal: options.signal ?? new AbortController().signal,
  }
}
