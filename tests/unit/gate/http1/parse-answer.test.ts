import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAnswerHead } from '../../../../src/gate/http1/parse-answer.ts'

const get = { method: 'GET', upgrade: undefined }
const answer = (start: string, lines: readonly string[] = [], request: Parameters<typeof parseAnswerHead>[1] = get) =>
  parseAnswerHead([start, ...lines, '', ''].join('\r\n'), request)

describe('parseAnswerHead', () => {
  it('reads what an answer is', () => {
    expect(answer('HTTP/1.1 299 Own Words', ['Content-Length: 5', 'X: 1'])).toMatchObject({
      status: 299,
      reason: 'Own Words',
      framing: { kind: 'length', sizeBytes: 5 },
      persists: true,
    })
    expect(answer('HTTP/1.1 200')).toMatchObject({ status: 200, reason: '' })
    expect(answer('HTTP/1.1 200 ')).toMatchObject({ status: 200, reason: '' })
  })

  it.each([
    ['HTTP/1.1 200 OK', ['Transfer-Encoding: chunked'], 'GET', 'chunked', true],
    ['HTTP/1.1 200 OK', [], 'GET', 'close', false],
    ['HTTP/1.0 200 OK', ['Content-Length: 3'], 'GET', 'length', false],
    ['HTTP/1.1 200 OK', ['Content-Length: 3', 'Connection: close'], 'GET', 'length', false],
    ['HTTP/1.1 200 OK', ['Content-Length: 0'], 'GET', 'none', true],
    ['HTTP/1.1 200 OK', ['Content-Length: 3'], 'HEAD', 'none', true],
    ['HTTP/1.1 200 OK', ['Transfer-Encoding: chunked'], 'HEAD', 'none', true],
    ['HTTP/1.1 204 No Content', [], 'GET', 'none', true],
    ['HTTP/1.1 304 Not Modified', ['Content-Length: 3'], 'GET', 'none', true],
    ['HTTP/1.1 103 Early Hints', [], 'GET', 'none', true],
  ])('tells how the body of %s with %o to %s is delimited', (start, lines, method, kind, persists) => {
    expect(answer(start, lines, { method, upgrade: undefined })).toMatchObject({ framing: { kind }, persists })
  })

  it('follows a switch of protocols only where it was asked for', () => {
    expect(answer('HTTP/1.1 101 Switching', [], { method: 'GET', upgrade: 'websocket' })).toMatchObject({
      framing: { kind: 'tunnel' },
    })
    expect(answer('HTTP/1.1 101 Switching')).toBeUndefined()
  })

  it.each([
    ['HTTP/2 200 OK', []],
    ['HTTP/1.1 20 OK', []],
    ['HTTP/1.1 099 OK', []],
    ['HTTP/1.1 600 OK', []],
    ['HTTP/1.1  200 OK', []],
    ['HTTP/1.1 200 a\0b', []],
    ['ICY 200 OK', []],
    ['HTTP/1.1 200 OK', ['Content-Length: 3', 'Transfer-Encoding: chunked']],
    ['HTTP/1.1 200 OK', ['Content-Length: 3', 'Content-Length: 3']],
    ['HTTP/1.1 200 OK', ['Content-Length: a']],
    ['HTTP/1.1 200 OK', ['Transfer-Encoding: gzip, chunked']],
    ['HTTP/1.0 200 OK', ['Transfer-Encoding: chunked']],
    ['HTTP/1.1 200 OK', ['X : 1']],
    ['HTTP/1.1 200 OK', ['X: 1', ' 2']],
    ['HTTP/1.1 200 OK', Array.from({ length: 1001 }, () => 'X: 1')],
  ])('does not take %s with %o for an answer', (start, lines) => {
    expect(answer(start, lines)).toBeUndefined()
  })

  it('never throws', () => {
    const piece = fc.constantFrom('HTTP/1.1', ' ', '200', 'OK', '\r\n', 'A: b', '\r', '\n', '\0')
    fc.assert(
      fc.property(fc.array(piece), pieces => {
        const found = parseAnswerHead(`${pieces.join('')}\r\n\r\n`, get)
        expect(found === undefined || found.status >= 100).toBe(true)
      }),
    )
  })
})
