/** Time as flows see it; tests pass their own. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970. */
  readonly nowMs: () => number
  /** A monotonic reading in milliseconds, for durations. */
  readonly elapsedMs: () => number
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
}

/** Resolve after a while; rejects with the signal's reason when aborted. */
export function delay(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, durationMs)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
