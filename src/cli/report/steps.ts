import { stripVTControlCharacters } from 'node:util'
import { printable } from '../../core/error.ts'
import type { Event } from '../../core/event.ts'
import { formatDuration } from '../../core/quantity.ts'
import type { Clock } from '../../sys/clock.ts'
import { type ProgressStart, progressText } from './progress.ts'
import type { Paint } from './style.ts'
import type { Terminal } from './terminal.ts'

/** Events that belong to a step. */
export type StepEvent = Extract<
  Event,
  { kind: 'step-started' | 'step-done' | 'step-skipped' | 'step-failed' | 'progress' | 'output' }
>

/** How many lines of a failing step's commands are shown. */
const keptLines = 20
const redrawMs = 100
const plainProgressMs = 5000

export interface StepsOptions {
  readonly terminal: Terminal
  readonly paint: Paint
  readonly clock: Pick<Clock, 'elapsedMs'>
  readonly verbose: boolean
}

/** Renders steps one after the other: a line each when it ends, progress while it runs, its last output when it fails. */
export class StepLines {
  readonly #options: StepsOptions
  #nameWidthChars = 0
  #kept: string[] = []
  #starts = new Map<string, ProgressStart>()
  #lastDrawnMs = Number.NEGATIVE_INFINITY
  /** Steps that were skipped one after the other for the same reason: they share a line, which is written once another event comes. */
  #skipped: { readonly names: string[]; readonly reason: string } | undefined
  /** Whether the output of the step that failed has been shown. */
  outputShown = false

  constructor(options: StepsOptions) {
    this.#options = options
  }

  /** Align the lines to come to the names of the steps. */
  expect(steps: readonly string[]): void {
    this.#nameWidthChars = Math.max(0, ...steps.map(step => step.length))
  }

  take(event: StepEvent): void {
    if (event.kind === 'step-skipped') {
      this.#skip(event)
      return
    }
    this.flush()
    switch (event.kind) {
      case 'step-started':
        this.#kept = []
        this.#starts.clear()
        this.#lastDrawnMs = Number.NEGATIVE_INFINITY
        this.#options.terminal.status(`· ${printable(event.step)}`)
        return
      case 'progress':
        this.#progress(event)
        return
      case 'output':
        // Commands colour what they print; what is no colour but hostile is left to printable().
        this.#output(printable(stripVTControlCharacters(event.line)))
        return
      default:
        this.#end(event)
    }
  }

  /** Write what waits to be written. */
  flush(): void {
    const { terminal, paint } = this.#options
    if (this.#skipped === undefined) return
    const names = this.#skipped.names.join(', ').padEnd(this.#nameWidthChars)
    terminal.line(paint('dim', `- ${names}  ${this.#skipped.reason}`))
    this.#skipped = undefined
  }

  #skip({ step, reason }: Extract<Event, { kind: 'step-skipped' }>): void {
    if (this.#skipped?.reason !== oneLine(reason)) this.flush()
    this.#skipped ??= { names: [], reason: oneLine(reason) }
    this.#skipped.names.push(printable(step))
  }

  #progress(event: Extract<Event, { kind: 'progress' }>): void {
    const { terminal, clock } = this.#options
    const nowMs = clock.elapsedMs()
    const key = `${event.step}\n${event.what}`
    const start = this.#starts.get(key) ?? { done: event.done, atMs: nowMs }
    this.#starts.set(key, start)
    // On a terminal the first word comes at once; elsewhere only what takes long is worth a line.
    const lastMs = terminal.live ? this.#lastDrawnMs : Math.max(this.#lastDrawnMs, start.atMs)
    if (nowMs - lastMs < (terminal.live ? redrawMs : plainProgressMs)) return
    this.#lastDrawnMs = nowMs
    const text = printable(`${event.step}  ${progressText(event, start, nowMs)}`)
    if (terminal.live) terminal.status(`· ${text}`)
    else terminal.line(`· ${text}`)
  }

  #output(line: string): void {
    const { terminal, paint, verbose } = this.#options
    if (verbose) {
      terminal.line(paint('dim', `  │ ${line}`))
      return
    }
    this.#kept.push(line)
    if (this.#kept.length > keptLines) this.#kept.shift()
  }

  #end(event: Extract<Event, { kind: 'step-done' | 'step-failed' }>): void {
    const { terminal, paint } = this.#options
    const name = printable(event.step).padEnd(this.#nameWidthChars)
    switch (event.kind) {
      case 'step-done': {
        const summary = event.summary === undefined ? '' : `  ${oneLine(event.summary)}`
        terminal.line(`${paint('good', '✓')} ${name}${summary}  ${paint('dim', formatDuration(event.durationMs))}`)
        return
      }
      case 'step-failed':
        terminal.line(`${paint('bad', '✗')} ${name}  ${paint('dim', formatDuration(event.durationMs))}`)
        this.outputShown ||= this.#kept.length > 0 || this.#options.verbose
        for (const line of this.#kept) terminal.line(paint('dim', `  │ ${line}`))
        this.#kept = []
    }
  }
}

/** A summary may quote a command of several lines. */
function oneLine(text: string): string {
  return printable(text.replace(/\s*\n\s*/g, ' '))
}
