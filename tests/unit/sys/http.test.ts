import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { open, readBytes, readPersistently, resolveUrl } from '../../../src/sys/http.ts'
import { codeOfAsync } from '../../support/codes.ts'
import { tempFolder } from '../../support/temp.ts'

const content = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256))
const folder = tempFolder()
const file = path.join(folder, 'a b.bin')
fs.writeFileSync(file, content)

/** What the server did with a request; by path. */
const routes: Readonly<Record<string, (request: http.IncomingMessage, response: http.ServerResponse) => void>> = {
  '/ranges': (request, response) => {
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    if (start === undefined) return void response.setHeader('etag', '"v1"').end(content)
    const piece = content.subarray(Number(start), Number(end) + 1)
    response.writeHead(206, {
      'content-range': `bytes ${start}-${end}/${content.length}`,
      'content-length': piece.length,
    })
    response.end(piece)
  },
  '/plain': (_request, response) => void response.end(content),
  '/error': (_request, response) => void response.writeHead(500).end('broken'),
  '/gone': (_request, response) => void response.writeHead(410).end(),
  '/cut': (_request, response) => {
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 100), () => response.destroy())
  },
  '/stalled': (_request, response) => {
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 100))
  },
  '/silent': () => {},
  '/redirect': (_request, response) => void response.writeHead(302, { location: '/plain' }).end(),
  '/headers': (request, response) => void response.end(JSON.stringify(request.headers)),
}

const server = http.createServer((request, response) => {
  const route = routes[request.url ?? '']
  if (route === undefined) response.writeHead(404).end()
  else route(request, response)
})
let base = ''
beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe.each(['http', 'file'] as const)('open %s:', protocol => {
  const url = () => (protocol === 'http' ? `${base}/ranges` : pathToFileURL(file).href)

  it('reads the whole', async () => {
    const opened = await open(url())
    expect(opened).toMatchObject({ status: 200, sizeBytes: content.length })
    expect(Buffer.concat(await Array.fromAsync(opened!.body))).toEqual(content)
  })

  it.each([
    { start: 0, end: 1 },
    { start: 10, end: 20 },
    { start: 990, end: 1000 },
  ])('reads %o', async range => {
    const opened = await open(url(), { range })
    expect(opened).toMatchObject({ status: 206, sizeBytes: range.end - range.start })
    expect(Buffer.concat(await Array.fromAsync(opened!.body))).toEqual(content.subarray(range.start, range.end))
  })

  it('tells that there is no such thing', async () => {
    expect(await open(`${url()}.missing`)).toBeUndefined()
  })

  it('bounds what it reads into memory', async () => {
    expect(await readBytes(url(), content.length)).toEqual(content)
    expect(await codeOfAsync(readBytes(url(), content.length - 1))).toBe('HTTP_TOO_LARGE')
  })
})

describe('open http:', () => {
  it('leaves it to the caller that a server knows no ranges', async () => {
    const opened = await open(`${base}/plain`, { range: { start: 0, end: 10 } })
    expect(opened).toMatchObject({ status: 200, sizeBytes: content.length })
  })

  it('takes 410 like 404', async () => {
    expect(await open(`${base}/gone`)).toBeUndefined()
  })

  it('hands on the etag', async () => {
    expect((await open(`${base}/ranges`))?.etag).toBe('"v1"')
  })

  it('follows redirects', async () => {
    expect(await readBytes(`${base}/redirect`, 5000)).toEqual(content)
  })

  it('asks for the bytes as they are', async () => {
    const headers = JSON.parse(String(await readBytes(`${base}/headers`, 5000, { headers: { 'x-more': '1' } })))
    expect(headers).toMatchObject({ 'accept-encoding': 'identity', 'user-agent': 'cutover', 'x-more': '1' })
  })

  it('tells status and address of an error', async () => {
    await expect(open(`${base}/error`)).rejects.toMatchObject({
      code: 'HTTP_FAILED',
      details: { url: `${base}/error`, status: 500 },
    })
  })

  it('tells a connection that is cut from the end of a body', async () => {
    expect(await codeOfAsync(readBytes(`${base}/cut`, 5000))).toBe('HTTP_FAILED')
  })

  it.each(['/silent', '/stalled'])('does not wait for ever: %s', async route => {
    const reading = readBytes(`${base}${route}`, 5000, { idleTimeoutMs: 50 })
    await expect(reading).rejects.toMatchObject({
      code: 'HTTP_FAILED',
      message: expect.stringContaining('no bytes for 50 ms'),
    })
  })

  it('ends when it is no longer wanted, before and while it reads', async () => {
    const controller = new AbortController()
    const opened = await open(`${base}/stalled`, { signal: controller.signal })
    const reading = Array.fromAsync(opened!.body)
    controller.abort(new Error('no longer wanted'))
    expect(await codeOfAsync(reading)).toBe('HTTP_FAILED')
    expect(await codeOfAsync(open(`${base}/plain`, { signal: controller.signal }))).toBe('HTTP_FAILED')
  })

  it('tells that nobody listens', async () => {
    expect(await codeOfAsync(open('http://127.0.0.1:9/'))).toBe('HTTP_FAILED')
  })

  it('names a folder in the place of a file, and a missing one is none', async () => {
    await expect(open(pathToFileURL(folder).href)).rejects.toThrow(`${folder} is no file`)
    expect(await open(pathToFileURL(path.join(folder, 'none')).href)).toBeUndefined()
  })

  it('reads no other protocols', async () => {
    expect(await codeOfAsync(open('ftp://127.0.0.1/'))).toBe('HTTP_FAILED')
  })
})

it('resolveUrl encodes each segment', () => {
  expect(resolveUrl('http://x/repo', 'pool/a b/1.0.0+1/#?.deb')).toBe('http://x/repo/pool/a%20b/1.0.0%2B1/%23%3F.deb')
  expect(resolveUrl('file:///srv/', 'a')).toBe('file:///srv/a')
})

it('readPersistently reads again where a failure may pass, and gives up', async () => {
  let failures = 0
  const flaky = http.createServer((_request, response) => {
    failures += 1
    response.writeHead(failures % 3 === 0 ? 200 : 503).end('ok')
  })
  await new Promise<void>(resolve => flaky.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(flaky.address() as AddressInfo).port}`
  const retryTools = { wait: async () => {}, random: () => 0 }
  expect((await readPersistently(url, 10, { retryTools }))?.toString()).toBe('ok')
  expect(failures).toBe(3)
  expect(await codeOfAsync(readPersistently(`${base}/error`, 10, { retryTools }))).toBe('HTTP_FAILED')
  expect(await readPersistently(`${base}/gone`, 10)).toBeUndefined()
  flaky.closeAllConnections()
  flaky.close()
})
