import { expect, it } from 'vitest'
import { GateView } from '../../../../src/cli/report/gate-view.ts'
import type { ServeStatus } from '../../../../src/gate/control/protocol.ts'
import { newTally } from '../../../../src/gate/observe/tally.ts'

function status(different: Partial<ServeStatus> = {}): ServeStatus {
  return {
    pid: 7,
    version: '1.0.0',
    address: '127.0.0.1:8080',
    gateMode: 'proxy',
    gate: { schema: 1, mode: 'pass', sinceMs: 0, deadlineAtMs: undefined, reason: 'started', by: 'operator' },
    services: [],
    counters: newTally(),
    ...different,
  } as ServeStatus
}

const plain = (_tone: string, text: string) => text

it('tells rates between two looks, and nothing of before another process began', () => {
  const view = new GateView(plain)
  view.take({ atMs: 0, status: status({ counters: { ...newTally(), requests: 100 } }) })
  view.take({ atMs: 500, status: status({ counters: { ...newTally(), requests: 150 } }) })
  expect(view.lines().find(line => line.startsWith('requests'))).toMatch(/ 100\/s$/)
  view.take({ atMs: 1000, status: status({ pid: 8, counters: { ...newTally(), requests: 3 } }) })
  expect(view.lines().find(line => line.startsWith('requests'))).toMatch(/ 0\.0\/s$/)
})

it('tells a line for each change and none without', () => {
  const view = new GateView(plain)
  const hold = { ...status().gate, mode: 'hold' as const, reason: '1.0.0 → 1.1.0', deadlineAtMs: 60_000 }
  expect(view.take({ atMs: 0, status: status() })).toBe(true)
  expect(view.take({ atMs: 250, status: status() })).toBe(false)
  expect(view.take({ atMs: 500, status: status({ gate: hold }) })).toBe(true)
  expect(view.lastChange).toBe('00:00:00.500  pass → hold: 1.0.0 → 1.1.0')
  expect(view.lines()[1]).toBe('hold    for 500 ms, ends in 59.5 s · 1.0.0 → 1.1.0')
  expect(view.take({ atMs: 750, status: undefined })).toBe(true)
  expect(view.lastChange).toBe('00:00:00.750  nobody answers any more')
})

it('draws nothing that a reason could do to a terminal', () => {
  const view = new GateView(plain)
  const gate = { ...status().gate, reason: '\u001b[2Jgone' }
  view.take({ atMs: 0, status: status({ gate, version: '\u001b]0;x\u0007' }) })
  expect(view.lines().join('\n')).not.toContain('\u001b')
})
