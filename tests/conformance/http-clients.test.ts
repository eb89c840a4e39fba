import net from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openGateBefore } from '../support/gate-front.ts'
import { openIdle, startGateProcess } from '../support/gate-process.ts'
import { gateSettings } from '../support/gate-settings.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'
import { type RecordingApp, recordingApp } from '../support/recording-app.ts'
import { until } from '../support/toy-prefix.ts'

/*
 * Clients that cost more than they should: slow ones, endless ones, many of them. Each is told off or cut, the application hears nothing of
 * it, and others are served meanwhile.
 */
let app: RecordingApp
beforeAll(async () => {
  app = await recordingApp()
})
afterAll(() => app.close())

const open = (limits: Partial<typeof gateSettings.limits>) => {
  app.forget()
  return openGateBefore(app.port, { limits: { ...gateSettings.limits, ...limits } })
}

/** Send something again and again until the connection is over. */
function drip(client: RawClient, text: string): void {
  const timer = setInterval(() => {
    if (client.socket.writable) client.send(text)
  }, 20)
  client.socket.on('error', () => {}).once('close', () => clearInterval(timer))
}

const answerOf = (client: RawClient) => client.ended.catch(() => client.text())

describe('a client that is slow', () => {
  it('with a head is told so, however it goes on', async () => {
    const { port } = await open({ headTimeoutMs: 100 })
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n')
    drip(client, 'X: y\r\n')
    expect(await answerOf(client)).toMatch(/^HTTP\/1\.1 408 .*\r\nConnection: close\r\n/s)
    expect(app.seen).toEqual([])
  })

  it('with its first byte has its connection ended', async () => {
    const { port } = await open({ idleTimeoutMs: 100 })
    const client = await rawClient(port)
    expect(await answerOf(client)).toBe('')
  })

  it('with the head of its second request is told so', async () => {
    const { port } = await open({ headTimeoutMs: 100 })
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT')
    const text = await answerOf(client)
    expect(text).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 408 /s)
    expect(app.seen).toHaveLength(1)
  })

  it('with a body is cut, and the application with it', async () => {
    const { port } = await open({ bodyTimeoutMs: 100 })
    const client = await rawClient(port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc')
    expect(await answerOf(client)).toMatch(/^HTTP\/1\.1 408 /)
    expect(app.seen).toEqual([])
    await until(async () => app.cut() > 0)
  })

  it('with reading is cut', async () => {
    const big = net.createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 64000000\r\n\r\n')
        socket.write(Buffer.alloc(64_000_000))
      })
    })
    await new Promise<void>(resolve => big.listen(0, '127.0.0.1', resolve))
    const limits = { ...gateSettings.limits, bodyTimeoutMs: 100 }
    const { port, records } = await openGateBefore((big.address() as net.AddressInfo).port, { limits })
    const client = await rawClient(port)
    client.socket.pause()
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(async () => records.length === 1)
    expect(records[0]).toMatchObject({ outcome: 'abandoned' })
    client.socket.destroy()
    big.close()
  })

  it('but makes progress is served', async () => {
    const { port } = await open({ headTimeoutMs: 100, bodyTimeoutMs: 1000 })
    const client = await rawClient(port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nConnection: close\r\n\r\n')
    for (let at = 0; at < 12; at += 1) {
      await new Promise(resolve => setTimeout(resolve, 20))
      client.send('x')
    }
    expect(await client.ended).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('a client that does not stop', () => {
  it.each([
    ['with fields', 'X: y\r\n', 431],
    ['with one field', 'y'.repeat(1000), 431],
  ])('%s is told off after what a head may have', async (_what, text, status) => {
    const { port } = await open({})
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\nX: ')
    client.socket.on('error', () => {})
    let sentBytes = 0
    while (client.text() === '' && sentBytes < 10_000_000) {
      client.send(text.repeat(10))
      sentBytes += text.length * 10
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(client.text()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(app.seen).toEqual([])
    client.socket.destroy()
  })

  it('with empty lines is cut in the end', async () => {
    const { port } = await open({ headTimeoutMs: 200, idleTimeoutMs: 200 })
    const client = await rawClient(port)
    drip(client, '\r\n\r\n')
    await answerOf(client)
    expect(app.seen).toEqual([])
  })
})

describe('many clients', () => {
  it('are as many as may be, and one more when one has left', async () => {
    const { port } = await open({ connections: 3 })
    const clients = await openIdle(port, 3)
    const refused = await rawClient(port)
    expect(await answerOf(refused)).toBe('')
    clients[0]!.destroy()
    await until(async () => {
      const next = await rawClient(port)
      next.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      return (await answerOf(next)).startsWith('HTTP/1.1 200')
    })
    for (const client of clients) client.destroy()
  })

  it('that wait take little memory each', async () => {
    const gate = await startGateProcess(app.port)
    for (const socket of await openIdle(gate.port, 100)) socket.destroy()
    const before = await gate.memory()
    const count = 1000
    const sockets = await openIdle(gate.port, count)
    const after = await gate.memory()
    expect((after.rssBytes - before.rssBytes) / count).toBeLessThan(32 * 1024)
    expect(after.requests - before.requests).toBe(count)
    for (const socket of sockets) socket.destroy()
    await gate.close()
  })
})
