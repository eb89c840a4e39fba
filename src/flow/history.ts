import path from 'node:path'
import { formatDuration } from '../core/quantity.ts'
import { readIdentity } from '../prefix/identity.ts'
import { readJournal } from '../prefix/journal.ts'
import { prefixPaths } from '../prefix/layout.ts'
import { replay, type Transaction } from '../prefix/state.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover history` is asked for. */
export interface HistoryOptions {
  readonly prefix: string
  /** How many of the last ones; all when absent. */
  readonly limit?: number | undefined
}

/** List the installations and rollbacks of a prefix, oldest first, with why each failed one went back. Errors: PREFIX_UNKNOWN, JOURNAL_*. */
export async function history(options: HistoryOptions, tools: FlowTools): Promise<readonly Transaction[]> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  const { application } = readIdentity(paths)
  const all = replay(readJournal(paths.journal)).transactions
  const shown = options.limit === undefined ? all : all.slice(Math.max(0, all.length - options.limit))
  tools.emit({
    kind: 'table',
    title: `${application} in ${paths.root}`,
    columns: ['#', 'when', 'command', 'from', 'to', 'outcome', 'took', 'by', 'why'],
    rows: shown.map(row),
  })
  tools.emit({
    kind: 'run-done',
    command: 'history',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message:
      shown.length === all.length ? `${all.length} changes` : `the last ${shown.length} of ${all.length} changes`,
    result: shown,
  })
  return shown
}

function row(transaction: Transaction): readonly string[] {
  const { txn, beganAtMs, endedAtMs, command, from, version, outcome, by, failure } = transaction
  return [
    String(txn),
    new Date(beganAtMs).toISOString(),
    command,
    from ?? '',
    version,
    outcome,
    endedAtMs === undefined ? '' : formatDuration(endedAtMs - beganAtMs),
    by,
    failure === undefined ? '' : `${failure.code}: ${failure.reason}`,
  ]
}
