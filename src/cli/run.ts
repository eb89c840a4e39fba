import { type ReleaseError, toReleaseError } from '../core/error.ts'
import type { FlowTools } from '../flow/tools.ts'
import { systemClock } from '../sys/clock.ts'
import { createReport } from './report/report.ts'

/** The process as commands see it; tests pass their own. */
export interface Io {
  readonly stdout: { readonly write: (text: string) => unknown; readonly isTTY?: boolean; readonly columns?: number }
  readonly stderr: { readonly write: (text: string) => unknown; readonly isTTY?: boolean; readonly columns?: number }
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

/**
 * Run one flow for a command: render its events, turn its error into text and exit code, end it on SIGINT and SIGTERM.
 *
 * Post: resolves with the exit code; never rejects.
 */
export async function runCommand(
  io: Io,
  command: string,
  options: GlobalOptions,
  body: (tools: FlowTools) => Promise<number | void>,
): Promise<number> {
  const report = createReport(io, options)
  const controller = new AbortController()
  const stop = (signal: NodeJS.Signals) => controller.abort(new Error(`ended by ${signal}`))
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  const startedMs = systemClock.elapsedMs()
  try {
    const exitCode = await body({ emit: report.emit, clock: systemClock, signal: controller.signal })
    return exitCode ?? 0
  } catch (caught) {
    const error: ReleaseError = toReleaseError(caught)
    report.emit({ kind: 'run-failed', command, durationMs: systemClock.elapsedMs() - startedMs, error })
    return error.exitCode
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    report.end()
  }
}
