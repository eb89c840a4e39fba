import { describe, expect, it } from 'vitest'
import { fieldsOf } from '../../../../src/gate/http1/fields.ts'
import { answerFields, answerHeadText, requestHeadText, trailerLines } from '../../../../src/gate/http1/head-text.ts'
import { parseAnswerHead } from '../../../../src/gate/http1/parse-answer.ts'
import { parseRequestHead } from '../../../../src/gate/http1/parse-request.ts'
import { Peer } from '../../../../src/gate/http1/peer.ts'

function peer(address: string | undefined, isTrusted: boolean, isSecure = false): Peer {
  const origin = { remoteAddress: address, remotePort: 5, peerAddress: address, isSecure }
  return new Peer(origin, { isTrusted, destination: undefined })
}

const stranger = peer('192.0.2.7', false)
const friend = peer('127.0.0.1', true)

/** The lines that the application gets for a request. */
function sent(lines: readonly string[], from = stranger, start = 'GET / HTTP/1.1'): readonly string[] {
  const head = parseRequestHead([start, 'Host: a', ...lines, '', ''].join('\r\n'), { fields: 100 })
  if ('status' in head) throw new Error(head.why)
  return requestHeadText(head, from).split('\r\n')
}

const named = (lines: readonly string[], name: string) =>
  lines.filter(line => line.toLowerCase().startsWith(`${name}:`)).map(line => line.slice(name.length + 2))

describe('requestHeadText', () => {
  it('is a whole head', () => {
    expect(sent(['X-b: 1', 'x-A:2', 'Cookie: a', 'Cookie: b'], stranger, 'GET http://c/d?e HTTP/1.1')).toEqual([
      'GET /d?e HTTP/1.1',
      'Host: c',
      'X-b: 1',
      'x-A:2',
      'Cookie: a',
      'Cookie: b',
      'Via: 1.1 cutover',
      'X-Forwarded-For: 192.0.2.7',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: c',
      '',
      '',
    ])
  })

  it('leaves out what belongs to one connection, and what Connection names', () => {
    const hops = [
      'Connection: keep-alive, X-Hop',
      'x-hop: 1',
      'Keep-Alive: 5',
      'Proxy-Connection: close',
      'Upgrade: h2c',
    ]
    const lines = sent([...hops, 'TE: gzip', 'X-Stays: 1', 'Connection: x-hop-2', 'X-Hop-2: 1'])
    for (const name of ['connection', 'x-hop', 'keep-alive', 'proxy-connection', 'upgrade', 'te', 'x-hop-2']) {
      expect(named(lines, name)).toEqual([])
    }
    expect(named(lines, 'x-stays')).toEqual(['1'])
  })

  it('lets no client strip framing, routing or our own fields through Connection', () => {
    const connection = 'Connection: Host, Content-Length, X-Forwarded-For, Via'
    const lines = sent(['Content-Length: 3', connection], stranger, 'POST / HTTP/1.1')
    expect(named(lines, 'host')).toEqual(['a'])
    expect(named(lines, 'content-length')).toEqual(['3'])
    expect(named(lines, 'x-forwarded-for')).toEqual(['192.0.2.7'])
    expect(named(lines, 'via')).toEqual(['1.1 cutover'])
  })

  it('replaces what a stranger says of the original client, and what reads like it', () => {
    const claims = ['X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: b', 'Forwarded: for=x']
    const lines = sent([...claims, 'X-Real-IP: 1', 'X_Forwarded_For: 10.0.0.1', 'Content_Length: 3'])
    expect(named(lines, 'x-forwarded-for')).toEqual(['192.0.2.7'])
    expect(named(lines, 'x-forwarded-proto')).toEqual(['http'])
    expect(named(lines, 'x-forwarded-host')).toEqual(['a'])
    for (const name of ['forwarded', 'x-real-ip', 'x_forwarded_for', 'content_length']) {
      expect(named(lines, name)).toEqual([])
    }
  })

  it('continues what a trusted peer says of the original client', () => {
    const claims = ['X-Forwarded-For: 10.0.0.1', 'X-Forwarded-For: 10.0.0.2', 'X-Forwarded-Proto: https']
    const lines = sent(
      [...claims, 'X-Forwarded-Host: public', 'Forwarded: for=10.0.0.1', 'X-Real-IP: 10.0.0.1'],
      friend,
    )
    expect(named(lines, 'x-forwarded-for')).toEqual(['10.0.0.1, 10.0.0.2, 127.0.0.1'])
    expect(named(lines, 'x-forwarded-proto')).toEqual(['https'])
    expect(named(lines, 'x-forwarded-host')).toEqual(['public'])
    expect(named(lines, 'forwarded')).toEqual(['for=10.0.0.1, for=127.0.0.1;proto=http'])
    expect(named(lines, 'x-real-ip')).toEqual(['10.0.0.1'])
    expect(named(sent(['Forwarded: for=a'], peer('::1', true, true)), 'forwarded')).toEqual([
      'for=a, for="[::1]";proto=https',
    ])
    expect(named(sent(['X-Forwarded-For: 10.0.0.1'], peer(undefined, true)), 'x-forwarded-for')).toEqual(['10.0.0.1'])
    expect(named(sent([], peer(undefined, true)), 'x-forwarded-for')).toEqual([])
  })

  it('says whether the client came over TLS, and by which version', () => {
    expect(named(sent([], peer('192.0.2.7', false, true)), 'x-forwarded-proto')).toEqual(['https'])
    expect(named(sent([], stranger, 'GET / HTTP/1.0'), 'via')).toEqual(['1.0 cutover'])
  })

  it.each([
    ['POST / HTTP/1.1', ['Transfer-Encoding: chunked'], ['chunked'], []],
    ['POST / HTTP/1.1', [], [], ['0']],
    ['PUT / HTTP/1.1', ['Content-Length: 0'], [], ['0']],
    ['GET / HTTP/1.1', [], [], []],
  ])('says how the body of %s with %o is delimited, once', (start, lines, codings, lengths) => {
    expect(named(sent(lines, stranger, start), 'transfer-encoding')).toEqual(codings)
    expect(named(sent(lines, stranger, start), 'content-length')).toEqual(lengths)
  })

  it('passes an upgrade on, and that trailers are wanted', () => {
    const lines = sent(['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: k'])
    expect([named(lines, 'connection'), named(lines, 'upgrade')]).toEqual([['Upgrade'], ['websocket']])
    const wants = sent(['Connection: TE', 'TE: gzip;q=0.5, trailers'])
    expect([named(wants, 'connection'), named(wants, 'te')]).toEqual([['TE'], ['trailers']])
  })

  it('passes an expectation on where it is one', () => {
    const lines = ['Expect: 100-continue', 'Content-Length: 1']
    expect(named(sent(lines, stranger, 'POST / HTTP/1.1'), 'expect')).toEqual(['100-continue'])
    expect(named(sent(lines, stranger, 'POST / HTTP/1.0'), 'expect')).toEqual([])
  })
})

function answered(lines: readonly string[], start = 'HTTP/1.1 200 OK') {
  const head = parseAnswerHead([start, ...lines, '', ''].join('\r\n'), { method: 'GET', upgrade: 'websocket' })
  if (head === undefined) throw new Error('no answer')
  return head
}

describe('answerHeadText', () => {
  const plain = { closes: false, isChunked: false, added: [] }

  it('leaves out what belongs to one connection, and adds what belongs to ours', () => {
    const head = answered([
      'A: 1',
      'Connection: close, X-Hop',
      'X-Hop: 1',
      'Keep-Alive: 5',
      'B: 2',
      'Content-Length: 3',
    ])
    const lines = 'A: 1\r\nB: 2\r\nContent-Length: 3\r\n'
    expect(answerHeadText(head, plain)).toBe(`HTTP/1.1 200 OK\r\n${lines}\r\n`)
    expect(answerHeadText(head, { closes: true, isChunked: false, added: ['C', '4'] })).toBe(
      `HTTP/1.1 200 OK\r\n${lines}C: 4\r\nConnection: close\r\n\r\n`,
    )
    expect(answerHeadText(answered(['Transfer-Encoding: chunked', 'A: 1']), { ...plain, isChunked: true })).toBe(
      'HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
  })

  it('gives no length where there is never a body', () => {
    expect(answerHeadText(answered(['Content-Length: 3'], 'HTTP/1.1 204 No Content'), plain)).not.toContain('Length')
    expect(answerHeadText(answered(['Content-Length: 3'], 'HTTP/1.1 304 Not Modified'), plain)).toContain('Length: 3')
  })

  it('switches protocols', () => {
    const head = answered(['Connection: upgrade', 'Upgrade: websocket', 'X: 1'], 'HTTP/1.1 101 Switching Protocols')
    expect(answerHeadText(head, plain)).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nX: 1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
  })
})

it('gives fields to clients of HTTP/2 in lower case', () => {
  expect(answerFields(answered(['X-A: 1', 'Connection: X-B', 'X-B: 2', 'Keep-Alive: 1']))).toEqual([['x-a', '1']])
})

it('passes on no trailer that would change what was settled before the body', () => {
  const trailers = fieldsOf([
    ['X-Sum', '1'],
    ['Content-Length', '5'],
    ['Host', 'b'],
    ['X-Forwarded-For', '10.0.0.1'],
    ['Transfer-Encoding', 'chunked'],
    ['Content_Length', '5'],
  ])!
  expect(trailerLines(trailers)).toBe('X-Sum: 1\r\n')
})

it('makes fields of nothing that would be more than one', () => {
  expect(fieldsOf([['A', 'b\r\nC: d']])).toBeUndefined()
  expect(fieldsOf([['A\r\nC', 'd']])).toBeUndefined()
  expect(fieldsOf([['A', 'b\r\n\r\n']])).toBeUndefined()
  expect(fieldsOf([['', 'b']])).toBeUndefined()
})
