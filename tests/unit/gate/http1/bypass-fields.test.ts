import { expect, it } from 'vitest'
import { requestHeadText } from '../../../../src/gate/http1/head-text.ts'
import { parseRequestHead } from '../../../../src/gate/http1/parse-request.ts'
import { Peer } from '../../../../src/gate/http1/peer.ts'

const origin = { remoteAddress: '192.0.2.1', remotePort: 1, peerAddress: '192.0.2.1', isSecure: false }
const peer = new Peer(origin, { isTrusted: true, destination: undefined })

/** The fields that the application gets of a request with some. */
function sentOn(...fields: readonly string[]): readonly string[] {
  const head = parseRequestHead(`GET / HTTP/1.1\r\nHost: a\r\n${fields.map(field => `${field}\r\n`).join('')}\r\n`, {
    fields: 20,
  })
  if ('status' in head) throw new Error(head.why)
  return requestHeadText(head, peer).split('\r\n')
}

it.each([
  ['the field', ['X-Cutover-Bypass: secret'], []],
  ['the field as an application would read it from a variable', ['X_Cutover_Bypass: secret'], []],
  ['the cookie', ['Cookie: cutover-bypass=secret'], []],
  ['the cookie among others', ['Cookie: a=b; cutover-bypass=secret; c=d'], ['Cookie: a=b; c=d']],
  ['the cookie in a field of its own', ['cookie: a=b', 'Cookie: cutover-bypass=secret'], ['Cookie: a=b']],
])('keeps the token that lets some pass from the application: %s', (_what, fields, kept) => {
  const lines = sentOn(...fields)
  expect(lines.join()).not.toContain('secret')
  expect(lines.filter(line => /^cookie/i.test(line))).toEqual(kept)
})

it('leaves cookies alone that have no token among them', () => {
  expect(sentOn('cookie: a=b;c=d', 'X-Other: 1')).toEqual(expect.arrayContaining(['cookie: a=b;c=d', 'X-Other: 1']))
})
