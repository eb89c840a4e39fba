import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyLedger, ledgerBytes, parseLedger } from '../../../src/repository/ledger.ts'
import { summarise } from '../../../src/repository/summary.ts'
import { emptyIndex } from '../../../src/trust/release-index.ts'
import { codeOf } from '../../support/codes.ts'

describe('parseLedger', () => {
  it('reads what was written', () => {
    expect(parseLedger(ledgerBytes(emptyLedger), 'here')).toEqual(emptyLedger)
  })

  it('tells a newer schema from a broken one', () => {
    expect(codeOf(() => parseLedger(Buffer.from('{"schema":2}'), 'here'))).toBe('DOCUMENT_NEWER')
    expect(codeOf(() => parseLedger(Buffer.from('{"schema":1}'), 'here'))).toBe('REPOSITORY_DAMAGED')
  })

  it('never throws anything without a code', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        expect(codeOf(() => parseLedger(Buffer.from(text), 'here'))).toMatch(/^(REPOSITORY_DAMAGED|DOCUMENT_NEWER)$/)
      }),
    )
  })
})

describe('summarise', () => {
  it('keeps names that were once taken, though every release of them is gone', () => {
    const before = { summary: 'Keeps notes', releases: 3, heads: {}, packages: ['notes'], projects: ['notes'] }
    expect(summarise(emptyIndex('notes'), ['stable'], { before })).toEqual({ ...before, releases: 0 })
  })
})
