import { printable, type ReleaseError } from '../../core/error.ts'
import type { Event } from '../../core/event.ts'
import { formatDuration } from '../../core/quantity.ts'
import type { Clock } from '../../sys/clock.ts'
import type { GlobalOptions, Io } from '../io.ts'
import type { Report } from './report.ts'
import { StepLines } from './steps.ts'
import { createPaint, type Paint } from './style.ts'
import { renderTable } from './table.ts'
import { openTerminal } from './terminal.ts'

/**
 * Render events for people: what happens, and how long it takes, on stderr; tables and the closing message on stdout.
 *
 * Post: the output of commands appears with `--verbose`, or when their step fails; `--quiet` leaves warnings and errors.
 */
export function humanReport(io: Io, options: GlobalOptions, clock: Pick<Clock, 'elapsedMs'>): Report {
  const terminal = openTerminal(io.stderr)
  const paint = createPaint(io.stderr, io.environment)
  const paintResult = createPaint(io.stdout, io.environment)
  const steps = new StepLines({ terminal, paint, clock, verbose: options.verbose === true })
  const result = (lines: readonly string[]) => {
    terminal.status('')
    io.stdout.write(lines.map(line => `${line}\n`).join(''))
  }
  const emit = (event: Event): void => {
    if (event.kind !== 'step-skipped') steps.flush()
    switch (event.kind) {
      case 'run-started':
        terminal.line(paint('strong', printable(`${event.command} ${event.subject}`.trimEnd())))
        steps.expect(event.steps)
        break
      case 'warning':
        terminal.line(`${paint('warn', 'warning')} ${event.code}: ${printable(event.message)}`)
        break
      case 'note':
        terminal.line(printable(event.message))
        break
      case 'table':
        result(tableLines(event, paintResult))
        break
      case 'run-done':
        result([`${printable(event.message)}${paintResult('dim', tookText(event.durationMs))}`])
        break
      case 'run-failed':
        terminal.line(errorText(event.error, paint, steps.outputShown))
        break
      default:
        steps.take(event)
    }
  }
  return {
    emit: event => {
      if (!options.quiet || event.kind === 'warning' || event.kind === 'run-failed') emit(event)
    },
    end: () => {
      steps.flush()
      terminal.status('')
    },
  }
}

function tableLines(event: Extract<Event, { kind: 'table' }>, paint: Paint): readonly string[] {
  const title = event.title === '' ? [] : [paint('strong', printable(event.title))]
  return [...title, ...renderTable(event)]
}

/** What runs at once needs no time written behind it. */
function tookText(durationMs: number): string {
  return durationMs < 1000 ? '' : `  (${formatDuration(durationMs)})`
}

/** Word an error. The first line of a message says it all; below it may stand a command's output, which is not shown twice. */
function errorText(error: ReleaseError, paint: Paint, outputShown: boolean): string {
  const message = outputShown ? error.message.split('\n', 1)[0] : error.message
  return `${paint('bad', 'error')} ${error.code}: ${message}\n${paint('strong', 'hint:')} ${error.hint}`
}
