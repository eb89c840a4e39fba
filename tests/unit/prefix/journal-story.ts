import type { JournalEntry } from '../../../src/prefix/journal-record.ts'
import { type PrefixState, replay } from '../../../src/prefix/state.ts'

/** The entries of a change that went well. */
export function committed(
  version: string,
  from?: string,
  command: 'install' | 'rollback' = 'install',
): readonly JournalEntry[] {
  const ops = command === 'install' ? ['stage', 'verify', 'switch'] : ['switch']
  return [
    {
      kind: 'begin',
      command,
      version,
      from,
      recordDigest: `sha256:${version}`,
      by: 'ada@node',
      ops: ops.map(name => ({ name, undo: 'exact' as const })),
    },
    ...ops.flatMap((op): JournalEntry[] => [
      { kind: 'intent', op },
      { kind: 'done', op },
    ]),
    { kind: 'commit', version },
  ]
}

/** Replay changes one after the other. */
export function history(...changes: readonly (readonly JournalEntry[])[]): PrefixState {
  let seq = 0
  let txn = 0
  return replay(
    changes.flatMap(entries =>
      entries.map(entry => {
        if (entry.kind === 'begin') txn += 1
        seq += 1
        return { schema: 1, seq, txn, at: seq * 1000, ...entry }
      }),
    ),
  )
}
