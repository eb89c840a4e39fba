import type { Timers } from '../../src/gate/machine/timers.ts'

/** Timers that run only when told to. */
export interface ManualTimers {
  readonly timers: Timers
  readonly advance: (durationMs: number) => void
  readonly pending: ReadonlySet<unknown>
}

/** Make timers that begin at 0. */
export function manualTimers(): ManualTimers {
  let nowMs = 0
  const pending = new Set<{ readonly atMs: number; readonly call: () => void }>()
  const timers: Timers = {
    nowMs: () => nowMs,
    after: (durationMs, call) => {
      const timer = { atMs: nowMs + durationMs, call }
      pending.add(timer)
      return () => pending.delete(timer)
    },
  }
  const advance = (durationMs: number) => {
    const untilMs = nowMs + durationMs
    for (;;) {
      const next = [...pending].filter(timer => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      pending.delete(next)
      nowMs = Math.max(nowMs, next.atMs)
      next.call()
    }
    nowMs = untilMs
  }
  return { timers, advance, pending }
}
