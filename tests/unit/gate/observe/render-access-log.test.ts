import fc from 'fast-check'
import { expect, it } from 'vitest'
import { accessLogLine } from '../../../../src/gate/observe/render-access-log.ts'
import { record } from './samples.ts'

it('writes the combined format with the duration and the outcome behind it', () => {
  expect(accessLogLine(record({ referrer: 'https://notes.example/' }), 'combined')).toBe(
    '192.0.2.7 - - [21/Nov/2026:15:32:07 +0000] "GET /notes?page=2 HTTP/1.1" 200 12 "https://notes.example/" "curl/8.5" 0.004 answered\n',
  )
})

it('writes one JSON object a line', () => {
  const { time, status, outcome } = JSON.parse(accessLogLine(record({ status: 503, outcome: 'backed-off' }), 'json'))
  expect({ time, status, outcome }).toEqual({
    time: '2026-11-21T15:32:07.000Z',
    status: 503,
    outcome: 'backed-off',
  })
})

it('lets no client end the quotes or the line', () => {
  const combined = /^\S+ - - \[[^\]]+\] "[^"]*" \d+ \d+ "[^"]*" "[^"]*" \d+\.\d{3} [a-z-]+\n$/
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (userAgent, target) => {
      expect(accessLogLine(record({ userAgent, target: `/${target}` }), 'combined')).toMatch(combined)
      expect(accessLogLine(record({ userAgent, target: `/${target}` }), 'json').split('\n')).toHaveLength(2)
    }),
  )
})
