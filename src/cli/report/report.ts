import type { Emit } from '../../core/event.ts'
import type { GlobalOptions, Io } from '../run.ts'

/** A rendering of events. */
export interface Report {
  readonly emit: Emit
  /** Finish the last line; nothing is emitted afterwards. */
  readonly end: () => void
}

/** Choose the rendering: NDJSON on stdout with `--json`, otherwise text. */
export function createReport(io: Io, options: GlobalOptions): Report {
  if (options.json) {
    return { emit: event => void io.stdout.write(`${JSON.stringify(event)}\n`), end: () => {} }
  }
  return { emit: event => void io.stderr.write(`${event.kind}\n`), end: () => {} }
}
