import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseControlRequest } from '../../../../src/gate/control/control-request.ts'
import type { ControlRequest } from '../../../../src/gate/control/protocol.ts'

const requests: readonly ControlRequest[] = [
  { kind: 'status' },
  { kind: 'gate', mode: 'hold', reason: 'install 1.2.3', deadlineMs: 5000 },
  { kind: 'gate', mode: 'pass', reason: '' },
  { kind: 'gate', mode: 'backoff', reason: '', by: 'operator' },
  { kind: 'soften', reason: 'install 1.2.3' },
  { kind: 'soften', reason: '', lastsMs: 0, share: 0.5, by: 'operator' },
  { kind: 'drain', timeoutMs: 1, streamsMs: 0 },
  { kind: 'drain', timeoutMs: 1, streamsMs: 0, spreadMs: 5000 },
  { kind: 'stop' },
  { kind: 'start', version: '1.2.3' },
  { kind: 'probe' },
  { kind: 'shutdown' },
  { kind: 'upgrade' },
  { kind: 'upgrade', cutover: '/usr/bin/cutover', readyMs: 1000, streamsMs: 0 },
]

it.each(requests)('reads $kind', request => {
  expect(parseControlRequest(JSON.stringify({ ...request, more: 'ignored' }))).toEqual(request)
})

it.each([
  '',
  'null',
  '[]',
  '{"kind":"other"}',
  '{"kind":"gate","mode":"stop","reason":""}',
  '{"kind":"gate","mode":"hold"}',
  '{"kind":"gate","mode":"hold","reason":"","deadlineMs":-1}',
  '{"kind":"gate","mode":"hold","reason":"","deadlineMs":1e12}',
  '{"kind":"gate","mode":"hold","reason":"","by":"nobody"}',
  '{"kind":"soften"}',
  '{"kind":"soften","reason":"","share":1.1}',
  '{"kind":"drain","timeoutMs":1}',
  '{"kind":"drain","timeoutMs":1,"streamsMs":0,"spreadMs":"5"}',
  '{"kind":"start","version":"../../etc"}',
  '{"kind":"upgrade","cutover":"cutover"}',
  '{"kind":"upgrade","readyMs":-1}',
])('refuses %s', text => {
  expect(() => parseControlRequest(text)).toThrow(expect.objectContaining({ code: 'GATE_REQUEST_INVALID' }))
})

it('reads or refuses with a code, whatever it is sent', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), text => {
      try {
        parseControlRequest(text)
      } catch (caught) {
        expect(caught).toMatchObject({ code: 'GATE_REQUEST_INVALID' })
      }
    }),
  )
})
