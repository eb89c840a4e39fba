import { createHash } from 'node:crypto'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openGateBefore } from '../support/gate-front.ts'
import { rawClient } from '../support/raw-client.ts'
import { until } from '../support/toy-prefix.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** A gate before an application that is made here: of requests, or of connections. */
async function gateBefore(app: http.RequestListener | net.Server) {
  const server = app instanceof net.Server ? app : http.createServer(app)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.close()
    if (server instanceof http.Server) server.closeAllConnections()
  })
  return openGateBefore((server.address() as AddressInfo).port)
}

/** An application that answers every request with the same bytes. */
function answering(bytes: string): net.Server {
  return net.createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', piece => {
      for (const _ of piece.toString('latin1').matchAll(/\r\n\r\n/g)) socket.write(bytes, 'latin1')
    })
  })
}

const ask = (method: string, target: string, more = '') => `${method} ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
const closing = 'Connection: close\r\n'

describe('requests in a row', () => {
  it('are answered in their order, however long each takes', async () => {
    const waiting: http.ServerResponse[] = []
    const order: string[] = []
    const { port } = await gateBefore((request, response) => {
      order.push(request.url!)
      response.setHeader('X-Target', request.url!)
      if (request.url === '/slow') waiting.push(response)
      else response.end('b')
    })
    const client = await rawClient(port)
    client.send(ask('GET', '/slow') + ask('GET', '/quick') + ask('GET', '/last', closing))
    await until(async () => waiting.length === 1)
    expect(client.text()).toBe('')
    waiting[0]!.end('a')
    const text = await client.ended
    expect([...text.matchAll(/X-Target: (\S+)/gi)].map(match => match[1])).toEqual(['/slow', '/quick', '/last'])
    expect(order).toEqual(['/slow', '/quick', '/last'])
  })

  it('may begin in the middle of the body before them, byte by byte', async () => {
    const bodies: string[] = []
    const { port } = await gateBefore((request, response) => {
      let body = ''
      request.on('data', piece => {
        body += piece
      })
      request.once('end', () => {
        bodies.push(body)
        response.end('ok')
      })
    })
    const client = await rawClient(port)
    client.socket.setNoDelay(true)
    const chunks = '3\r\nabc\r\n0\r\nX: y\r\n\r\n'
    const all = `${ask('POST', '/a', 'Content-Length: 3\r\n')}xyz${ask('POST', '/b', 'Transfer-Encoding: chunked\r\n')}${chunks}${ask('GET', '/c', closing)}`
    for (const byte of all) {
      client.send(byte)
      await new Promise(resolve => setImmediate(resolve))
    }
    await client.ended
    expect(bodies).toEqual(['xyz', 'abc', ''])
  })
})

describe('an answer', () => {
  it.each([
    ['HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', /^HTTP\/1\.1 200 OK\r\nContent-Length: 5\r\n\r\n/],
    [
      'HEAD, in chunks',
      'HEAD',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      /^HTTP\/1\.1 200 OK\r\n.*?\r\n/s,
    ],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n', /^HTTP\/1\.1 204 No Content\r\nX-A: b\r\n\r\n/],
    [
      '204 with a length',
      'GET',
      'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n',
      /^HTTP\/1\.1 204 No Content\r\n\r\n/,
    ],
    [
      '304 with a length',
      'GET',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
      /^HTTP\/1\.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n/,
    ],
  ])('to %s has no body, and the next one comes after it', async (_what, method, bytes, expected) => {
    const { port } = await gateBefore(answering(bytes))
    const client = await rawClient(port)
    client.send(ask(method, '/first') + ask(method, '/last', closing))
    const text = await client.ended
    expect(text).toMatch(expected)
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(2)
    expect(text).toMatch(/\r\n\r\n$/)
  })

  it('comes after others that tell of it', async () => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n'
    const { port } = await gateBefore(answering(`${hints}${hints}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na`))
    const client = await rawClient(port)
    client.send(ask('GET', '/', closing))
    expect(await client.ended).toMatch(/^(HTTP\/1\.1 103 .*?\r\n\r\n){2}HTTP\/1\.1 200 OK\r\n.*\r\n\r\na$/s)
  })

  it('has its trailers, and chunks as they came', async () => {
    const chunks = '3\r\nabc\r\n2\r\nde\r\n0\r\nX-Digest: f\r\n\r\n'
    const { port } = await gateBefore(answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`))
    const client = await rawClient(port)
    client.send(ask('GET', '/', closing))
    expect((await client.ended).endsWith(`\r\n\r\n${chunks}`)).toBe(true)
  })

  it('ends with its connection for who knows no chunks', async () => {
    const { port } = await gateBefore(
      answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'),
    )
    const client = await rawClient(port)
    client.send('GET / HTTP/1.0\r\n\r\n')
    const text = await client.ended
    expect(text).toMatch(/\r\n\r\nabc$/)
    expect(text).not.toMatch(/transfer-encoding/i)
  })

  it('whose end is that of its connection is put into chunks', async () => {
    const server = net.createServer(socket => {
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nabc'))
    })
    const { port } = await gateBefore(server)
    const client = await rawClient(port)
    client.send(ask('GET', '/', closing))
    expect(await client.ended).toMatch(/Transfer-Encoding: chunked\r\n(?:.*\r\n)?\r\n3\r\nabc\r\n0\r\n\r\n$/s)
  })

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a length beside chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['a NUL', 'HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n'],
    ['a switch that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
    ['something else', 'SSH-2.0-OpenSSH\r\n\r\n'],
  ])('with %s is none: 502 in its place', async (_what, bytes) => {
    const { port } = await gateBefore(answering(bytes))
    const client = await rawClient(port)
    client.send(ask('GET', '/', closing))
    expect(await client.ended).toMatch(/^HTTP\/1\.1 502 /)
  })

  it('that is cut is cut for the client', async () => {
    const server = net.createServer(socket => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'))
    })
    const { port } = await gateBefore(server)
    const client = await rawClient(port)
    client.send(ask('GET', '/'))
    expect((await client.ended.catch(() => client.text())).endsWith('0\r\n\r\n')).toBe(false)
  })

  it('that brings another behind it ends there', async () => {
    const two = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na'
    const { port } = await gateBefore(answering(`${two}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`))
    const client = await rawClient(port)
    client.send(ask('GET', '/first') + ask('GET', '/last', closing))
    expect(await client.ended).not.toContain('evil')
  })
})

describe('a client', () => {
  it('that hangs up ends its request at the application, and is told of as 499', async () => {
    let asked = false
    let gone = false
    const { port, records } = await gateBefore((_request, response) => {
      asked = true
      response.once('close', () => {
        gone = true
      })
    })
    const client = await rawClient(port)
    client.send(ask('GET', '/'))
    await until(async () => asked)
    client.socket.destroy()
    await until(async () => gone && records.length === 1)
    expect(records[0]).toMatchObject({ status: 499, outcome: 'abandoned' })
  })

  it('that waits for a 100 gets it from the application', async () => {
    const { port } = await gateBefore((request, response) => {
      request.resume().once('end', () => response.end('ok'))
    })
    const client = await rawClient(port)
    client.send(ask('POST', '/', `Content-Length: 3\r\nExpect: 100-continue\r\n${closing}`))
    await client.has('HTTP/1.1 100 Continue\r\n\r\n')
    client.send('abc')
    expect(await client.ended).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  })

  it('that waits for a 100 and is refused keeps its body', async () => {
    const server = http.createServer()
    server.on('checkContinue', (_request, response) => response.writeHead(413, { 'Content-Length': 0 }).end())
    const { port } = await gateBefore(server)
    const client = await rawClient(port)
    client.send(ask('POST', '/', 'Content-Length: 3\r\nExpect: 100-continue\r\n'))
    const text = await client.ended
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(text).toMatch(/\r\nConnection: close\r\n/i)
  })

  it('sends no faster than the application reads, whole', async () => {
    const sizeBytes = 48 * 1024 * 1024
    const asked: http.IncomingMessage[] = []
    const digest = createHash('sha256')
    const { port } = await gateBefore((request, response) => {
      asked.push(request)
      request.on('end', () => response.end(digest.digest('hex')))
    })
    const client = await rawClient(port)
    const piece = Buffer.alloc(1024 * 1024, 'cutover ')
    const sent = createHash('sha256')
    client.send(ask('PUT', '/', `Content-Length: ${sizeBytes}\r\n${closing}`))
    for (let at = 0; at < sizeBytes; at += piece.length) {
      sent.update(piece)
      client.socket.write(piece)
    }
    await until(async () => asked.length === 1)
    // Nobody reads: all that has left is in the kernel, and a little in the gate.
    const stuck = await stillness(() => client.socket.writableLength)
    expect(stuck).toBeGreaterThan(sizeBytes / 2)
    asked[0]!.on('data', bytes => digest.update(bytes))
    expect(await client.ended).toContain(sent.digest('hex'))
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
