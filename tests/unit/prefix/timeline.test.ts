import { expect, it } from 'vitest'
import type { JournalEntry, JournalRecord } from '../../../src/prefix/journal-record.ts'
import { timelineOf } from '../../../src/prefix/timeline.ts'
import { committed } from './journal-story.ts'

/** Entries of transaction 1, each with the milliseconds since the one before. */
function records(...entries: readonly (readonly [number, JournalEntry])[]): readonly JournalRecord[] {
  let at = 0
  return entries.map(([afterMs, entry], index) => {
    at += afterMs
    return { schema: 1, seq: index + 1, txn: 1, at, ...entry }
  })
}

const begin = committed('1.0.0')[0]!
const shown = (all: readonly JournalRecord[]) =>
  timelineOf(all, 1).map(({ step, durationMs, outcome }) => [step, durationMs, outcome])

it('tells how long each operation took, and each that was taken back', () => {
  const told = records(
    [0, begin],
    [1, { kind: 'intent', op: 'stage' }],
    [20, { kind: 'done', op: 'stage', note: '3 files' }],
    [1, { kind: 'intent', op: 'probe' }],
    [300, { kind: 'undo', code: 'INSTALL_UNHEALTHY', reason: 'status 500' }],
    [7, { kind: 'undone', op: 'stage' }],
    [1, { kind: 'abort', version: '1.0.0', code: 'INSTALL_UNHEALTHY', reason: 'status 500' }],
    [1, { kind: 'prune', versions: ['0.9.0'] }],
  )
  expect(shown(told)).toEqual([
    ['stage', 20, 'done'],
    ['probe', 300, 'failed'],
    ['undo stage', 7, 'done'],
  ])
  expect(timelineOf(told, 1)[0]?.note).toBe('3 files')
  expect(timelineOf(told, 2)).toEqual([])
})

it('tells what was cut short, and what a recovery ran again', () => {
  const killed = records([0, begin], [1, { kind: 'intent', op: 'migrate:data' }])
  expect(shown(killed)).toEqual([['migrate:data', undefined, 'interrupted']])
  const again = records(
    [0, begin],
    [1, { kind: 'intent', op: 'migrate:data' }],
    [60_000, { kind: 'intent', op: 'migrate:data' }],
    [5, { kind: 'done', op: 'migrate:data' }],
  )
  expect(shown(again)).toEqual([
    ['migrate:data', undefined, 'interrupted'],
    ['migrate:data', 5, 'done'],
  ])
  const undone = records(
    [0, begin],
    [1, { kind: 'intent', op: 'fetch' }],
    [9, { kind: 'undo', code: 'INTERRUPTED', reason: '' }],
  )
  expect(shown(undone)).toEqual([['fetch', 9, 'interrupted']])
})
