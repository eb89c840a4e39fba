import http from 'node:http'
import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Front } from '../../src/gate/front/front.ts'
import { type FrontSettings, frontSettings } from '../../src/gate/front/settings.ts'
import { systemTimers } from '../../src/gate/machine/timers.ts'
import { gate as recipeGate } from '../../src/recipe/schema/gate.ts'
import { rawClient } from '../support/raw-client.ts'
import { until } from '../support/toy-prefix.ts'

const settings: FrontSettings = {
  ...frontSettings(recipeGate.parse({})),
  hold: { requests: 100, bytes: 10_000_000, ageMs: 20_000 },
  rampPerSecond: 1000,
  healthPaths: ['/up'],
}

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function listening(server: net.Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.close()
    if (server instanceof http.Server) server.closeAllConnections()
  })
  return (server.address() as net.AddressInfo).port
}

/** A gate before an application that is made here. */
async function gateBefore(app: http.RequestListener | net.Server, changes: Partial<FrontSettings> = {}) {
  const server = app instanceof net.Server ? app : http.createServer(app)
  const appPort = await listening(server)
  const front = new Front({
    settings: { ...settings, ...changes },
    timers: systemTimers,
    random: () => 0,
    closesConnections: false,
  })
  cleanups.push(() => {
    void front.stopAccepting()
    front.closeAllConnections()
  })
  const address = await front.listen({ kind: 'address', address: { kind: 'tcp', host: '127.0.0.1', port: 0 } })
  const port = address.kind === 'tcp' ? address.port : 0
  front.serviceAt({ kind: 'tcp', host: '127.0.0.1', port: appPort })
  return { front, port, url: `http://127.0.0.1:${port}`, server, appPort }
}

const echo: http.RequestListener = async (request, response) => {
  let sizeBytes = 0
  for await (const piece of request) sizeBytes += piece.length
  response.end(JSON.stringify({ method: request.method, path: request.url, sizeBytes }))
}

const held = (front: Front, count: number) => until(async () => front.counters().heldNow === count)

describe('holding', () => {
  it('keeps a POST whole while it waits, body in the kernel, and answers it afterwards', async () => {
    const { front, url } = await gateBefore(echo)
    front.enter('hold')
    const answer = fetch(`${url}/upload`, { method: 'POST', body: 'x'.repeat(3_000_000) })
    await held(front, 1)
    expect(front.counters().heldBytes).toBeLessThan(70_000)
    front.enter('pass')
    expect(await (await answer).json()).toEqual({ method: 'POST', path: '/upload', sizeBytes: 3_000_000 })
    expect(front.counters()).toMatchObject({ held: 1, released: 1, backedOff: 0 })
  })

  it('releases oldest first', async () => {
    const order: string[] = []
    const { front, url } = await gateBefore(
      (request, response) => {
        order.push(request.url!)
        response.end()
      },
      { rampPerSecond: 50 },
    )
    front.enter('hold')
    const answers: Promise<Response>[] = []
    for (let index = 0; index < 8; index += 1) {
      answers.push(fetch(`${url}/${index}`))
      await held(front, index + 1)
    }
    front.enter('pass')
    await Promise.all(answers)
    expect(order).toEqual(['/0', '/1', '/2', '/3', '/4', '/5', '/6', '/7'])
  })

  it('turns the newest away when it is full, in a way that they come back', async () => {
    const { front, url } = await gateBefore(echo, { hold: { ...settings.hold, requests: 2 } })
    front.enter('hold')
    const waiting = [fetch(url), fetch(url)]
    await held(front, 2)
    const refused = await fetch(url)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('30')
    front.enter('pass')
    expect((await Promise.all(waiting)).map(answer => answer.status)).toEqual([200, 200])
  })

  it('turns away who has waited too long', async () => {
    const { front, url } = await gateBefore(echo, { hold: { ...settings.hold, ageMs: 50 } })
    front.enter('hold')
    expect((await fetch(url)).status).toBe(503)
    expect(front.counters()).toMatchObject({ held: 1, backedOff: 1, heldNow: 0 })
  })

  it('forgets clients that hang up, and never sends their requests', async () => {
    let asked = 0
    const { front, port } = await gateBefore((_request, response) => {
      asked += 1
      response.end()
    })
    front.enter('hold')
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await held(front, 1)
    client.socket.destroy()
    await held(front, 0)
    front.enter('pass')
    expect(asked).toBe(0)
    expect(front.counters()).toMatchObject({ abandoned: 1, released: 0 })
  })

  it('answers outer health checks meanwhile', async () => {
    const { front, url } = await gateBefore(echo)
    front.enter('hold')
    const health = await fetch(`${url}/up`)
    expect([health.status, await health.text()]).toEqual([200, 'ok\n'])
  })

  it('sends all that wait away when it turns into backoff', async () => {
    const { front, url } = await gateBefore(echo)
    front.enter('hold')
    const waiting = [fetch(url), fetch(url, { method: 'POST', body: 'x' })]
    await held(front, 2)
    front.enter('backoff')
    expect((await Promise.all(waiting)).map(answer => answer.status)).toEqual([503, 503])
  })

  it('sends no 100 to a client that expects one before its body can go on', async () => {
    const { front, port } = await gateBefore(echo)
    front.enter('hold')
    const client = await rawClient(port)
    client.send(
      'POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
    )
    await held(front, 1)
    expect(client.text()).toBe('')
    front.enter('pass')
    await client.has('HTTP/1.1 100 Continue\r\n\r\n')
    client.send('hello')
    expect(await client.ended).toContain('"sizeBytes":5')
  })

  it('holds an upgrade as well, and carries bytes both ways after it', async () => {
    const app = http.createServer()
    app.on('upgrade', (request, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
      )
      socket.pipe(socket)
    })
    const { front, port } = await gateBefore(app)
    front.enter('hold')
    const client = await rawClient(port)
    client.send('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await held(front, 1)
    front.enter('pass')
    await client.has('101 Switching Protocols')
    client.send('ping')
    await client.has('ping')
    expect(front.counters()).toMatchObject({ streams: 1, inFlight: 0 })
    const drained = front.drain({ timeoutMs: 5000, streamsMs: 0 })
    await client.ended
    expect(await drained).toMatchObject({ ok: true })
  })
})

describe('turning away', () => {
  it('lets the client read the answer although it is still sending', async () => {
    const { front, port } = await gateBefore(echo)
    front.enter('backoff')
    const client = await rawClient(port)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n${'x'.repeat(1_000_000)}`)
    const head = await client.has('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1.1 503 /)
    expect(head).toContain('Connection: close')
    client.send('x'.repeat(1_000_000))
    expect(await client.ended).toMatch(/"error":"unavailable"/)
  })

  it('keeps the connection when the request was read whole', async () => {
    const { front, port } = await gateBefore(echo)
    front.enter('backoff')
    const client = await rawClient(port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello')
    await client.has('unavailable')
    front.enter('pass')
    client.send('GET /again HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.has('"path":"/again"')
    expect(client.text()).not.toContain('Connection: close')
  })

  it('ends connections while draining', async () => {
    const { front, port } = await gateBefore(echo)
    front.enter('drain')
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.ended).toContain('Connection: close')
  })

  it('answers HEAD without a body', async () => {
    const { front, port } = await gateBefore(echo)
    front.enter('backoff')
    const client = await rawClient(port)
    client.send('HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(await client.ended).toMatch(/Content-Length: \d+\r\n[\s\S]*\r\n\r\n$/)
  })
})

describe('an application that is not there', () => {
  it('is waited for, and gets what waited once it accepts', async () => {
    const { front, url, server, appPort } = await gateBefore(echo)
    expect((await fetch(url)).status).toBe(200)
    await new Promise<void>(resolve => {
      server.close(() => resolve())
      ;(server as http.Server).closeAllConnections()
    })
    const answers = [fetch(`${url}/a`), fetch(`${url}/b`, { method: 'POST', body: 'hello' })]
    await held(front, 2)
    const again = http.createServer(echo)
    await new Promise<void>(resolve => again.listen(appPort, '127.0.0.1', resolve))
    cleanups.push(() => {
      again.close()
      again.closeAllConnections()
    })
    expect(await Promise.all(answers.map(async answer => (await answer).json()))).toEqual([
      { method: 'GET', path: '/a', sizeBytes: 0 },
      { method: 'POST', path: '/b', sizeBytes: 5 },
    ])
    expect(front.counters()).toMatchObject({ backedOff: 0, inFlight: 0, heldNow: 0 })
  })

  it('is not waited for when none is to be expected', async () => {
    const { front, url } = await gateBefore(echo)
    front.serviceAbsent()
    expect((await fetch(url)).status).toBe(503)
  })
})

describe('an application that breaks its connections', () => {
  /** An application that answers the first request of a connection and cuts the connection at the second. */
  function fickle(seen: string[]): net.Server {
    return net.createServer(socket => {
      let count = 0
      socket.on('error', () => {})
      socket.on('data', piece => {
        seen.push(piece.toString('latin1').split('\r\n')[0]!)
        count += 1
        if (count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        else socket.destroy()
      })
    })
  }

  it('is asked once more for what may be asked twice', async () => {
    const seen: string[] = []
    const { url } = await gateBefore(fickle(seen))
    expect((await fetch(`${url}/1`)).status).toBe(200)
    expect((await fetch(`${url}/2`)).status).toBe(200)
    expect(seen).toEqual(['GET /1 HTTP/1.1', 'GET /2 HTTP/1.1', 'GET /2 HTTP/1.1'])
  })

  it('is never asked twice for anything else', async () => {
    const seen: string[] = []
    const { url } = await gateBefore(fickle(seen))
    expect((await fetch(`${url}/1`)).status).toBe(200)
    expect((await fetch(`${url}/2`, { method: 'POST' })).status).toBe(502)
    expect(seen).toEqual(['GET /1 HTTP/1.1', 'POST /2 HTTP/1.1'])
  })

  it('breaks the client’s connection too when an answer has begun: it must not look whole', async () => {
    const { port } = await gateBefore((_request, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('half', () => response.destroy())
    })
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const text = await client.ended
    expect(text.endsWith('half')).toBe(true)
  })

  it('answers 502 as a problem when it speaks no HTTP', async () => {
    const { url } = await gateBefore(net.createServer(socket => socket.on('error', () => {}).end('hello\r\n\r\n')))
    const answer = await fetch(url)
    expect(answer.status).toBe(502)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  })
})

describe('streams', () => {
  it('pass through as they come, and end in good order when the application is to be emptied', async () => {
    const { front, port } = await gateBefore((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: first\n\n')
    })
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.has('data: first')
    expect(front.counters()).toMatchObject({ streams: 1, inFlight: 0 })
    front.enter('hold')
    expect(await front.drain({ timeoutMs: 5000, streamsMs: 10 })).toEqual({
      ok: true,
      evidence: '0 in flight, 1 streams ended',
    })
    await client.has('\r\n0\r\n\r\n')
  })

  it('do not grow without end when the client reads slowly', async () => {
    let sentBytes = 0
    const piece = Buffer.alloc(65_536)
    const { port } = await gateBefore((_request, response) => {
      const push = () => {
        while (sentBytes < 200_000_000) {
          sentBytes += piece.length
          if (!response.write(piece)) break
        }
      }
      response.on('drain', push)
      push()
    })
    const client = await rawClient(port)
    client.socket.pause()
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    let before = -1
    await until(async () => {
      await new Promise(resolve => setTimeout(resolve, 50))
      const isStill = sentBytes > 0 && sentBytes === before
      before = sentBytes
      return isStill
    })
    expect(sentBytes).toBeLessThan(50_000_000)
  })

  it('are told of a client that hangs up', async () => {
    let gone = false
    const { front, port } = await gateBefore((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: x\n\n')
      response.once('close', () => {
        gone = true
      })
    })
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.has('data: x')
    client.socket.destroy()
    await until(async () => gone)
    expect(front.counters()).toMatchObject({ streams: 0, inFlight: 0 })
  })
})

describe('draining', () => {
  it('waits for what is in flight, not longer than allowed', async () => {
    let finish = () => {}
    const { front, url } = await gateBefore((_request, response) => {
      finish = () => response.end('done')
    })
    const answer = fetch(url)
    await until(async () => front.counters().inFlight === 1)
    front.enter('hold')
    expect(await front.drain({ timeoutMs: 30, streamsMs: 0 })).toEqual({ ok: false, evidence: '1 in flight' })
    const drained = front.drain({ timeoutMs: 5000, streamsMs: 0 })
    finish()
    expect(await drained).toMatchObject({ ok: true })
    expect(await (await answer).text()).toBe('done')
  })
})

describe('what the application gets and what the client gets', () => {
  it('keeps statuses, bodies and fields as they are', async () => {
    const { port } = await gateBefore((request, response) => {
      if (request.url === '/204') response.writeHead(204, { 'x-a': '1' }).end()
      else if (request.url === '/304') response.writeHead(304, { etag: '"e"' }).end()
      else response.writeHead(299, 'Own Words', ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end('body')
    })
    const client = await rawClient(port)
    client.send(
      'GET /204 HTTP/1.1\r\nHost: a\r\n\r\nGET /304 HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n',
    )
    await client.has('304 Not Modified')
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const text = await client.ended
    expect(text).toContain('HTTP/1.1 204 No Content\r\nx-a: 1\r\n')
    expect(text).toContain('etag: "e"')
    expect(text.match(/299 Own Words/g)).toHaveLength(2)
    expect(text).toContain('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n')
    expect(text.match(/body/g)).toHaveLength(1)
  })

  it('carries chunks both ways', async () => {
    const { port } = await gateBefore(echo)
    const client = await rawClient(port)
    client.send('PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n')
    client.send('2\r\nde\r\n0\r\n\r\n')
    expect(await client.ended).toContain('"sizeBytes":5')
  })

  it.each([
    [
      'length beside chunks',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['differing lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc', 400],
    ['another coding', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc', 501],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['a bare CR', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n', 400],
    ['bare LF', 'GET / HTTP/1.1\nHost: a\n\n', 400],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['another version', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    ['CONNECT', 'CONNECT b:1 HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    ['fields without end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
  ])('refuses %s, and ends the connection', async (_name, bytes, status) => {
    let asked = 0
    const { port } = await gateBefore((_request, response) => {
      asked += 1
      response.end()
    })
    const client = await rawClient(port)
    client.send(bytes)
    expect(await client.ended).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(asked).toBe(0)
  })
})
