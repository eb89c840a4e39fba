/** Time as the gate sees it; tests pass their own. */
export interface Timers {
  /** A monotonic reading in milliseconds. */
  readonly nowMs: () => number
  /** Call once after a while; the result cancels it. */
  readonly after: (durationMs: number, call: () => void) => () => void
}

/** The machine's timers. They do not keep the process alive: the listening socket does. */
export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after: (durationMs, call) => {
    const timer = setTimeout(call, durationMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
