import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { FlowTools } from '../flow/tools.ts'
import { systemClock } from '../sys/clock.ts'
import type { GlobalOptions, Io } from './io.ts'
import { createReport } from './report/report.ts'

/**
 * Run one flow for a command: render its events, turn its error into text and exit code, end it on SIGINT and SIGTERM.
 *
 * Post: resolves with the exit code; never rejects. A second SIGINT ends the process at once.
 */
export async function runCommand(
  io: Io,
  command: string,
  options: GlobalOptions,
  body: (tools: FlowTools) => Promise<number | undefined> | Promise<void>,
): Promise<number> {
  const report = createReport(io, options)
  const interruption = listenForSignals(command)
  const startedMs = systemClock.elapsedMs()
  try {
    const exitCode = await body({ emit: report.emit, clock: systemClock, signal: interruption.signal })
    return exitCode ?? 0
  } catch (caught) {
    const error = interruption.explain(toReleaseError(caught))
    report.emit({ kind: 'run-failed', command, durationMs: systemClock.elapsedMs() - startedMs, error })
    return error.exitCode
  } finally {
    interruption.end()
    report.end()
  }
}

interface Interruption {
  readonly signal: AbortSignal
  /** Whatever fails after the signal failed because of it, unless it left something to recover. */
  readonly explain: (error: ReleaseError) => ReleaseError
  readonly end: () => void
}

function listenForSignals(command: string): Interruption {
  const controller = new AbortController()
  let received: NodeJS.Signals | undefined
  const stop = (signal: NodeJS.Signals) => {
    received = signal
    controller.abort(interrupted(command, signal))
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  return {
    signal: controller.signal,
    explain: error => {
      if (received === undefined || error.code === 'INTERRUPTED' || error.exitCode === 4) return error
      return interrupted(command, received, error)
    },
    end: () => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
    },
  }
}

function interrupted(command: string, signal: NodeJS.Signals, cause?: ReleaseError): ReleaseError {
  return new ReleaseError('INTERRUPTED', `${command} was ended by ${signal}`, { cause, details: { signal } })
}
