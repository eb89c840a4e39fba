import type { JournalRecord } from './journal-record.ts'

/** What became of an operation, or of taking it back. Units: milliseconds. */
export interface TimelineEntry {
  /** `undo NAME` where it was taken back. */
  readonly step: string
  readonly beganAtMs: number
  /** Undefined for what was cut short, or is under way. */
  readonly durationMs: number | undefined
  readonly outcome: 'done' | 'failed' | 'interrupted'
  readonly note: string | undefined
}

/**
 * Tell what a transaction did, in order, and how long each part took.
 *
 * Pure. An operation that a recovery ran again has an entry for each time.
 */
export function timelineOf(records: readonly JournalRecord[], txn: number): readonly TimelineEntry[] {
  const entries: TimelineEntry[] = []
  let open: { readonly op: string; readonly atMs: number } | undefined
  const close = (outcome: TimelineEntry['outcome'], endedAtMs?: number, note?: string) => {
    if (open === undefined) return
    const durationMs = endedAtMs === undefined ? undefined : endedAtMs - open.atMs
    entries.push({ step: open.op, beganAtMs: open.atMs, durationMs, outcome, note })
    open = undefined
  }
  let lastAtMs = 0
  for (const record of records.filter(each => each.txn === txn && each.kind !== 'prune')) {
    if (record.kind === 'intent') {
      close('interrupted')
      open = { op: record.op, atMs: record.at }
    }
    if (record.kind === 'done') close('done', record.at, record.note)
    // A process that was killed in the middle of an operation did not live to say that it failed.
    if (record.kind === 'undo') close(record.code === 'INTERRUPTED' ? 'interrupted' : 'failed', record.at)
    if (record.kind === 'undone') {
      const durationMs = record.at - lastAtMs
      entries.push({
        step: `undo ${record.op}`,
        beganAtMs: lastAtMs,
        durationMs,
        outcome: 'done',
        note: undefined,
      })
    }
    lastAtMs = record.at
  }
  close('interrupted')
  return entries
}
