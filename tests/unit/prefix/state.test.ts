import { describe, expect, it } from 'vitest'
import type { JournalEntry, JournalRecord } from '../../../src/prefix/journal-record.ts'
import { isUsable, migrationKey, previousVersion, replay } from '../../../src/prefix/state.ts'
import { committed, history } from './journal-story.ts'

describe('replay', () => {
  it('of an empty journal is an empty prefix', () => {
    expect(replay([])).toMatchObject({ active: undefined, unfinished: undefined, transactions: [] })
  })

  it('knows what is active, what was before, and what was staged', () => {
    const state = history(committed('1.0.0'), committed('1.1.0', '1.0.0'))
    expect(state.active).toBe('1.1.0')
    expect(previousVersion(state)).toBe('1.0.0')
    expect(state.releases.get('1.0.0')?.status).toBe('retired')
    expect(state.releases.get('1.1.0')?.status).toBe('active')
    expect(state.transactions.map(each => each.outcome)).toEqual(['committed', 'committed'])
  })

  it('goes back one step with each rollback, and never to what was rolled back', () => {
    const first = [committed('1.0.0'), committed('1.1.0', '1.0.0'), committed('1.2.0', '1.1.0')]
    const once = history(...first, committed('1.1.0', '1.2.0', 'rollback'))
    expect(previousVersion(once)).toBe('1.0.0')
    expect(once.avoided).toEqual(new Set(['1.2.0']))
    const again = history(...first, committed('1.1.0', '1.2.0', 'rollback'), committed('1.2.0', '1.1.0'))
    expect(previousVersion(again)).toBe('1.1.0')
    expect(again.avoided).toEqual(new Set())
  })

  it('blames a release for its own failures only', () => {
    const failing = (code: string): JournalEntry[] => [
      ...committed('1.1.0', '1.0.0').slice(0, 3),
      { kind: 'undo', code, reason: 'because' },
      { kind: 'undone', op: 'stage' },
      { kind: 'abort', version: '1.1.0', code, reason: 'because' },
    ]
    const blamed = history(committed('1.0.0'), failing('INSTALL_UNHEALTHY'))
    expect(blamed).toMatchObject({ active: '1.0.0', avoided: new Set(['1.1.0']) })
    expect(isUsable(blamed, '1.1.0')).toBe(false)
    expect(blamed.transactions.at(-1)?.failure).toEqual({ code: 'INSTALL_UNHEALTHY', reason: 'because' })
    const innocent = history(committed('1.0.0'), failing('HTTP_FAILED'))
    expect(innocent).toMatchObject({ active: '1.0.0', avoided: new Set() })
    expect(innocent.releases.has('1.1.0')).toBe(false)
  })

  it('knows the highest epoch that the data may have been written in, once requests reached its version', () => {
    const writing = (version: string, from: string | undefined, writes: number): JournalEntry[] => {
      const [begin, ...rest] = committed(version, from)
      return [{ ...(begin as JournalEntry & { kind: 'begin' }), stateFormat: { reads: [1, 2], writes } }, ...rest]
    }
    expect(history(committed('1.0.0')).stateEpoch).toBeUndefined()
    const upgraded = [writing('1.0.0', undefined, 1), writing('1.1.0', '1.0.0', 2)]
    expect(history(...upgraded).stateEpoch).toBe(2)
    expect(history(...upgraded, writing('1.2.0', '1.1.0', 1)).stateEpoch).toBe(2)
    const open: JournalEntry[] = [...writing('1.1.0', '1.0.0', 2).slice(0, -1)]
    expect(history(writing('1.0.0', undefined, 1), open).stateEpoch).toBe(1)
    expect(history(writing('1.0.0', undefined, 1), [...open, { kind: 'intent', op: 'pass' }]).stateEpoch).toBe(2)
  })

  it('takes a contract for a change of the data alone', () => {
    const contract: JournalEntry[] = [
      {
        kind: 'begin',
        command: 'migrate',
        version: '1.1.0',
        from: '1.1.0',
        recordDigest: 'sha256:1.1.0',
        by: 'ada@node',
        ops: [{ name: 'migrate:drop', undo: 'forward-only' }],
      },
      { kind: 'intent', op: 'migrate:drop' },
      { kind: 'done', op: 'migrate:drop' },
      { kind: 'commit', version: '1.1.0' },
    ]
    const before = history(committed('1.0.0'), committed('1.1.0', '1.0.0'))
    const state = history(committed('1.0.0'), committed('1.1.0', '1.0.0'), contract)
    expect(state).toMatchObject({ active: '1.1.0', rollbackFloor: '1.1.0', activations: before.activations })
    expect(state.releases).toEqual(before.releases)
    expect(state.migrations).toEqual(new Set([migrationKey('drop', '1.1.0')]))
  })

  it('remembers migrations by version, and the floor of those that are forward-only', () => {
    const migrate = (version: string, from: string | undefined, undo: 'none' | 'forward-only') => {
      const [begin, ...rest] = committed(version, from)
      const ops = [{ name: 'migrate:schema', undo }]
      const steps: JournalEntry[] = [
        { kind: 'intent', op: 'migrate:schema' },
        { kind: 'done', op: 'migrate:schema' },
      ]
      return [{ ...(begin as JournalEntry & { kind: 'begin' }), ops }, ...steps, ...rest]
    }
    const compatible = history(migrate('1.0.0', undefined, 'none'))
    expect(compatible.rollbackFloor).toBeUndefined()
    expect(compatible.migrations).toEqual(new Set([migrationKey('schema', '1.0.0')]))
    const raised = history(migrate('1.0.0', undefined, 'none'), migrate('1.1.0', '1.0.0', 'forward-only'))
    expect(raised.rollbackFloor).toBe('1.1.0')
  })

  it('forgets releases that were pruned, until they come back', () => {
    const prune: JournalEntry[] = [{ kind: 'prune', versions: ['1.0.0'] }]
    const pruned = history(committed('1.0.0'), committed('1.1.0', '1.0.0'), prune)
    expect(previousVersion(pruned)).toBeUndefined()
    expect(pruned.pruned).toEqual(new Set(['1.0.0']))
    const back = history(committed('1.0.0'), committed('1.1.0', '1.0.0'), prune, committed('1.0.0', '1.1.0'))
    expect(back.pruned).toEqual(new Set())
  })

  it('refuses records that cannot follow each other', () => {
    const [begin] = committed('1.0.0') as [JournalEntry, ...JournalEntry[]]
    const at = (seq: number, txn: number, entry: JournalEntry): JournalRecord => ({
      schema: 1,
      seq,
      txn,
      at: 0,
      ...entry,
    })
    const broken: readonly (readonly JournalRecord[])[] = [
      [at(1, 1, { kind: 'intent', op: 'switch' })],
      [at(1, 1, begin), at(2, 2, begin)],
      [at(1, 1, begin), at(2, 2, { kind: 'intent', op: 'switch' })],
      [at(1, 1, begin), at(2, 1, { kind: 'done', op: 'switch' })],
      [at(1, 1, begin), at(2, 1, { kind: 'commit', version: '1.0.0' })],
      [at(1, 1, begin), at(2, 1, { kind: 'prune', versions: [] })],
    ]
    for (const records of broken) {
      expect(() => replay(records)).toThrow(expect.objectContaining({ code: 'JOURNAL_SEQUENCE' }))
    }
  })
})
