import { describe, expect, it } from 'vitest'
import { assertNotAvoided, assertReadsState, avoidedFor } from '../../../src/prefix/admission.ts'
import type { JournalEntry } from '../../../src/prefix/journal-record.ts'
import { codeOf } from '../../support/codes.ts'
import { committed, history } from './journal-story.ts'

const failing: JournalEntry[] = [
  ...committed('1.1.0', '1.0.0').slice(0, 3),
  { kind: 'abort', version: '1.1.0', code: 'INSTALL_UNHEALTHY', reason: 'status 500' },
]

describe('a version that is avoided', () => {
  it('is refused with what is held against it, and taken when it is asked for all the same', () => {
    const state = history(committed('1.0.0'), failing)
    expect(codeOf(() => assertNotAvoided(state, '1.1.0', false))).toBe('RELEASE_AVOIDED')
    expect(() => assertNotAvoided(state, '1.1.0', false)).toThrow(/INSTALL_UNHEALTHY: status 500/)
    expect(codeOf(() => assertNotAvoided(state, '1.1.0', true))).toBeUndefined()
    expect(codeOf(() => assertNotAvoided(state, '1.2.0', false))).toBeUndefined()
  })

  it('is one that was rolled back from as well, until it is active again', () => {
    const left = [committed('1.0.0'), committed('1.1.0', '1.0.0'), committed('1.0.0', '1.1.0', 'rollback')]
    expect(codeOf(() => assertNotAvoided(history(...left), '1.1.0', false))).toBe('RELEASE_AVOIDED')
    expect(avoidedFor(history(...left), '1.1.0')).toMatchObject({ command: 'rollback', txn: 3 })
    const again = history(...left, committed('1.1.0', '1.0.0'))
    expect(codeOf(() => assertNotAvoided(again, '1.1.0', false))).toBeUndefined()
  })
})

describe('a version and the data that is there', () => {
  const [begin, ...rest] = committed('1.0.0')
  const written: JournalEntry[] = [
    { ...(begin as JournalEntry & { kind: 'begin' }), stateFormat: { reads: [1, 2], writes: 2 } },
    ...rest,
  ]

  it('go together where it reads what was written', () => {
    const state = history(written)
    expect(codeOf(() => assertReadsState(state, '0.9.0', { reads: [1], writes: 1 }))).toBe('STATE_EPOCH')
    expect(codeOf(() => assertReadsState(state, '1.1.0', { reads: [2, 3], writes: 3 }))).toBeUndefined()
  })

  it('are not looked at where either says nothing', () => {
    expect(codeOf(() => assertReadsState(history(written), '0.9.0', undefined))).toBeUndefined()
    expect(
      codeOf(() => assertReadsState(history(committed('1.0.0')), '1.1.0', { reads: [9], writes: 9 })),
    ).toBeUndefined()
  })
})
