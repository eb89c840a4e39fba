import type { Event } from '../../src/core/event.ts'
import type { FlowTools } from '../../src/flow/tools.ts'

/** Tools for a flow whose events are looked at afterwards. */
export interface RecordedTools extends FlowTools {
  readonly events: Event[]
  /** The result of the last `run-done`. */
  readonly result: <T>() => T
}

/** Make tools with a clock that stands still (wall-clock time in milliseconds), or the machine's when none is given. */
export function recordedTools(options: { readonly nowMs?: number; readonly signal?: AbortSignal } = {}): RecordedTools {
  const events: Event[] = []
  return {
    events,
    emit: event => void events.push(event),
    clock: { nowMs: () => options.nowMs ?? Date.now(), elapsedMs: () => performance.now() },
    signal: options.signal ?? new AbortController().signal,
    result: <T>() => {
      const last = events.findLast(event => event.kind === 'run-done')
      if (last === undefined) throw new Error('the flow did not end')
      return last.result as T
    },
  }
}
