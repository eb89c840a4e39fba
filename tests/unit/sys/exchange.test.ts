import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ReleaseError } from '../../../src/core/error.ts'
import { displayUrl, exchange, readAnswer } from '../../../src/sys/exchange.ts'
import { codeOfAsync } from '../../support/codes.ts'

type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => void

let answer: Answer
const seen: { readonly headers: http.IncomingHttpHeaders; readonly port: number | undefined }[] = []
const server = http.createServer((request, response) => {
  seen.push({ headers: request.headers, port: request.socket.remotePort })
  answer(request, response)
})
let base: URL

beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  base = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/a?token=s3cret`)
})
beforeEach(() => {
  seen.length = 0
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const failure = (running: Promise<unknown>) =>
  running.then(
    () => expect.unreachable(),
    (caught: ReleaseError) => caught,
  )

describe('an answer', () => {
  it.each([200, 204, 302, 404, 500])('of %i is handed back as it is', async status => {
    answer = (_request, response) => response.writeHead(status, { location: '/elsewhere', 'x-a': 'b' }).end()
    const given = await exchange(base, { method: 'GET' })
    expect([given.status, given.header('X-A'), given.header('x-none')]).toEqual([status, 'b', undefined])
    await given.finish()
    expect(seen).toHaveLength(1)
  })

  it('is read as it was sent, compressed or not', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('raw')
    expect((await readAnswer(await exchange(base, { method: 'GET' }), 10, 'x')).toString()).toBe('raw')
    expect(seen[0]?.headers['accept-encoding']).toBe('identity')
  })

  it('is not read beyond what it may have', async () => {
    answer = (_request, response) => response.end('12345678901')
    expect(await codeOfAsync(exchange(base, { method: 'GET' }).then(given => readAnswer(given, 10, 'x')))).toBe(
      'HTTP_TOO_LARGE',
    )
  })

  it('leaves its connection to the next request when it was finished', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-length': 100 }).end('x'.repeat(100))
    for (let count = 0; count < 3; count += 1) await (await exchange(base, { method: 'GET' })).finish()
    expect(new Set(seen.map(({ port }) => port)).size).toBe(1)
  })

  it('closes its connection when much is left of it', async () => {
    const closed = new Promise(resolve => {
      answer = (_request, response) => {
        response.once('close', () => resolve(response.writableFinished))
        response.writeHead(200, { 'content-length': 1e9 }).write('x')
      }
    })
    await (await exchange(base, { method: 'GET' })).finish()
    expect(await closed).toBe(false)
  })
})

describe('a body', () => {
  const echo: Answer = (request, response) => void request.pipe(response)

  it('is sent from memory', async () => {
    answer = echo
    const given = await exchange(base, { method: 'PUT', body: Buffer.from('xabcx').subarray(1, 4) })
    expect((await readAnswer(given, 10, 'x')).toString()).toBe('abc')
    expect(seen[0]?.headers['content-length']).toBe('3')
  })

  it('is sent as it is read, with its length', async () => {
    answer = echo
    const body = {
      sizeBytes: 6,
      pieces: async function* () {
        yield Buffer.from('abc')
        yield Buffer.from('def')
      },
    }
    const given = await exchange(base, { method: 'PATCH', body })
    expect((await readAnswer(given, 10, 'x')).toString()).toBe('abcdef')
    expect(seen[0]?.headers['content-length']).toBe('6')
    expect(seen[0]?.headers['transfer-encoding']).toBeUndefined()
  })

  it('that cannot be read is told with its own error', async () => {
    answer = request => request.resume()
    const body = {
      sizeBytes: 6,
      pieces: async function* () {
        yield Buffer.from('abc')
        throw new ReleaseError('FILE_IO', 'gone')
      },
    }
    expect(await codeOfAsync(exchange(base, { method: 'PUT', body }))).toBe('FILE_IO')
  })

  it('is not read to its end when the answer comes before', async () => {
    let pieces = 0
    answer = (_request, response) => response.writeHead(413, { connection: 'close' }).end()
    const body = {
      sizeBytes: 1e9,
      pieces: async function* () {
        for (; pieces < 1000; pieces += 1) yield Buffer.alloc(1e6)
      },
    }
    const given = await exchange(base, { method: 'PUT', body }).catch((caught: ReleaseError) => caught)
    if (!(given instanceof ReleaseError)) await given.finish()
    expect(pieces).toBeLessThan(1000)
  })
})

describe('a failure', () => {
  it.each([
    ['GET', 'bytes', (response: http.ServerResponse) => response.writeHead(200).write('x')],
    ['GET', 'bytes', () => true],
    ['PUT', 'answer', () => true],
    ['PUT', 'bytes', (response: http.ServerResponse) => response.writeHead(200).write('x')],
  ] as const)('of a %s is that no %s came for too long', async (method, what, silent) => {
    answer = (_request, response) => void silent(response)
    const limits = { idleTimeoutMs: 30, answerTimeoutMs: 60 }
    const waited = exchange(base, { method, ...limits, ...(method === 'PUT' ? { body: Buffer.from('x') } : {}) })
    const error = await failure(waited.then(given => readAnswer(given, 10, 'x')))
    expect(error.code).toBe('HTTP_FAILED')
    expect(error.message).toContain(`no ${what} for ${what === 'bytes' ? 30 : 60} ms`)
  })

  it('names no query, which may be a secret', async () => {
    answer = request => request.socket.destroy()
    const error = await failure(exchange(base, { method: 'GET' }))
    expect(error.message).toContain(`${base.origin}/a`)
    expect(JSON.stringify(error) + String(error.cause) + error.stack).not.toContain('s3cret')
    expect(error.details['errno']).toBe('ECONNRESET')
  })

  it('says that no TLS is spoken', async () => {
    answer = (_request, response) => response.end()
    const error = await failure(exchange(new URL(base.href.replace('http:', 'https:')), { method: 'GET' }))
    expect(error.details['errno']).toBe('EPROTO')
  })

  it('says that nobody listens', async () => {
    const other = net.createServer()
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    await new Promise(resolve => other.close(resolve))
    const error = await failure(exchange(new URL(`http://127.0.0.1:${port}/`), { method: 'GET' }))
    expect(error.details['errno']).toBe('ECONNREFUSED')
  })

  it('is the wish to stop, before and while an answer is read', async () => {
    expect(await codeOfAsync(exchange(base, { method: 'GET', signal: AbortSignal.abort(new Error('enough')) }))).toBe(
      'HTTP_FAILED',
    )
    const stop = new AbortController()
    answer = (_request, response) => response.writeHead(200).write('x')
    const given = await exchange(base, { method: 'GET', signal: stop.signal })
    stop.abort(new Error('enough'))
    expect((await failure(readAnswer(given, 10, 'x'))).message).toContain('enough')
  })
})

it('an address is shown without what may be secret', () => {
  expect(displayUrl(new URL('https://user:pass@a.example:5000/b/c?sig=1#x'))).toBe('https://a.example:5000/b/c')
})
