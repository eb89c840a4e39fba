import type { ReleaseError } from './error.ts'

/**
 * Everything that a flow tells while it runs; its only output. Renderers (cli/report) turn events into text or NDJSON.
 *
 * Units: sizes in bytes, times in milliseconds. Events hold no secrets: whoever emits one has redacted it.
 */
export type Event =
  | {
      readonly kind: 'run-started'
      readonly command: string
      readonly subject: string
      readonly steps: readonly string[]
    }
  | { readonly kind: 'step-started'; readonly step: string }
  | {
      readonly kind: 'step-done'
      readonly step: string
      readonly durationMs: number
      readonly summary?: string | undefined
    }
  | { readonly kind: 'step-skipped'; readonly step: string; readonly code: string; readonly reason: string }
  | { readonly kind: 'step-failed'; readonly step: string; readonly durationMs: number; readonly error: ReleaseError }
  /** Work whose size is known or grows: `doneBytes` of `totalBytes`, or `done` of `total` things. */
  | {
      readonly kind: 'progress'
      readonly step: string
      readonly what: string
      readonly unit: 'bytes' | 'files' | 'operations'
      readonly done: number
      readonly total?: number
    }
  /** A line of a command that a step runs (tests, build, migrations). */
  | { readonly kind: 'output'; readonly step: string; readonly stream: 'stdout' | 'stderr'; readonly line: string }
  | { readonly kind: 'warning'; readonly code: string; readonly message: string }
  | { readonly kind: 'note'; readonly message: string }
  /** A table for people at the end of a run; for programs the rows are records. */
  | {
      readonly kind: 'table'
      readonly title: string
      readonly columns: readonly string[]
      readonly rows: readonly (readonly string[])[]
    }
  | {
      readonly kind: 'run-done'
      readonly command: string
      readonly changed: boolean
      readonly durationMs: number
      readonly message: string
      readonly result?: unknown
    }
  | { readonly kind: 'run-failed'; readonly command: string; readonly durationMs: number; readonly error: ReleaseError }

/** Where events go. Must not throw and must not block. */
export type Emit = (event: Event) => void

/** Drop every event; for tests and inner runs whose output nobody wants. */
export const silent: Emit = () => {}
