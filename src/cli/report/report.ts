import type { Emit } from '../../core/event.ts'
import { systemClock } from '../../sys/clock.ts'
import type { GlobalOptions, Io } from '../io.ts'
import { humanReport } from './human.ts'
import { ndjsonReport } from './ndjson.ts'

/** A rendering of events. */
export interface Report {
  readonly emit: Emit
  /** Finish the last line; nothing is emitted afterwards. */
  readonly end: () => void
}

/** Choose the rendering: NDJSON on stdout with `--json`, otherwise text. */
export function createReport(io: Io, options: GlobalOptions): Report {
  return options.json ? ndjsonReport(io) : humanReport(io, options, systemClock)
}
