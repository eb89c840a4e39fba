import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openGateBefore } from '../support/gate-front.ts'
import { gateSettings } from '../support/gate-settings.ts'
import { rawClient } from '../support/raw-client.ts'
import { until } from '../support/toy-prefix.ts'

const servers: net.Server[] = []
const sockets = new Set<net.Socket>()
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
})

/** What an application got on one of its connections. */
interface AppConnection {
  readonly socket: net.Socket
  text: string
  isEnded: boolean
}

/** An application in bytes: told of all that came on a connection each time that more comes. */
async function bareApp(heard: (connection: AppConnection) => void) {
  const connections: AppConnection[] = []
  const server = net.createServer(socket => {
    const connection: AppConnection = { socket, text: '', isEnded: false }
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      connection.isEnded = true
    })
    let isFirst = true
    socket.on('data', piece => {
      // The gate asks whether somebody accepts by connecting and saying nothing.
      if (isFirst) connections.push(connection)
      isFirst = false
      connection.text += piece.toString('latin1')
      heard(connection)
    })
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as net.AddressInfo).port, connections }
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
const ok = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`

/** Answer each request that has no body with its number on the connection. */
function answerGets(connection: AppConnection & { answered?: number }): void {
  const asked = connection.text.split(' HTTP/1.1\r\n').length - 1
  for (let count = connection.answered ?? 0; count < asked; count += 1) connection.socket.write(ok(`answer ${count}`))
  connection.answered = asked
}

describe('connections to the application', () => {
  it('are used again, the last one that became free first', async () => {
    const app = await bareApp(() => {})
    const { port } = await openGateBefore(app.port)
    const clients = [await rawClient(port), await rawClient(port)]
    for (const [index, client] of clients.entries()) {
      client.send(get(`/${index}`))
      await until(async () => app.connections.length === index + 1)
    }
    for (const index of [1, 0]) {
      app.connections[index]!.socket.write(ok('first'))
      await clients[index]!.has('first')
    }
    clients[1]!.send(get('/again'))
    await until(async () => app.connections[0]!.text.includes('/again'))
    expect(app.connections).toHaveLength(2)
  })

  it('are not used again once the application has ended them, whatever the method', async () => {
    const app = await bareApp(connection => connection.socket.write(ok('once'), () => connection.socket.end()))
    const { port } = await openGateBefore(app.port)
    for (const count of [1, 2]) {
      const client = await rawClient(port)
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx')
      await client.has('once')
      await until(async () => app.connections[count - 1]?.isEnded)
    }
    expect(app.connections).toHaveLength(2)
  })

  it('end with the application that they are for', async () => {
    const app = await bareApp(answerGets)
    const { port, front } = await openGateBefore(app.port)
    const client = await rawClient(port)
    client.send(get('/'))
    await client.has('answer 0')
    front.serviceExpected()
    await until(async () => app.connections[0]?.isEnded)
  })

  it.each(['v1', 'v2'] as const)(
    'begin with who the client is, and serve it alone (PROXY protocol %s)',
    async version => {
      const app = await bareApp(answerGets)
      const upstream = { ...gateSettings.upstream, proxyProtocol: version }
      const { port } = await openGateBefore(app.port, { upstream })
      const clients = [await rawClient(port), await rawClient(port)]
      for (const round of [0, 1]) {
        for (const client of clients) {
          client.send(get(`/${round}`))
          await client.has(`answer ${round}`)
        }
      }
      expect(app.connections).toHaveLength(2)
      for (const [index, { text }] of app.connections.entries()) {
        const from = clients[index]!.socket.localPort!
        if (version === 'v1') expect(text).toContain(`PROXY TCP4 127.0.0.1 127.0.0.1 ${from} ${port}\r\nGET /0 `)
        else {
          const header = Buffer.from(text, 'latin1').subarray(0, 28)
          expect([header.readUInt16BE(24), header.readUInt16BE(26)]).toEqual([from, port])
          expect(text.slice(28)).toMatch(/^GET \/0 /)
        }
      }
    },
  )
})

describe('an application that', () => {
  it('says nothing in time costs a 504, and not the connection of the client', async () => {
    const app = await bareApp(connection => {
      if (connection.text.includes('/soon')) connection.socket.write(ok('well'))
    })
    const { port } = await openGateBefore(app.port, { upstream: { ...gateSettings.upstream, timeoutMs: 60 } })
    const client = await rawClient(port)
    client.send(get('/never'))
    expect(await client.has('in time')).toMatch(/^HTTP\/1\.1 504 /)
    await until(async () => app.connections[0]?.isEnded)
    client.send(get('/soon'))
    await client.has('well')
  })

  it('answers before it has the body is believed, and the connection of the client goes on behind the body', async () => {
    const app = await bareApp(connection => {
      if (!connection.text.includes('/late')) connection.socket.write(ok('enough'))
      else connection.socket.write(ok('next'))
    })
    const { port } = await openGateBefore(app.port)
    const client = await rawClient(port)
    client.send('POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
    await client.has('enough')
    client.send('x'.repeat(1_000_000) + get('/late'))
    await client.has('next')
    expect(app.connections).toHaveLength(2)
  })

  it('answers early gets no more of a body than it is told to wait for', async () => {
    const app = await bareApp(connection =>
      connection.socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'),
    )
    const { port } = await openGateBefore(app.port)
    const client = await rawClient(port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
    expect(await client.ended).toMatch(/^HTTP\/1\.1 413 [\s\S]*Connection: close\r\n\r\n$/)
  })
})

describe('a request', () => {
  it('reaches the application with its trailers, and its chunks without what nobody needs', async () => {
    const app = await bareApp(connection => {
      if (connection.text.endsWith('X-Sum: 1\r\n\r\n')) connection.socket.write(ok('whole'))
    })
    const { port } = await openGateBefore(app.port)
    const client = await rawClient(port)
    client.send('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;a=b\r\nabc\r\n')
    client.send('2\r\nde\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n')
    await client.has('whole')
    expect(app.connections[0]!.text).toMatch(/\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n$/)
  })

  it('whose body breaks off or is malformed is cut for the application, and never looks whole', async () => {
    const app = await bareApp(() => {})
    const { port } = await openGateBefore(app.port)
    const start = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'
    const malformed = await rawClient(port)
    malformed.send(start)
    await until(async () => app.connections[0]?.text.endsWith('abc\r\n'))
    malformed.send('zz\r\n')
    expect(await malformed.ended).toMatch(/^HTTP\/1\.1 400 /)
    const gone = await rawClient(port)
    gone.send(start)
    await until(async () => app.connections[1]?.text.endsWith('abc\r\n'))
    gone.socket.resetAndDestroy()
    await until(async () => app.connections.every(({ isEnded }) => isEnded))
    expect(app.connections.map(({ text }) => text.includes('0\r\n\r\n'))).toEqual([false, false])
  })
})
