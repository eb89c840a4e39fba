import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { originForm, parseRequestHead } from '../../../../src/gate/http1/parse-request.ts'

const parse = (text: string, fields = 100) => parseRequestHead(text, { fields })

const request = (lines: readonly string[], start = 'POST /a HTTP/1.1') =>
  parse([start, 'Host: a', ...lines, '', ''].join('\r\n'))

describe('parseRequestHead', () => {
  it('reads what a request is', () => {
    const head = parse('PUT /a/b?c=d HTTP/1.1\r\nHost: h:8\r\nContent-Length: 12\r\nX-A:  1 \t\r\nx-a: 2\r\n\r\n')
    expect(head).toMatchObject({
      method: 'PUT',
      target: '/a/b?c=d',
      host: 'h:8',
      httpVersion: '1.1',
      framing: { kind: 'length', sizeBytes: 12 },
      upgrade: undefined,
      expectsContinue: false,
      persists: true,
    })
    expect('fields' in head && [head.fields.get('x-a'), head.fields.get('x-b'), head.fields.count]).toEqual([
      '1, 2',
      undefined,
      4,
    ])
  })

  it.each([
    [[], { kind: 'none' }],
    [['CONTENT-LENGTH: 0'], { kind: 'none' }],
    [['content-length: 12'], { kind: 'length', sizeBytes: 12 }],
    [['Transfer-Encoding: Chunked'], { kind: 'chunked' }],
  ])('finds out how the body is delimited by %o', (lines, framing) => {
    expect(request(lines)).toMatchObject({ framing })
  })

  it.each([
    ['length beside chunks', ['Content-Length: 1', 'Transfer-Encoding: chunked'], 400],
    ['two lengths', ['Content-Length: 1', 'content-length: 1'], 400],
    ['a list of lengths', ['Content-Length: 1, 1'], 400],
    ['a signed length', ['Content-Length: +1'], 400],
    ['an empty length', ['Content-Length:'], 400],
    ['a length in hexadecimal', ['Content-Length: 0x1'], 400],
    ['a length beyond numbers', [`Content-Length: ${'9'.repeat(16)}`], 400],
    ['another coding', ['Transfer-Encoding: gzip'], 501],
    ['a coding before chunks', ['Transfer-Encoding: gzip, chunked'], 501],
    ['a coding that looks like chunks', ['Transfer-Encoding: xchunked'], 501],
    ['chunks twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], 501],
    ['two hosts', ['Host: b'], 400],
    ['another expectation', ['Expect: 200-ok'], 417],
    ['space before the colon', ['X : a'], 400],
    ['a field without a name', [': a'], 400],
    ['a folded line', ['X: a', ' b'], 400],
    ['a NUL', ['X: a\0b'], 400],
    ['a control character', ['X: a\x08b'], 400],
    ['a bare CR', ['X: a\rb'], 400],
    ['a name that is no token', ['X(: a'], 400],
  ])('refuses %s', (_name, lines, status) => {
    expect(request(lines)).toMatchObject({ status })
  })

  it.each([
    ['GET  / HTTP/1.1', 400],
    ['GET / HTTP/1.1 ', 400],
    [' GET / HTTP/1.1', 400],
    ['GET /', 400],
    ['GET\t/ HTTP/1.1', 400],
    ['GET /a b HTTP/1.1', 400],
    ['GET /\x7f HTTP/1.1', 400],
    ['GET /é HTTP/1.1', 400],
    ['GET /#a HTTP/1.1', 400],
    ['G(T / HTTP/1.1', 400],
    ['GET / http/1.1', 400],
    ['GET / HTTP/1.10', 400],
    ['GET * HTTP/1.1', 400],
    ['GET a:80 HTTP/1.1', 400],
    ['GET ftp://a/ HTTP/1.1', 400],
    ['CONNECT a:80 HTTP/1.1', 501],
    ['GET / HTTP/2.0', 505],
    ['GET / HTTP/1.2', 505],
    ['PRI * HTTP/2.0', 505],
  ])('refuses the request line %s', (start, status) => {
    expect(request([], start)).toMatchObject({ status })
  })

  it.each(['', 'Host: a, b', 'Host: a b', 'Host: a@b', 'Host: http://a', 'Host: [::1', 'Host: a:b', 'Host: a/'])(
    'refuses the host %s',
    host => {
      expect(parse(`GET / HTTP/1.1\r\n${host === '' ? '' : `${host}\r\n`}\r\n`)).toMatchObject({ status: 400 })
    },
  )

  it.each(['a', 'a.b-c_d:80', '[::1]:8080', '', '127.0.0.1:0'])('takes the host %s', host => {
    expect(parse(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toMatchObject({ host })
  })

  it('lets the host of an absolute target win', () => {
    expect(request([], 'GET http://b:1/c?d HTTP/1.1')).toMatchObject({ target: '/c?d', host: 'b:1' })
    expect(request([], 'GET http://b%/ HTTP/1.1')).toMatchObject({ host: 'b%' })
    expect(request([], 'GET http://b"/ HTTP/1.1')).toMatchObject({ status: 400 })
  })

  it('takes HTTP/1.0 without a host and without chunks, and does not go on with its connection', () => {
    expect(parse('GET / HTTP/1.0\r\n\r\n')).toMatchObject({ host: '', persists: false })
    expect(parse('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')).toMatchObject({ persists: false })
    expect(parse('POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n')).toMatchObject({ status: 400 })
    expect(parse('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n')).toMatchObject({
      expectsContinue: false,
    })
  })

  it('sees what a client asks of its connection', () => {
    expect(request(['Connection: x, Close'])).toMatchObject({ persists: false })
    expect(request(['Expect: 100-Continue', 'Content-Length: 1'])).toMatchObject({ expectsContinue: true })
    expect(request(['Expect: 100-continue'])).toMatchObject({ expectsContinue: false })
    const asks = ['Connection: keep-alive, Upgrade', 'Upgrade: WebSocket']
    expect(request(asks, 'GET / HTTP/1.1')).toMatchObject({ upgrade: 'WebSocket' })
    expect(request(['Upgrade: websocket'], 'GET / HTTP/1.1')).toMatchObject({ upgrade: undefined })
    expect(request(['Connection: upgrade', 'Upgrade: h2c'], 'GET / HTTP/1.1')).toMatchObject({ upgrade: undefined })
    expect(request([...asks, 'Content-Length: 1'])).toMatchObject({ upgrade: undefined })
  })

  it('refuses more fields than allowed', () => {
    const text = (count: number) => `GET / HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(count - 1)}\r\n`
    expect(parse(text(10), 10)).toMatchObject({ method: 'GET' })
    expect(parse(text(11), 10)).toMatchObject({ status: 431 })
  })

  it('reads every correct request as what it was written from', () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/)
    const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[ -~\x80-\xff\t]{0,10}[!-~\x80-\xff])?)?$/)
    // Names of ours begin so, for the others mean something.
    const fields = fc.array(
      fc.tuple(
        token.map(name => `X-${name}`),
        value,
      ),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(token, fc.stringMatching(/^\/[!-"$-~]{0,20}$/), fields, (method, target, pairs) => {
        fc.pre(method !== 'CONNECT')
        const lines = pairs.map(([name, text]) => `${name}: ${text}\r\n`).join('')
        const head = parse(`${method} ${target} HTTP/1.1\r\nHost: h\r\n${lines}\r\n`)
        expect(head).toMatchObject({ method, target, host: 'h' })
        if ('status' in head) return
        const found = pairs.map((_, index) => [head.fields.name(index + 1), head.fields.value(index + 1)])
        expect(found).toEqual(pairs)
      }),
    )
  })

  it('never throws', () => {
    const piece = fc.constantFrom(
      'GET ',
      '/',
      ' HTTP/1.1',
      '\r\n',
      'Host: a',
      ': ',
      '\r',
      '\n',
      '\t',
      ' ',
      'é',
      '\0',
      'X',
    )
    fc.assert(
      fc.property(fc.array(piece), pieces => {
        expect(parse(`${pieces.join('')}\r\n\r\n`)).toBeTypeOf('object')
      }),
    )
  })
})

describe('originForm', () => {
  it.each([
    ['/a?b', { path: '/a?b', host: undefined }],
    ['*', { path: '*', host: undefined }],
    ['http://h:8/a?b', { path: '/a?b', host: 'h:8' }],
    ['HTTPS://h', { path: '/', host: 'h' }],
    ['http://h?q', { path: '/?q', host: 'h' }],
    ['http://user@h/', undefined],
    ['ftp://h/', undefined],
    ['h:80', undefined],
  ])('brings %s to %o', (target, expected) => {
    expect(originForm(target)).toEqual(expected)
  })
})
