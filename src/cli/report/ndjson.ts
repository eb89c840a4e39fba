import type { Io } from '../io.ts'
import type { Report } from './report.ts'

/**
 * Render events for programs: one JSON object per line on stdout, told apart by `kind`.
 *
 * Shape: the members of core/event.ts as they are; an error as its code, message, hint, details, retryable and cause.
 */
export function ndjsonReport(io: Io): Report {
  return { emit: event => void io.stdout.write(`${JSON.stringify(event)}\n`), end: () => {} }
}
