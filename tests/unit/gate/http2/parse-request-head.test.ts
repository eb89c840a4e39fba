import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RequestHead } from '../../../../src/gate/http1/message.ts'
import { parseStreamHead, parseStreamTrailers } from '../../../../src/gate/http2/parse-request-head.ts'

const pseudo = [':method', 'POST', ':scheme', 'https', ':authority', 'example.org', ':path', '/a?b=c']
const read = (fields: readonly string[], endsStream = false) =>
  parseStreamHead(fields, { endsStream, fields: 100, headBytes: 1000 })
const good = (fields: readonly string[], endsStream = false) => {
  const head = read(fields, endsStream)
  if ('status' in head) throw new Error(head.why)
  return head
}
const linesOf = ({ fields }: RequestHead) => fields.text.slice(fields.start, fields.end)

describe('a head', () => {
  it('becomes the request of HTTP/1.1 that it stands for', () => {
    const head = good([...pseudo, 'accept', '*/*', 'cookie', 'a=1', 'x-a', 'b', 'cookie', 'c=2'])
    expect(head).toMatchObject({ method: 'POST', target: '/a?b=c', host: 'example.org', httpVersion: '2' })
    expect(head.fields.get('cookie')).toBe('a=1; c=2')
    expect(linesOf(head).match(/cookie/g)).toHaveLength(1)
  })

  it.each([
    ['no body', [], true, { kind: 'none' }],
    ['a body of unknown length', [], false, { kind: 'chunked' }],
    ['a body of known length', ['content-length', '12'], false, { kind: 'length', sizeBytes: 12 }],
    ['a body of no length, to be ended yet', ['content-length', '0'], false, { kind: 'none' }],
    ['no body, said so', ['content-length', '0'], true, { kind: 'none' }],
  ])('has %s', (_what, fields, endsStream, framing) => {
    expect(good([...pseudo, ...fields], endsStream).framing).toEqual(framing)
  })

  it('takes the host where no authority is named', () => {
    const unnamed = pseudo.filter((_, index) => index !== 4 && index !== 5)
    expect(good([...unnamed, 'host', 'b.example']).host).toBe('b.example')
    expect(good([...pseudo, 'host', 'example.org']).host).toBe('example.org')
  })

  it('waits for a 100 only before a body', () => {
    expect(good([...pseudo, 'expect', '100-continue']).expectsContinue).toBe(true)
    expect(good([...pseudo, 'expect', '100-continue'], true).expectsContinue).toBe(false)
  })

  it('may ask for all of a server', () => {
    const all = [':method', 'OPTIONS', ':scheme', 'https', ':authority', 'a', ':path', '*']
    expect(good(all, true).target).toBe('*')
  })
})

describe('a malformed head', () => {
  const without = (name: string) => pseudo.filter((_, index) => pseudo[index - (index % 2)] !== name)
  const with_ = (name: string, value: string) =>
    pseudo.map((text, index) => (pseudo[index - 1] === name ? value : text))
  it.each([
    ['no method', without(':method')],
    ['no path', without(':path')],
    ['no scheme', without(':scheme')],
    ['an empty path', with_(':path', '')],
    ['a path of another server', with_(':path', 'http://evil.example/')],
    ['a path that is none', with_(':path', 'a')],
    ['a path with a space', with_(':path', '/a HTTP/1.1')],
    ['a path with a new line', with_(':path', '/a HTTP/1.1\r\nx: y')],
    ['all of a server, and another method', with_(':path', '*')],
    ['a method with a space', with_(':method', 'GET /admin')],
    ['an empty method', with_(':method', '')],
    ['a scheme that is none of ours', with_(':scheme', 'ftp')],
    ['an authority with a user', with_(':authority', 'user@example.org')],
    ['an authority with a new line', with_(':authority', 'a\r\nx: y')],
    ['two methods', [...pseudo, ':method', 'GET']],
    ['a pseudo field after others', ['accept', '*/*', ...pseudo]],
    ['a pseudo field of answers', [':status', '200', ...pseudo]],
    ['an upgrade of the stream', [...pseudo.slice(0, 2), ':protocol', 'websocket', ...pseudo.slice(2)]],
    ['another host', [...pseudo, 'host', 'evil.example']],
    ['two hosts', [...pseudo, 'host', 'example.org', 'host', 'example.org']],
    ['a name in upper case', [...pseudo, 'X-A', 'b']],
    ['a name with a colon', [...pseudo, 'a:b', 'c']],
    ['a length in a name', [...pseudo, 'content-length:5', 'x']],
    ['a name with a space', [...pseudo, 'a b', 'c']],
    ['an empty name', [...pseudo, '', 'c']],
    ['a value with a new line', [...pseudo, 'a', 'b\nc: d']],
    ['a value with a NUL', [...pseudo, 'a', 'b\0']],
    ['a connection', [...pseudo, 'connection', 'close']],
    ['another framing', [...pseudo, 'transfer-encoding', 'chunked']],
    ['a coding of trailers', [...pseudo, 'te', 'gzip']],
    ['an upgrade', [...pseudo, 'upgrade', 'websocket']],
    ['two lengths', [...pseudo, 'content-length', '1', 'content-length', '2']],
    ['a length that is none', [...pseudo, 'content-length', '+1']],
    ['more than may be', [...pseudo, 'a', 'b'.repeat(1000)]],
    ['more fields than may be', [...pseudo, ...Array.from({ length: 202 }, () => 'a')]],
  ])('with %s is refused', (_what, fields) => expect(read(fields)).toHaveProperty('status'))

  it('is one that tells of a body and has none', () => {
    expect(read([...pseudo, 'content-length', '5'], true)).toHaveProperty('status', 400)
  })

  it('is CONNECT', () => expect(read([':method', 'CONNECT', ':authority', 'a:443'])).toHaveProperty('status'))
})

describe('whatever comes', () => {
  it('is refused, or has as many lines as fields', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'B', ':', ' ', '\r', '\n', '\0', '\t', '-', ',', 'é'),
      maxLength: 6,
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 4 }), fc.nat(3), text, (fields, at, value) => {
        const first = pseudo.map((each, index) => (index === at * 2 + 1 ? `${each}${value}` : each))
        const head = read([...first, ...fields.flat()])
        if ('status' in head) return
        expect(linesOf(head).split('\r\n')).toHaveLength(fields.length + 3)
        expect(linesOf(head).replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/)
        expect(`${head.method}${head.target}${head.host}`).not.toMatch(/[\s\0]/)
      }),
    )
  })
})

describe('trailers', () => {
  it('are fields', () => expect(parseStreamTrailers(['x-digest', 'abc'])?.get('x-digest')).toBe('abc'))
  it.each([
    [':status', '200'],
    ['a', 'b\r\nc: d'],
    ['a b', 'c'],
    ['', ''],
    ['content-length:5', 'x'],
  ])('are not %j: %j', (name, value) => {
    expect(parseStreamTrailers([name, value])).toBeUndefined()
  })
})
