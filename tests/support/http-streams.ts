import fc from 'fast-check'
import { hostPlace } from './http-oracles.ts'

/** What is told apart by somebody: ends of lines, blanks, what separates, what is beyond ASCII. */
const telling = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  '\x0b',
  '\x0c',
  ':',
  ';',
  ',',
  '"',
  '0',
  'x',
  '+',
  '-',
  '\x7f',
  '\x85',
  '\xa0',
]

const inner = `GET /inner HTTP/1.1\r\nHost: ${hostPlace}\r\n\r\n`
const bodies = fc.constantFrom('', 'abc', '0\r\n\r\n', inner, `0\r\n\r\n${inner}`, `5\r\nabcde\r\n0\r\n\r\n`)

const plainFields = fc.subarray(
  [
    'X-A: b',
    'Accept: */*',
    'Connection: keep-alive',
    'Content-Type: text/plain',
    'X-Long: aaaaaaaaaaaaaaaaaaaaaaaa',
    'Expect: 100-continue',
    'TE: trailers',
    'Upgrade: h2c',
  ],
  { maxLength: 3 },
)

/** A body in chunks of a size, with an extension and trailers. */
function inChunks(
  body: string,
  sizeBytes: number,
  more: { readonly extension: string; readonly trailers: string },
): string {
  let text = ''
  for (let at = 0; at < body.length; at += sizeBytes) {
    const piece = body.slice(at, at + sizeBytes)
    text += `${piece.length.toString(16)}${more.extension}\r\n${piece}\r\n`
  }
  return `${text}0\r\n${more.trailers}\r\n`
}

const chunkedBodies = fc
  .tuple(
    bodies,
    fc.integer({ min: 1, max: 40 }),
    fc.record({
      extension: fc.constantFrom('', ';a', ';a=b', ';a="b"', ' ;a', ';'),
      trailers: fc.constantFrom('', 'X-T: u\r\n', 'Content-Length: 3\r\n'),
    }),
  )
  .map(([body, sizeBytes, more]) => inChunks(body, sizeBytes, more))

/** Fields that say how a body is delimited, and the body: most of them right. */
const framings = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ lines: [] as string[], body: '' }) },
  { weight: 3, arbitrary: bodies.map(body => ({ lines: [`Content-Length: ${body.length}`], body })) },
  { weight: 3, arbitrary: chunkedBodies.map(body => ({ lines: ['Transfer-Encoding: chunked'], body })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.uniqueArray(
          fc.constantFrom(
            'Content-Length: 0',
            'Content-Length: 3',
            'Content-Length: 5',
            'Content-Length: 35',
            'Content-Length:',
            'Content-Length: 3, 3',
            'Transfer-Encoding: chunked',
            'Transfer-Encoding: Chunked',
            'Transfer-Encoding: identity',
            'Transfer-Encoding: chunked, identity',
            'Transfer-Encoding: identity, chunked',
            'Transfer-Encoding: xchunked',
            'Transfer-Encoding : chunked',
            'Transfer-Encoding:\tchunked',
            'Transfer-Encoding: \x0bchunked',
            'Transfer-Encoding:\r\n chunked',
            'Transfer-encoding: chunked\r\n\tX: y',
            'X: y\r\n Content-Length: 3',
            'Transfer_Encoding: chunked',
            'Content_Length: 3',
          ),
          { minLength: 1, maxLength: 3 },
        ),
        fc.oneof(bodies, chunkedBodies),
      )
      .map(([lines, body]) => ({ lines, body })),
  },
)

const requests = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS'),
    target: fc.constantFrom('/', '/a', '/a?b=c', '/a/../b', '/%2e%2e/%00', `http://${hostPlace}/a`, '/a%0d%0ab'),
    version: fc.oneof(
      { weight: 20, arbitrary: fc.constant('HTTP/1.1') },
      { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.10') },
    ),
    host: fc.oneof(
      { weight: 20, arbitrary: fc.constant([`Host: ${hostPlace}`]) },
      { weight: 1, arbitrary: fc.constantFrom([], [`Host: ${hostPlace}`, 'Host: b'], ['Host:'], ['Host: a b']) },
    ),
    fields: plainFields,
    framing: framings,
  })
  .map(({ method, target, version, host, fields, framing }) => {
    const lines = [`${method} ${target} ${version}`, ...host, ...fields, ...framing.lines]
    return `${lines.join('\r\n')}\r\n\r\n${framing.body}`
  })

interface Change {
  readonly at: number
  readonly kind: 'insert' | 'replace' | 'remove'
  readonly text: string
}

const changes = fc.array(
  fc.record({
    at: fc.nat(400),
    kind: fc.constantFrom<Change['kind']>('insert', 'replace', 'remove'),
    text: fc.constantFrom(...telling),
  }),
  { maxLength: 2 },
)

function changed(text: string, { at, kind, text: what }: Change): string {
  const place = at % text.length
  const removed = kind === 'insert' ? 0 : 1
  return text.slice(0, place) + (kind === 'remove' ? '' : what) + text.slice(place + removed)
}

/** What a client may send on one connection: one request or two, right or changed in places, and a last one that ends the connection. */
export const requestStreams: fc.Arbitrary<Buffer> = fc
  .tuple(fc.array(requests, { minLength: 1, maxLength: 2 }), fc.oneof(fc.constant([]), changes))
  .map(([all, made]) => made.reduce(changed, all.join('')))
  .map(text => Buffer.from(`${text}GET /last HTTP/1.1\r\nHost: ${hostPlace}\r\nConnection: close\r\n\r\n`, 'latin1'))
