import { createHash } from 'node:crypto'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CertificateFiles } from '../../src/gate/edge/certificate.ts'
import type { FrontSettings } from '../../src/gate/front/settings.ts'
import { makeCertificate } from '../support/certificates.ts'
import { type OpenGate, openGateBefore } from '../support/gate-front.ts'
import { gateSettings } from '../support/gate-settings.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { until } from '../support/toy-prefix.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

describe.skipIf(!needTool('openssl'))('HTTP/2', () => {
  let files: CertificateFiles
  beforeAll(() => {
    files = makeCertificate(tempFolder(), 'localhost')
  })

  /** A gate before an application that is made here, and a client's connection to it. */
  async function open(app: http.RequestListener | net.Server, changes: Partial<FrontSettings> = {}) {
    const server = app instanceof net.Server ? app : http.createServer(app)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => {
      server.close()
      if (server instanceof http.Server) server.closeAllConnections()
    })
    const { port } = server.address() as AddressInfo
    const gate = await openGateBefore(
      port,
      { tls: { ...files, http2: true }, ...changes },
      { proxyProtocol: false, tls: true },
    )
    return { gate, server, session: await connect(gate) }
  }

  async function connect(gate: OpenGate): Promise<http2.ClientHttp2Session> {
    const session = http2.connect(`https://127.0.0.1:${gate.port}`, { rejectUnauthorized: false })
    session.on('error', () => {})
    cleanups.push(() => session.destroy())
    await new Promise(resolve => session.once('remoteSettings', resolve))
    return session
  }

  interface Got {
    readonly status: number
    readonly headers: http2.IncomingHttpHeaders
    readonly body: string
    readonly trailers: http2.IncomingHttpHeaders
    readonly interim: readonly http2.IncomingHttpHeaders[]
    /** The code that the stream ended with. */
    readonly code: number
  }

  function ask(
    session: http2.ClientHttp2Session,
    headers: http2.OutgoingHttpHeaders,
    send: (stream: http2.ClientHttp2Stream) => void = stream => stream.end(),
  ): Promise<Got> {
    const stream = session.request(headers, { endStream: false })
    const got = { status: 0, headers: {}, body: '', trailers: {}, interim: [] as http2.IncomingHttpHeaders[] }
    stream.on('headers', fields => got.interim.push(fields))
    stream.once('response', fields => Object.assign(got, { headers: fields, status: fields[':status'] }))
    stream.once('trailers', fields => Object.assign(got, { trailers: fields }))
    stream.on('data', piece => {
      got.body += piece
    })
    stream.on('error', () => {})
    const closed = new Promise<Got>(resolve => stream.once('close', () => resolve({ ...got, code: stream.rstCode })))
    send(stream)
    return closed
  }

  const echo: http.RequestListener = async (request, response) => {
    // Whose client has gone is of no interest here.
    request.on('error', () => {})
    const digest = createHash('sha256')
    let sizeBytes = 0
    request.on('data', piece => {
      sizeBytes += piece.length
      digest.update(piece)
    })
    await new Promise(resolve => request.once('end', resolve))
    const { method, url, headers, trailers } = request
    response.end(JSON.stringify({ method, url, headers, trailers, sizeBytes, digest: digest.digest('hex') }))
  }

  it('reaches an application that speaks HTTP/1.1', async () => {
    const { session, gate } = await open(echo)
    const got = await ask(session, { ':path': '/a?b', 'x-a': 'b', cookie: ['c=1', 'd=2'] })
    expect(JSON.parse(got.body)).toMatchObject({
      method: 'GET',
      url: '/a?b',
      headers: {
        host: `127.0.0.1:${gate.port}`,
        'x-a': 'b',
        cookie: 'c=1; d=2',
        via: '2 cutover',
        'x-forwarded-proto': 'https',
        'x-forwarded-for': '127.0.0.1',
      },
    })
    expect(gate.records[0]).toMatchObject({
      httpVersion: '2',
      status: 200,
      outcome: 'answered',
      host: `127.0.0.1:${gate.port}`,
    })
    expect(got.code).toBe(0)
  })

  it('carries bodies and trailers both ways', async () => {
    const { session } = await open((request, response) => {
      request.resume().once('end', () => {
        response.writeHead(201, { trailer: 'x-digest', 'content-type': 'text/plain' })
        response.write(`got ${JSON.stringify(request.trailers)} `)
        response.addTrailers({ 'x-digest': 'abc' })
        response.end('end')
      })
    })
    const got = await ask(session, { ':path': '/', ':method': 'POST' }, stream => {
      stream.once('wantTrailers', () => stream.sendTrailers({ 'x-sent': 'def', 'content-length': '5' }))
      stream.write('abc')
      stream.end()
    })
    expect(got).toMatchObject({ status: 201, body: 'got {} end', code: 0 })
    expect(got.trailers).toMatchObject({ 'x-digest': 'abc' })
  })

  it('carries the trailers of a request, and none that change what it is', async () => {
    const { session } = await open(echo)
    const stream = session.request({ ':path': '/', ':method': 'POST' }, { endStream: false, waitForTrailers: true })
    stream.once('wantTrailers', () =>
      stream.sendTrailers({ 'x-sent': 'def', host: 'evil', 'x-forwarded-for': '192.0.2.1' }),
    )
    let body = ''
    stream.on('data', piece => {
      body += piece
    })
    stream.end('abc')
    await new Promise(resolve => stream.once('close', resolve))
    expect(JSON.parse(body)).toMatchObject({ trailers: { 'x-sent': 'def' }, sizeBytes: 3 })
    expect(Object.keys(JSON.parse(body).trailers)).toEqual(['x-sent'])
  })

  it.each([
    ['a length', { 'content-length': '3' }, 3],
    ['no length', {}, 3],
  ])('sends a body of %s as it is', async (_what, fields, sizeBytes) => {
    const { session } = await open(echo)
    const got = await ask(session, { ':path': '/', ':method': 'PUT', ...fields }, stream => stream.end('abc'))
    expect(JSON.parse(got.body)).toMatchObject({ sizeBytes })
  })

  it.each([
    ['HEAD', 'HEAD', 200],
    ['204', 'GET', 204],
    ['304', 'GET', 304],
  ])('has no body in the answer to %s', async (_what, method, status) => {
    const { session, gate } = await open((_request, response) => {
      response
        .writeHead(status, status === 200 ? { 'content-length': 5 } : {})
        .end(status === 200 ? 'abcde' : undefined)
    })
    const got = await ask(session, { ':path': '/', ':method': method })
    expect(got).toMatchObject({ status, body: '', code: 0 })
    expect(gate.records[0]).toMatchObject({ outcome: 'answered', status })
  })

  it('passes on answers before the answer', async () => {
    const { session } = await open((_request, response) => {
      response.writeEarlyHints({ link: ['</a.css>', '</b.css>'] })
      response.end('a')
    })
    const got = await ask(session, { ':path': '/' })
    expect(got.interim).toEqual([expect.objectContaining({ ':status': 103, link: '</a.css>, </b.css>' })])
    expect(got.body).toBe('a')
  })

  it('has a 100 from the application, and none while it waits', async () => {
    const { session, gate } = await open(echo)
    gate.front.enter('hold')
    const continued: boolean[] = []
    const got = ask(session, { ':path': '/', ':method': 'POST', expect: '100-continue' }, stream => {
      stream.once('continue', () => {
        continued.push(gate.front.counters().heldNow === 0)
        stream.end('abc')
      })
    })
    await until(async () => gate.front.counters().heldNow === 1)
    gate.front.enter('pass')
    expect(JSON.parse((await got).body)).toMatchObject({ sizeBytes: 3 })
    expect(continued).toEqual([true])
  })

  it('keeps fields that the application says twice, and none of its connection', async () => {
    const { session } = await open((_request, response) => {
      response.writeHead(200, [
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
        'X-Twice',
        '1',
        'X-Twice',
        '2',
        'Content-Type',
        'a/b',
        'Content-Type',
        'c/d',
        'Keep-Alive',
        'timeout=9',
        'Connection',
        'X-Mine',
        'X-Mine',
        'a',
      ])
      response.end()
    })
    const { status, headers } = await ask(session, { ':path': '/' })
    expect(status).toBe(200)
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(headers['x-twice']).toBe('1, 2')
    expect(Object.keys(headers)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(connection|keep-alive|x-mine|transfer-encoding)$/)]),
    )
  })

  it.each([
    ['of a length', 'Content-Length: 10\r\n\r\nabc'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('resets an answer %s that breaks, so that it does not look whole', async (_what, bytes) => {
    const server = net.createServer(socket => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${bytes}`))
    })
    const { session, gate } = await open(server)
    const got = await ask(session, { ':path': '/' })
    expect(got).toMatchObject({ status: 200, code: http2.constants.NGHTTP2_INTERNAL_ERROR })
    expect(gate.records[0]).toMatchObject({ outcome: 'failed' })
  })

  it.each([
    ['breaks its connection', 'x', 502],
    ['does not speak HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', 502],
    ['is silent', '', 504],
  ])('is told when the application %s', async (_what, bytes, status) => {
    const server = net.createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => (bytes === '' ? undefined : socket.end(bytes)))
    })
    const { session } = await open(server, { upstream: { proxyProtocol: 'off', timeoutMs: 100 } })
    expect(await ask(session, { ':path': '/' })).toMatchObject({ status, code: 0 })
  })

  it('ends the request of a client that resets its stream', async () => {
    let gone = false
    let asked = false
    const { session, gate } = await open((_request, response) => {
      asked = true
      response.once('close', () => {
        gone = true
      })
    })
    const got = ask(session, { ':path': '/' }, stream => {
      stream.end()
      void until(async () => asked).then(() => stream.close(http2.constants.NGHTTP2_CANCEL))
    })
    await got
    await until(async () => gone && gate.records.length === 1)
    expect(gate.records[0]).toMatchObject({ status: 499, outcome: 'abandoned' })
    expect((await ask(await connect(gate), { ':path': '/' }, stream => stream.close(8))).code).toBe(8)
  })

  it('forgets a client that resets its stream while it waits', async () => {
    let asked = 0
    const { session, gate } = await open((_request, response) => {
      asked += 1
      response.end()
    })
    gate.front.enter('hold')
    const got = ask(session, { ':path': '/' }, stream => {
      void until(async () => gate.front.counters().heldNow === 1).then(() =>
        stream.close(http2.constants.NGHTTP2_CANCEL),
      )
    })
    await got
    await until(async () => gate.front.counters().heldNow === 0)
    gate.front.enter('pass')
    await ask(session, { ':path': '/' })
    expect(asked).toBe(1)
  })

  it('turns a request away, whose body nobody reads, and serves the next one', async () => {
    const { session, gate } = await open(echo)
    gate.front.enter('backoff')
    const got = await ask(session, { ':path': '/', ':method': 'POST' }, stream => stream.end(Buffer.alloc(200_000)))
    expect(got).toMatchObject({ status: 503, code: 0 })
    expect(got.headers['retry-after']).toBe('30')
    expect(got.headers['connection']).toBeUndefined()
    gate.front.enter('pass')
    expect(await ask(session, { ':path': '/' })).toMatchObject({ status: 200 })
  })

  it('keeps a body whole while its request waits, most of it at the client', async () => {
    const { session, gate } = await open(echo)
    gate.front.enter('hold')
    const bytes = Buffer.alloc(3_000_000, 'cutover ')
    const got = ask(session, { ':path': '/', ':method': 'PUT' }, stream => stream.end(bytes))
    await until(async () => gate.front.counters().heldNow === 1)
    expect(gate.front.counters().heldBytes).toBeLessThan(70_000)
    gate.front.enter('pass')
    const digest = createHash('sha256').update(bytes).digest('hex')
    expect(JSON.parse((await got).body)).toMatchObject({ sizeBytes: bytes.length, digest })
  })

  it('sends no faster than the application reads', async () => {
    const asked: http.IncomingMessage[] = []
    const { session, gate } = await open(request => void asked.push(request))
    let sentBytes = 0
    void ask(session, { ':path': '/', ':method': 'PUT' }, stream => {
      const push = () => {
        do sentBytes += 65_536
        while (stream.write(Buffer.alloc(65_536)))
      }
      stream.on('drain', push)
      push()
    })
    await until(async () => asked.length === 1)
    expect(await stillness(() => sentBytes)).toBeLessThan(20_000_000)
    expect(gate.front.counters().inFlight).toBe(1)
  })

  it('sends no faster than the client reads, and another stream goes on meanwhile', async () => {
    let sentBytes = 0
    const { session } = await open((request, response) => {
      if (request.url !== '/big') {
        response.end('small')
        return
      }
      const push = () => {
        do sentBytes += 65_536
        while (response.write(Buffer.alloc(65_536)))
      }
      response.on('drain', push)
      push()
    })
    const big = session.request({ ':path': '/big' })
    big.on('error', () => {})
    await new Promise(resolve => big.once('response', resolve))
    expect(await stillness(() => sentBytes)).toBeLessThan(20_000_000)
    expect(await ask(session, { ':path': '/small' })).toMatchObject({ body: 'small' })
    big.close()
  })

  it('passes events on as they come, and ends them in good order', async () => {
    const { session, gate } = await open((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: first\n\n')
    })
    const stream = session.request({ ':path': '/' })
    const first = await new Promise(resolve => stream.once('data', piece => resolve(String(piece))))
    expect(first).toBe('data: first\n\n')
    expect(gate.front.counters()).toMatchObject({ streams: 1, inFlight: 0 })
    const closed = new Promise(resolve => stream.once('close', () => resolve(stream.rstCode)))
    await gate.front.drain({ timeoutMs: 5000, streamsMs: 0 })
    expect(await closed).toBe(0)
  })

  it('is told to go away while draining: what is on its way is served, then the connection ends', async () => {
    const waiting: http.ServerResponse[] = []
    const { session, gate } = await open((_request, response) => void waiting.push(response))
    const got = ask(session, { ':path': '/' })
    await until(async () => waiting.length === 1)
    const goneAway = new Promise(resolve => session.once('goaway', resolve))
    const closed = new Promise(resolve => session.once('close', resolve))
    gate.front.enter('drain')
    expect(await goneAway).toBe(0)
    waiting[0]!.end('late')
    expect(await got).toMatchObject({ status: 200, body: 'late', code: 0 })
    await closed
  })

  it('has an idle connection ended in good order', async () => {
    const { session } = await open(echo, { limits: { ...gateSettings.limits, idleTimeoutMs: 100 } })
    const goneAway = new Promise(resolve => session.once('goaway', resolve))
    expect(await goneAway).toBe(0)
  })

  it('cuts a client that makes no progress with a body', async () => {
    const { session, gate } = await open(echo, { limits: { ...gateSettings.limits, bodyTimeoutMs: 100 } })
    const got = await ask(session, { ':path': '/', ':method': 'POST' }, stream => stream.write('abc'))
    expect(got.code).toBe(http2.constants.NGHTTP2_CANCEL)
    expect(gate.records[0]).toMatchObject({ outcome: 'abandoned' })
  })
})

/** Wait until a number stays the same. */
async function stillness(measure: () => number): Promise<number> {
  let last = Number.NaN
  for (let same = 0; same < 5; ) {
    await new Promise(resolve => setTimeout(resolve, 20))
    const now = measure()
    same = now === last ? same + 1 : 0
    last = now
  }
  return last
}
