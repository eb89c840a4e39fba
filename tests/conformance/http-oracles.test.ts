import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compare, hostPlace, type Readers, startReaders } from '../support/http-oracles.ts'
import { requestStreams } from '../support/http-streams.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const last = `GET /last HTTP/1.1\r\nHost: ${hostPlace}\r\nConnection: close\r\n\r\n`
const host = `Host: ${hostPlace}\r\n`
const get = (fields: string) => `GET /first HTTP/1.1\r\n${host}${fields}\r\n`
const post = (fields: string, body: string) => `POST /first HTTP/1.1\r\n${host}${fields}\r\n${body}`
const chunked = (body: string) => post('Transfer-Encoding: chunked\r\n', body)

/**
 * Where those who read HTTP are of more than one mind whether something is a request, as seen with Node 26, nginx 1.22 and HAProxy 2.6, and
 * what we make of it. Wherever more than one reads it, all read the same: that is held below for these and for whatever is generated.
 */
const judged: readonly (readonly [what: string, judgement: 'reads' | 'refuses', why: string, bytes: string])[] = [
  [
    'a length beside chunks',
    'refuses',
    'HAProxy reads the chunks and ends; RFC 9112 §6.3 lets us',
    post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  ],
  [
    'other codings before chunked',
    'refuses',
    'Node reads them; nobody behind a gateway undoes them',
    post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
  ],
  [
    'chunks in HTTP/1.0',
    'refuses',
    'Node and HAProxy read them; RFC 9112 §6.1 calls the framing faulty',
    `POST /first HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'one length twice',
    'refuses',
    'HAProxy takes one out; RFC 9112 §6.3 leaves it to us',
    post('Content-Length: 5\r\nContent-Length: 5\r\n', 'abcde'),
  ],
  ['one length twice in a field', 'refuses', 'likewise', post('Content-Length: 5, 5\r\n', 'abcde')],
  [
    'a length with zeros before it',
    'refuses',
    'Node and nginx read it; an application that takes it for octal would be led astray',
    post('Content-Length: 010\r\n', 'abcdefghij'),
  ],
  ['a folded line', 'refuses', 'HAProxy unfolds it; RFC 9112 §5.2 lets us', get('X: a\r\n b\r\n')],
  ['a bare LF for a line’s end', 'refuses', 'nginx and HAProxy read it; RFC 9112 §2.2 leaves it to us', get('X: a\n')],
  ['bare LFs for all ends', 'refuses', 'likewise', `GET /first HTTP/1.1\nHost: ${hostPlace}\n\n`],
  ['a CR before CR LF', 'refuses', 'nginx reads it; a bare CR is none', get('X: a\r\r\n')],
  ['a line without a colon', 'refuses', 'nginx drops it', get('X\r\n')],
  ['a name that is no token', 'refuses', 'nginx drops it', get('X(Y): a\r\n')],
  [
    'a later minor version',
    'refuses',
    'nginx and HAProxy read it as 1.1; there is none',
    `GET /first HTTP/1.2\r\n${host}\r\n`,
  ],
  ['HTTP/0.9', 'refuses', 'Node reads it, fields and all', `GET /first\r\n${host}\r\n`],
  [
    'two spaces in the request line',
    'refuses',
    'all others read it; RFC 9112 §3 has one',
    `GET  /first HTTP/1.1\r\n${host}\r\n`,
  ],
  ['a space behind the version', 'refuses', 'nginx reads it', `GET /first HTTP/1.1 \r\n${host}\r\n`],
  [
    'a fragment in the target',
    'refuses',
    'Node and nginx pass it on; whether it is a part of the path is up to who reads it',
    `GET /first#x HTTP/1.1\r\n${host}\r\n`,
  ],
  ['a target beyond ASCII', 'refuses', 'nginx passes it on', `GET /first\xe9 HTTP/1.1\r\n${host}\r\n`],
  ['a quote in the target', 'reads', 'all others do', `GET /fi"rst HTTP/1.1\r\n${host}\r\n`],
  [
    'a method in lower case',
    'reads',
    'a method of its own, of which only the application can say what it is; Node and nginx refuse it',
    `get /first HTTP/1.1\r\n${host}\r\n`,
  ],
  ['two Hosts', 'refuses', 'Node takes the first; RFC 9112 §3.2', get('Host: b\r\n')],
  [
    'a Host that is none',
    'refuses',
    'Node and HAProxy pass it on; RFC 9112 §3.2',
    'GET /first HTTP/1.1\r\nHost: a b\r\n\r\n',
  ],
  [
    'a target with another host than Host',
    'reads',
    'the target’s counts, and Host is replaced by it, as RFC 9112 §3.2.2 has it; HAProxy refuses it',
    `GET http://b/first HTTP/1.1\r\n${host}\r\n`,
  ],
  ['an empty line before it', 'reads', 'all do; RFC 9112 §2.2', `\r\n${get('')}`],
  ['a bare LF before it', 'refuses', 'all others read it; no client sends it', `\n${get('')}`],
  [
    'a blank behind the size of a chunk',
    'refuses',
    'nginx and HAProxy read it; RFC 9112 §7.1 has none',
    chunked('3 \r\nabc\r\n0\r\n\r\n'),
  ],
  ['a bare LF behind the size of a chunk', 'refuses', 'nginx and HAProxy read it', chunked('3\nabc\r\n0\r\n\r\n')],
  ['a bare LF behind a chunk', 'refuses', 'nginx and HAProxy read it', chunked('3\r\nabc\n0\r\n\r\n')],
  [
    'a bare LF behind an extension',
    'refuses',
    'nginx and HAProxy read it: TERM.EXT and EXT.TERM tricks begin so',
    chunked('3;a\nabc\r\n0\r\n\r\n'),
  ],
  ['an extension', 'reads', 'all do; it is not passed on', chunked('3;a="b"\r\nabc\r\n0\r\n\r\n')],
  [
    'an extension without a name',
    'reads',
    'nginx and HAProxy do, Node does not; it is not passed on',
    chunked('3;\r\nabc\r\n0\r\n\r\n'),
  ],
  [
    'a size with twenty digits',
    'refuses',
    'all others read it, as they are zeros',
    chunked('00000000000000000003\r\nabc\r\n0\r\n\r\n'),
  ],
  ['a folded trailer', 'refuses', 'nginx and HAProxy drop it', chunked('0\r\nX: a\r\n b\r\n\r\n')],
  [
    'an expectation that is not known',
    'refuses',
    'nginx and HAProxy pass it on; RFC 9110 §10.1.1 has 417 for it',
    post('Content-Length: 5\r\nExpect: a\r\n', 'abcde'),
  ],
]

describe.skipIf(!needTool('nginx', 'haproxy'))('the gate and others who read HTTP', () => {
  let readers: Readers
  beforeAll(async () => {
    readers = await startReaders(tempFolder())
  })
  afterAll(() => readers.close())

  it.each(judged)('%s: the gate %s it (%s)', async (_what, judgement, _why, bytes) => {
    const { read, found } = await compare(readers, Buffer.from(bytes + last, 'latin1'))
    expect(found).toEqual([])
    expect(read).toHaveLength(judgement === 'reads' ? 2 : 0)
  })

  it('read the same requests out of whatever comes, as far as they read any', async () => {
    let whole = 0
    await fc.assert(
      fc.asyncProperty(requestStreams, async bytes => {
        const { read, found } = await compare(readers, bytes)
        if (read.at(-1)?.startsWith('GET /last ') === true) whole += 1
        expect(found).toEqual([])
      }),
      { numRuns: 60 },
    )
    // Else all that was compared would be nothing with nothing.
    expect(whole).toBeGreaterThan(10)
  })
})
