import fs from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type ServedRequest,
  type ServerLimits,
  type StaticServer,
  startStaticServer,
} from '../../../src/sys/static-server.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'
import { tempFolder } from '../../support/temp.ts'

/* What clients may do to the server, and what it does to them. */

const root = tempFolder()
const large = path.join(root, 'large')
/** More than what the buffers of both sides of a connection hold. */
const largeBytes = 24 * 1024 * 1024
fs.writeFileSync(path.join(root, 'small'), 'small')
fs.writeFileSync(large, '')
fs.truncateSync(large, largeBytes)

const open: { readonly socket: { destroy: () => void } }[] = []
const servers: StaticServer[] = []
afterEach(async () => {
  for (const { socket } of open.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map(server => server.close()))
})

async function start(limits: Partial<ServerLimits> = {}) {
  const { promise: first, resolve } = Promise.withResolvers<ServedRequest>()
  const server = await startStaticServer({ root, host: '127.0.0.1', port: 0, onRequest: resolve, limits })
  servers.push(server)
  const connect = async (): Promise<RawClient> => {
    const client = await rawClient(Number(new URL(server.url).port))
    open.push(client)
    return client
  }
  return { server, connect, first }
}
const get = (key: string, headers = '') => `GET /${key} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`

/** Ask for the large file and take no more than its beginning. */
async function stalled(client: RawClient): Promise<void> {
  client.send(get('large'))
  await client.has('\r\n\r\n')
  client.socket.pause()
}

describe('a client', () => {
  it('gets the answers to what it sent at once one after the other', async () => {
    const client = await (await start()).connect()
    client.send(get('small') + get('nothing') + get('small', 'Connection: close\r\n'))
    const text = await client.ended
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200'])
  })

  it('may send only so much before it takes an answer', async () => {
    const { connect, first } = await start({ waiting: 3 })
    const client = await connect()
    await stalled(client)
    client.send(get('small').repeat(4))
    expect((await first).sizeBytes).toBeLessThan(largeBytes)
  })

  it('is not waited for when it takes nothing', async () => {
    const { connect, first } = await start({ pieceMs: 50 })
    await stalled(await connect())
    const { status, sizeBytes } = await first
    expect(status).toBe(200)
    expect(sizeBytes).toBeLessThan(largeBytes)
  })

  it('is not waited for when it sends half a request', async () => {
    const client = await (await start({ headMs: 40 })).connect()
    client.send('GET /small HTTP/1.1\r\nHost:')
    expect(await client.ended).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('is not waited for when it sends nothing', async () => {
    const client = await (await start({ idleMs: 40 })).connect()
    expect(await client.ended).toBe('')
  })

  it('may not send a head without an end', async () => {
    const client = await (await start()).connect()
    client.send(get('small', `X: ${'x'.repeat(17 * 1024)}\r\n`))
    expect(await client.ended).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('is not asked for a body, nor is one read', async () => {
    const client = await (await start()).connect()
    client.send('PUT /small HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n')
    const text = await client.ended
    expect(text).toMatch(/^HTTP\/1\.1 405 /)
    expect(text.toLowerCase()).toContain('connection: close')
  })

  it('cannot hide a request in a body', async () => {
    const client = await (await start()).connect()
    const hidden = get('nothing')
    client.send(get('small', `Content-Length: ${hidden.length}\r\n`) + hidden)
    expect((await client.ended).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200'])
  })

  it('is turned away when there are too many', async () => {
    const { connect } = await start({ connections: 1 })
    const first = await connect()
    expect(await (await connect()).ended).toBe('')
    first.send(get('small', 'Connection: close\r\n'))
    expect(await first.ended).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('notices that a file became shorter', async () => {
    const shrinking = path.join(root, 'shrinking')
    fs.copyFileSync(large, shrinking, fs.constants.COPYFILE_FICLONE)
    const { connect, first } = await start()
    const client = await connect()
    client.send(get('shrinking'))
    await client.has('\r\n\r\n')
    client.socket.pause()
    fs.truncateSync(shrinking, 1024)
    client.socket.resume()
    await client.ended
    expect((await first).sizeBytes).toBeLessThan(largeBytes)
  })
})

describe('the end of a server', () => {
  it('lets downloads end that are on their way, and nobody in', async () => {
    const { server, connect, first } = await start()
    const client = await connect()
    const idle = await connect()
    await stalled(client)
    const closed = server.close({ graceMs: 60_000 })
    await idle.ended
    await expect(connect()).rejects.toThrow('ECONNREFUSED')
    client.socket.removeAllListeners('data').resume()
    await closed
    expect((await first).sizeBytes).toBeGreaterThan(largeBytes)
  })

  it('does not wait for ever', async () => {
    const { server, connect, first } = await start()
    await stalled(await connect())
    await server.close({ graceMs: 20 })
    expect((await first).sizeBytes).toBeLessThan(largeBytes)
  })
})
