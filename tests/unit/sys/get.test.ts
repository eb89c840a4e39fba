import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { open, readBytes } from '../../../src/sys/http.ts'
import { codeOfAsync } from '../../support/codes.ts'

const content = Buffer.alloc(1000, 'a')
const seen: { readonly host: string; readonly url: string; readonly headers: http.IncomingHttpHeaders }[] = []
let answer: http.RequestListener
const listen = (host: string) => {
  const server = http.createServer((request, response) => {
    seen.push({ host, url: request.url ?? '', headers: request.headers })
    answer(request, response)
  })
  return { server, start: () => new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve)) }
}
const [first, second] = [listen('first'), listen('second')]
const addressOf = ({ server }: typeof first) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

beforeAll(() => Promise.all([first.start(), second.start()]))
beforeEach(() => {
  seen.length = 0
})
afterAll(() => {
  for (const { server } of [first, second]) {
    server.closeAllConnections()
    server.close()
  }
})

const get = (path = '/', options: Parameters<typeof open>[1] = {}) => open(`${addressOf(first)}${path}`, options)

describe('a redirect', () => {
  it('takes nothing along to another origin but the range', async () => {
    answer = (request, response) => {
      if (request.url === '/') return void response.writeHead(302, { location: '/same' }).end()
      if (request.url === '/same') {
        return void response.writeHead(307, { location: `${addressOf(second)}/other` }).end()
      }
      response.writeHead(206, { 'content-range': 'bytes 5-9/1000' }).end(content.subarray(5, 10))
    }
    const opened = await get('/', { headers: { authorization: 'Bearer s3cret' }, range: { start: 5, end: 10 } })
    expect((await Array.fromAsync(opened!.body)).length).toBe(1)
    expect(seen.map(({ host, url, headers }) => [host, url, headers.authorization, headers.range])).toEqual([
      ['first', '/', 'Bearer s3cret', 'bytes=5-9'],
      ['first', '/same', 'Bearer s3cret', 'bytes=5-9'],
      ['second', '/other', undefined, 'bytes=5-9'],
    ])
  })

  it('back to where it came from takes nothing along either, for another has chosen where to', async () => {
    answer = (request, response) => {
      if (request.url === '/') return void response.writeHead(302, { location: `${addressOf(second)}/other` }).end()
      if (request.url === '/other') return void response.writeHead(302, { location: `${addressOf(first)}/back` }).end()
      response.end(content)
    }
    expect((await readBytes(`${addressOf(first)}/`, 1000, { headers: { 'x-a': 'b' } }))?.byteLength).toBe(1000)
    expect(seen.map(({ url, headers }) => [url, headers['x-a']])).toEqual([
      ['/', 'b'],
      ['/other', undefined],
      ['/back', undefined],
    ])
  })

  it.each([
    ['without an address', {}],
    ['to a file', { location: 'file:///etc/hosts' }],
    ['with credentials', { location: 'http://user:s3cret@127.0.0.1/' }],
    ['in a circle', { location: '/' }],
    ['to what is no address', { location: 'http://[' }],
  ])('%s is not followed', async (_, headers) => {
    answer = (_request, response) => void response.writeHead(302, headers).end()
    const error = await get().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'HTTP_REDIRECT' })
    expect(String(error)).not.toContain('s3cret')
    expect(seen.length).toBeLessThanOrEqual(6)
  })
})

describe('an answer', () => {
  it.each([
    ['gzip', '/a.txt', 'HTTP_ENCODED'],
    ['br', '/a.gz', 'HTTP_ENCODED'],
    ['gzip, gzip', '/a.txt', 'HTTP_ENCODED'],
    ['gzip', '/a.tar.gz?x=1', undefined],
    ['x-gzip', '/a.tgz', undefined],
    ['zstd', '/a.tar.zst', undefined],
    ['identity', '/a.txt', undefined],
  ])('encoded as %s of %s ends in %s, and is never decoded', async (encoding, path, code) => {
    answer = (_request, response) => void response.writeHead(200, { 'content-encoding': encoding }).end(content)
    const reading = readBytes(`${addressOf(first)}${path}`, 1000)
    if (code === undefined) expect((await reading)?.equals(content)).toBe(true)
    else expect(await codeOfAsync(reading)).toBe(code)
  })

  it.each([
    ['the range', 'bytes 10-19/1000', undefined],
    ['less of the range', 'bytes 10-14/1000', undefined],
    ['a range that it does not name', undefined, undefined],
    ['another range', 'bytes 0-9/1000', 'HTTP_FAILED'],
    ['more than the range', 'bytes 10-29/1000', 'HTTP_FAILED'],
    ['no range at all', 'bytes */1000', 'HTTP_FAILED'],
  ])('with %s is taken or refused', async (_, told, code) => {
    answer = (_request, response) => {
      response.writeHead(206, told === undefined ? {} : { 'content-range': told }).end(content.subarray(10, 20))
    }
    expect(await codeOfAsync(get('/', { range: { start: 10, end: 20 } }))).toBe(code)
  })

  it('with a range that nobody asked for is refused', async () => {
    answer = (_request, response) => response.writeHead(206, { 'content-range': 'bytes 0-9/1000' }).end('0123456789')
    expect(await codeOfAsync(get())).toBe('HTTP_FAILED')
  })

  it('that asks for patience says for how long', async () => {
    answer = (_request, response) => void response.writeHead(503, { 'retry-after': '7' }).end()
    await expect(get()).rejects.toMatchObject({ code: 'HTTP_FAILED', details: { status: 503, retryAfterMs: 7000 } })
  })

  it('that drips is given up', async () => {
    answer = (_request, response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write('a'), 5)
      response.once('close', () => clearInterval(drip))
    }
    const opened = await get('/', { pace: { leastBytesPerSecond: 1_000_000, judgedAfterMs: 50 } })
    expect(await codeOfAsync(Array.fromAsync(opened!.body))).toBe('HTTP_SLOW')
  })

  it('that nobody reads lets go of its connection', async () => {
    const closed = new Promise(resolve => {
      answer = (_request, response) => {
        response.once('close', () => resolve(true))
        response.writeHead(200, { 'content-length': 1e9 }).write('x')
      }
    })
    const opened = await get()
    await opened!.body[Symbol.asyncIterator]().return?.()
    expect(await closed).toBe(true)
  })

  it('is waited for as long as its reader takes its time', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 2 }).write('a')
      response.end('b')
    }
    const opened = await get('/', { idleTimeoutMs: 20 })
    const pieces = opened!.body[Symbol.asyncIterator]()
    await pieces.next()
    await new Promise(resolve => setTimeout(resolve, 60))
    for (let result = await pieces.next(); result.done !== true; ) result = await pieces.next()
  })
})
