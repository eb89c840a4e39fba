import { expect, it } from 'vitest'
import { judgeCanary } from '../../../src/flow/canary.ts'
import type { BesideStatus } from '../../../src/gate/control/protocol.ts'

const status = (answers: number, failures: number, version = '1.1.0'): BesideStatus => ({
  version,
  services: [],
  share: 0.1,
  liveAnswers: { answers: 1000 + answers * 9, failures: 5 },
  besideAnswers: { answers, failures },
})

const judged = (answers: number, failures: number, limit = 0.01) =>
  judgeCanary(status(100, 50), status(100 + answers, 50 + failures), limit)

it('judges a version by the share of its answers that failed since it was tried out, beside the other', () => {
  expect(judged(1000, 10).ok).toBe(true)
  expect(judged(1000, 11)).toEqual({
    ok: false,
    evidence: '11 of 1000 answers failed, of the version before 0 of 9000',
  })
  expect(judged(1000, 11, 0.05).ok).toBe(true)
  expect(judged(0, 0, 0).ok).toBe(true)
})

it('takes two failures for chance, whatever their share', () => {
  expect(judged(2, 2, 0).ok).toBe(true)
  expect(judged(3, 3, 0).ok).toBe(false)
})

it('does not believe in a version that is gone', () => {
  expect(judgeCanary(status(1, 0), undefined, 1).ok).toBe(false)
  expect(judgeCanary(status(1, 0), status(1, 0, '1.0.0'), 1).ok).toBe(false)
})
