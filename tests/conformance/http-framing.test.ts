import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type OpenGate, openLastingGateBefore } from '../support/gate-front.ts'
import { rawClient } from '../support/raw-client.ts'
import { type RecordingApp, recordingApp } from '../support/recording-app.ts'

/*
 * The table of RFC 9112 on framing, case by case, and the tricks by which one request is made to look like two. What is sent ends with
 * another request: whoever reads the first one otherwise than the gate would come to see it, or would not.
 */
let app: RecordingApp
let gate: OpenGate
beforeAll(async () => {
  app = await recordingApp()
  gate = await openLastingGateBefore(app.port)
})
afterAll(() => {
  gate.close()
  app.close()
})
beforeEach(() => app.forget())

const last = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(match => Number(match[1]))

/** Send bytes with another request behind them and tell what came of it, once the gate has ended the connection. */
async function send(bytes: string) {
  const client = await rawClient(gate.port)
  client.send(bytes + last)
  const text = await client.ended
  return {
    text,
    statuses: statuses(text),
    seen: app.seen.map(({ target, body }) => `${target} ${body}`),
    faults: app.faults,
  }
}

/** A POST that is right but for some fields and its body. */
const post = (fields: string, body = '') => `POST /first HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
const chunked = (body: string, fields = '') => post(`Transfer-Encoding: chunked\r\n${fields}`, body)
const get = (fields: string) => `GET /first HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

describe('is refused, its connection ended, and nothing of it reaches the application:', () => {
  it.each([
    ['CL.TE: a length beside chunks', 400, post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['TE.CL: chunks beside a length', 400, chunked('0\r\n\r\n', 'Content-Length: 5\r\n')],
    ['TE.TE: chunks twice', 501, chunked('0\r\n\r\n', 'Transfer-Encoding: chunked\r\n')],
    ['TE.TE: chunks, then something else', 501, chunked('0\r\n\r\n', 'Transfer-Encoding: identity\r\n')],
    ['TE.TE: in one field', 501, post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n')],
    ['chunks that are compressed as a whole', 501, post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')],
    ['a coding that is not chunked', 501, post('Transfer-Encoding: gzip\r\n', '0\r\n\r\n')],
    ['a coding almost like it', 501, post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')],
    ['an empty coding', 501, post('Transfer-Encoding:\r\n', '0\r\n\r\n')],
    ['a coding in quotes', 501, post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n')],
    ['a coding behind a vertical tab', 400, post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')],
    ['a coding behind a NUL', 400, post('Transfer-Encoding: \0chunked\r\n', '0\r\n\r\n')],
    ['a coding with a parameter', 501, post('Transfer-Encoding: chunked;q=1\r\n', '0\r\n\r\n')],
    ['a coding before a comma', 501, post('Transfer-Encoding: chunked,\r\n', '0\r\n\r\n')],
    ['chunks in HTTP/1.0', 400, 'POST /first HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths that differ', 400, post('Content-Length: 5\r\nContent-Length: 6\r\n', 'abcde')],
    ['two lengths that do not', 400, post('Content-Length: 5\r\nContent-Length: 5\r\n', 'abcde')],
    ['two lengths in one field', 400, post('Content-Length: 5, 5\r\n', 'abcde')],
    ['a length with a plus', 400, post('Content-Length: +5\r\n', 'abcde')],
    ['a length with a minus', 400, post('Content-Length: -5\r\n', 'abcde')],
    ['a length in hexadecimal', 400, post('Content-Length: 0x5\r\n', 'abcde')],
    ['a length with a space in it', 400, post('Content-Length: 1 5\r\n', 'abcde')],
    ['a length with a point', 400, post('Content-Length: 5.0\r\n', 'abcde')],
    ['a length of nothing', 400, post('Content-Length:\r\n', 'abcde')],
    ['a length with zeros before it, which is octal to some', 400, post('Content-Length: 010\r\n', 'abcdefgh')],
    ['a length beyond 2^64', 400, post('Content-Length: 18446744073709551621\r\n', 'abcde')],
    ['a length behind a vertical tab', 400, post('Content-Length: \x0b5\r\n', 'abcde')],
    ['space before a colon', 400, post('Content-Length : 5\r\n', 'abcde')],
    ['a tab before a colon', 400, post('Transfer-Encoding\t: chunked\r\n', '0\r\n\r\n')],
    ['space before the first field', 400, 'GET /first HTTP/1.1\r\n Host: a\r\n\r\n'],
    ['space before the first field, which hides it', 400, 'GET /first HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n'],
    ['a folded line', 400, get('X: a\r\n b\r\n')],
    ['a folded coding', 400, post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n')],
    ['a folded length', 400, post('X: y\r\n Content-Length: 5\r\n', 'abcde')],
    ['a bare CR in a value', 400, get('X: a\rContent-Length: 5\r\n')],
    ['a bare CR for a line’s end', 400, 'GET /first HTTP/1.1\r\nHost: a\rX: y\r\n\r\n'],
    ['a CR before CR LF', 400, get('X: a\r\r\n')],
    ['a bare LF for a line’s end', 400, get('X: a\nContent-Length: 5\r\n')],
    ['a bare LF after the request line', 400, 'GET /first HTTP/1.1\nHost: a\r\n\r\n'],
    ['bare LFs for all ends', 400, 'GET /first HTTP/1.1\nHost: a\n\n'],
    ['a bare LF for the empty line', 400, 'GET /first HTTP/1.1\r\nHost: a\r\n\n'],
    ['a NUL in a value', 400, get('X: a\0b\r\n')],
    ['a bell in a value', 400, get('X: a\x07b\r\n')],
    ['a DEL in a value', 400, get('X: a\x7fb\r\n')],
    ['a NUL in a name', 400, get('X\0: a\r\n')],
    ['a name of nothing', 400, get(': a\r\n')],
    ['a line without a colon', 400, get('X\r\n')],
    ['a name with a bracket', 400, get('X(Y): a\r\n')],
    ['a name beyond ASCII', 400, get('X\xe9: a\r\n')],
    ['a version below', 505, 'GET /first HTTP/0.9\r\nHost: a\r\n\r\n'],
    ['a version above', 505, 'GET /first HTTP/1.2\r\nHost: a\r\n\r\n'],
    ['another major version', 505, 'GET /first HTTP/2.0\r\nHost: a\r\n\r\n'],
    ['a version in lower case', 400, 'GET /first http/1.1\r\nHost: a\r\n\r\n'],
    ['a version of two digits', 400, 'GET /first HTTP/1.10\r\nHost: a\r\n\r\n'],
    ['a version with a space behind it', 400, 'GET /first HTTP/1.1 \r\nHost: a\r\n\r\n'],
    ['no version', 400, 'GET /first\r\nHost: a\r\n\r\n'],
    ['two spaces', 400, 'GET  /first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a tab for a space', 400, 'GET\t/first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a space before the method', 400, ' GET /first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a method that is no token', 400, 'G(T /first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a space in the target', 400, 'GET /first x HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a bare CR in the target', 400, 'GET /first\rx HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a NUL in the target', 400, 'GET /first\0 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['no target', 400, 'GET HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a target that is no path', 400, 'GET first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a target that is an authority', 400, 'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a target of another scheme', 400, 'GET ftp://a/first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a target with a user', 400, 'GET http://u@a/first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['all of a server, and another method', 400, 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a tunnel', 501, 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['no Host', 400, 'GET /first HTTP/1.1\r\n\r\n'],
    ['two Hosts', 400, get('Host: a\r\n')],
    ['a Host with a space', 400, 'GET /first HTTP/1.1\r\nHost: a b\r\n\r\n'],
    ['a Host with a path', 400, 'GET /first HTTP/1.1\r\nHost: a/b\r\n\r\n'],
    ['a Host with a user', 400, 'GET /first HTTP/1.1\r\nHost: u@a\r\n\r\n'],
    ['a Host with a port that is none', 400, 'GET /first HTTP/1.1\r\nHost: a:x\r\n\r\n'],
    ['an expectation that is not known', 417, post('Content-Length: 5\r\nExpect: a-lot\r\n', 'abcde')],
    ['more fields than may be', 431, get(Array.from({ length: 200 }, () => 'X: y\r\n').join(''))],
    ['a longer head than may be', 431, get(`X: ${'y'.repeat(20_000)}\r\n`)],
    ['a longer target than may be', 414, `GET /${'y'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['HTTP/2 that was not agreed on', 505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a handshake of TLS', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['a header of the PROXY protocol', 400, `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${get('')}`],
  ])('%s (%i)', async (_what, status, bytes) => {
    const sent = await send(bytes)
    expect(sent).toMatchObject({ statuses: [status], seen: [], faults: [] })
    expect(sent.text).toMatch(/\r\nConnection: close\r\n/)
  })
})

describe('breaks its request in the middle, which the application does not take for whole:', () => {
  it.each([
    ['a chunk of no size', '\r\nabc\r\n0\r\n\r\n'],
    ['a chunk of a size that is none', 'g\r\nabc\r\n0\r\n\r\n'],
    ['a size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'],
    ['a size with a plus', '+3\r\nabc\r\n0\r\n\r\n'],
    ['a size with a minus', '-3\r\nabc\r\n0\r\n\r\n'],
    ['space before a size', ' 3\r\nabc\r\n0\r\n\r\n'],
    ['a size beyond 2^64', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
    ['a size beyond what numbers hold', 'fffffffffffffff\r\nabc\r\n0\r\n\r\n'],
    ['a size that ends with a bare LF', '3\nabc\r\n0\r\n\r\n'],
    ['a size that ends with a bare CR', '3\rabc\r\n0\r\n\r\n'],
    ['a chunk that ends with a bare LF', '3\r\nabc\n0\r\n\r\n'],
    ['a chunk that does not end', '3\r\nabcd\r\n0\r\n\r\n'],
    ['a chunk that ends too early', '3\r\nab\r\n0\r\n\r\n'],
    ['an extension that ends with a bare LF', '3;a\nabc\r\n0\r\n\r\n'],
    ['an extension with a bare LF in it', '3;a\nb\r\nabc\r\n0\r\n\r\n'],
    ['an extension with a bare CR in it', '3;a\rb\r\nabc\r\n0\r\n\r\n'],
    ['an extension with a NUL in it', '3;a\0\r\nabc\r\n0\r\n\r\n'],
    ['an extension without an end', `3;${'a'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`],
    ['a last chunk that ends with a bare LF', '3\r\nabc\r\n0\n\r\n'],
    ['a body that ends with a bare LF', '3\r\nabc\r\n0\r\n\n'],
    ['a trailer that is folded', '0\r\nX: a\r\n b\r\n\r\n'],
    ['a trailer without a colon', '0\r\nX\r\n\r\n'],
    ['a trailer with space before its colon', '0\r\nX : a\r\n\r\n'],
    ['a trailer that ends with a bare LF', '0\r\nX: a\n\r\n'],
    ['trailers without an end', `0\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`],
  ])('%s', async (_what, body) => {
    const sent = await send(chunked(body))
    expect(sent).toMatchObject({ seen: [], faults: [] })
    expect(sent.statuses.filter(status => status < 400)).toEqual([])
    expect(sent.statuses.length).toBeLessThanOrEqual(1)
  })
})

describe('is one request, and what follows it another:', () => {
  it.each([
    ['a body of a length', post('Content-Length: 5\r\n', 'abcde'), '/first abcde'],
    ['a length behind tabs', post('Content-Length:\t5\t\r\n', 'abcde'), '/first abcde'],
    ['a length without space before it', post('Content-Length:5\r\n', 'abcde'), '/first abcde'],
    ['CL.0: a GET with a body', `${get('Content-Length: 5\r\n')}abcde`, '/first abcde'],
    ['a body of no length', post('Content-Length: 0\r\n'), '/first '],
    ['a POST without a body', post(''), '/first '],
    ['chunks', chunked('3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'), '/first abcde'],
    ['a coding in capitals', post('Transfer-Encoding: Chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'), '/first abc'],
    ['sizes in capitals, with zeros before them', chunked('00A\r\n0123456789\r\n0000\r\n\r\n'), '/first 0123456789'],
    ['an extension', chunked('3;a=b\r\nabc\r\n0\r\n\r\n'), '/first abc'],
    ['an extension in quotes', chunked('3;a="b;c"\r\nabc\r\n0;x\r\n\r\n'), '/first abc'],
    [
      'a request in a body',
      post('Content-Length: 26\r\n', 'GET /x HTTP/1.1\r\nHost: a\r\n'),
      '/first GET /x HTTP/1.1\r\nHost: a\r\n',
    ],
    [
      'a request in a chunk',
      chunked('1a\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n'),
      '/first GET /x HTTP/1.1\r\nHost: a\r\n',
    ],
    ['an empty line before it', `\r\n${get('')}`, '/first '],
    ['a target with a host', 'GET http://b/first HTTP/1.1\r\nHost: a\r\n\r\n', '/first '],
    ['a target with a query', 'GET /first?a=/../b&c=%00 HTTP/1.1\r\nHost: a\r\n\r\n', '/first?a=/../b&c=%00 '],
    ['all of a server', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', '* '],
    ['a value beyond ASCII', get('X: \xe9\r\n'), '/first '],
    ['an empty Host', 'GET /first HTTP/1.1\r\nHost:\r\n\r\n', '/first '],
    [
      'an upgrade to HTTP/2, which is not offered',
      get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'),
      '/first ',
    ],
  ])('%s', async (_what, bytes, seen) => {
    expect(await send(bytes)).toMatchObject({ statuses: [200, 200], seen: [seen, '/last '], faults: [] })
  })
})

describe('what reaches the application', () => {
  const fieldsOf = async (bytes: string) => {
    await send(bytes)
    return Object.fromEntries(app.seen[0]!.fields)
  }

  it('has one framing, whatever a client says of its connection', async () => {
    const fields = await fieldsOf(
      post('Content-Length: 5\r\nConnection: Content-Length, Host, X-Mine\r\nX-Mine: a\r\n', 'abcde'),
    )
    expect(fields).toMatchObject({ 'content-length': '5', host: 'a' })
    expect(fields).not.toHaveProperty('x-mine')
    expect(app.seen).toHaveLength(2)
  })

  it('has the host of the target, where that names one', async () => {
    expect(await fieldsOf('GET http://b:8080/first HTTP/1.1\r\nHost: a\r\n\r\n')).toMatchObject({ host: 'b:8080' })
  })

  it('has no field that looks like one of framing to those who cannot tell - from _', async () => {
    const fields = await fieldsOf(get('Transfer_Encoding: chunked\r\nContent_Length: 5\r\n'))
    expect(Object.keys(fields).filter(name => name.includes('_'))).toEqual([])
  })

  it('has no fields of a connection', async () => {
    const fields = await fieldsOf(
      get(
        'Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\nConnection: upgrade, te\r\n',
      ),
    )
    expect(Object.keys(fields)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(keep-alive|proxy-connection|te|upgrade|connection)$/)]),
    )
  })

  it('has the trailers that may be there, and none that say otherwise how it is framed or who sent it', async () => {
    const trailers =
      'X-Digest: abc\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nX-Forwarded-For: 192.0.2.1\r\n'
    await send(chunked(`3\r\nabc\r\n0\r\n${trailers}\r\n`, 'Trailer: X-Digest\r\n'))
    expect(app.seen[0]).toMatchObject({ body: 'abc', trailers: [['x-digest', 'abc']] })
  })
})
