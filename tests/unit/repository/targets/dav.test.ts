import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DavClient } from '../../../../src/repository/targets/dav.ts'
import { systemTransferTools } from '../../../../src/repository/targets/tools.ts'
import { codeOf } from '../../../support/codes.ts'
import { tempFolder } from '../../../support/temp.ts'

type Respond = (request: http.IncomingMessage, response: http.ServerResponse) => void

let respond: Respond
let seen: http.IncomingMessage[]
let waits: number[]
let environment: Readonly<Record<string, string>>
const servers: http.Server[] = []

async function listen(): Promise<URL> {
  const server = http.createServer((request, response) => {
    seen.push(request)
    respond(request, response)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base`)
}

let [base, other] = [new URL('http://x'), new URL('http://x')]
beforeAll(async () => {
  ;[base, other] = [await listen(), await listen()]
  const file = path.join(tempFolder(), 'netrc')
  fs.writeFileSync(file, 'machine 127.0.0.1 login a password b\nmachine a.example login a password b', { mode: 0o600 })
  environment = { NETRC: file }
})
beforeEach(() => {
  seen = []
  waits = []
})
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

function client(url = base): DavClient {
  const wait = async (durationMs: number) => void waits.push(durationMs)
  return new DavClient(url, environment, { ...systemTransferTools, wait, random: () => 0 })
}

const get = { method: 'GET', key: 'a b/c', expect: [200] } as const

describe('a request', () => {
  it('goes below the address, with the credentials of its host', async () => {
    respond = (_request, response) => response.end()
    await client().ask(get)
    expect(seen[0]?.url).toBe('/base/a%20b/c')
    expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from('a:b').toString('base64')}`)
  })

  it('is redirected for reading, without the credentials to anybody else, and not with them back', async () => {
    const [there, back] = [`${other.origin}/there`, `${base.origin}/back`]
    const next: Record<string, string> = { '/base/a%20b/c': '/own', '/own': there, '/there': back }
    respond = ({ url }, response) => {
      const to = next[url ?? '']
      response.writeHead(to === undefined ? 200 : 302, to === undefined ? {} : { location: to }).end()
    }
    await client().ask(get)
    expect(seen.map(({ url, headers }) => [url, headers.authorization !== undefined])).toEqual([
      ['/base/a%20b/c', true],
      ['/own', true],
      ['/there', false],
      ['/back', false],
    ])
  })

  it.each(['ftp://a.example/', 'http://u:p@127.0.0.1/', 'http://['])('is not redirected to %s', async location => {
    respond = (_request, response) => response.writeHead(302, { location }).end()
    await expect(client().ask(get)).rejects.toMatchObject({ code: 'TARGET_REFUSED' })
  })

  it('is not redirected without end, and not at all for writing', async () => {
    respond = (_request, response) => response.writeHead(307, { location: '/again' }).end()
    await expect(client().ask(get)).rejects.toMatchObject({ code: 'TARGET_REFUSED', details: { status: 307 } })
    expect(seen).toHaveLength(6)
    const put = { method: 'PUT', key: 'a', expect: [201], body: Buffer.from('x') } as const
    await expect(client().ask(put)).rejects.toMatchObject({ code: 'TARGET_REFUSED' })
    expect(seen).toHaveLength(7)
  })

  it('is made again after what may pass, as late as the server asks', async () => {
    const answers = [503, 429, 500]
    respond = (_request, response) => {
      const status = answers.shift()
      if (status === undefined) response.end()
      else response.writeHead(status, status === 429 ? { 'retry-after': '7' } : {}).end()
    }
    expect((await client().ask(get)).attempt).toBe(4)
    expect(waits).toEqual([250, 7000, 1000])
  })

  it('is not made again for ever, nor after what does not pass, nor when the server asks for too long a wait', async () => {
    respond = (_request, response) => response.writeHead(503).end()
    await expect(client().ask(get)).rejects.toMatchObject({ code: 'TARGET_UNAVAILABLE' })
    expect(seen).toHaveLength(6)
    respond = (_request, response) => response.writeHead(403).end()
    await expect(client().ask(get)).rejects.toMatchObject({ code: 'TARGET_REFUSED' })
    expect(seen).toHaveLength(7)
    respond = (_request, response) => response.writeHead(503, { 'retry-after': '600' }).end()
    await expect(client().ask(get)).rejects.toMatchObject({ code: 'TARGET_UNAVAILABLE' })
    expect(seen).toHaveLength(8)
  })

  it('that a server does not know is told with what lets it', async () => {
    respond = (_request, response) => response.writeHead(405).end()
    const put = { method: 'PUT', key: 'a', expect: [201], body: Buffer.from('x') } as const
    await expect(client().ask(put)).rejects.toMatchObject({ hint: expect.stringContaining('dav_methods') })
  })
})

describe('a write', () => {
  it('makes the folders that a server of the standard does not, where they are missing', async () => {
    const folders = new Set(['/base/', '/base/a/'])
    respond = ({ method, url = '' }, response) => {
      const isThere = folders.has(url)
      const isPlaced = folders.has(url.replace(/[^/]+\/?$/, ''))
      if (method === 'MKCOL' && !isThere && isPlaced) folders.add(url)
      response.writeHead(isThere ? 405 : isPlaced ? 201 : 409).end()
    }
    const put = { method: 'PUT', key: 'a/b/c/d', expect: [201], body: Buffer.from('x') } as const
    expect((await client().write(put)).status).toBe(201)
    expect(seen.map(({ method, url }) => `${method} ${url?.replace('/base/', '')}`)).toEqual([
      'PUT a/b/c/d',
      ...['a/', 'a/b/', 'a/b/c/'].map(folder => `MKCOL ${folder}`),
      'PUT a/b/c/d',
    ])
    respond = ({ method }, response) => response.writeHead(method === 'PUT' ? 409 : 405).end()
    await expect(client().write(put)).rejects.toMatchObject({ code: 'TARGET_REFUSED', details: { status: 409 } })
  })
})

describe('an address', () => {
  it('holds no password and no query', () => {
    expect(codeOf(() => client(new URL('https://u:p@a.example/')))).toBe('TARGET_CREDENTIALS')
    expect(codeOf(() => client(new URL('https://a.example/?token=x')))).toBe('TARGET_UNKNOWN')
  })

  it('is not sent a password without TLS, but on this machine', () => {
    expect(codeOf(() => client(new URL('http://a.example/')))).toBe('TARGET_CREDENTIALS')
    expect(client(new URL('https://a.example/')).name).toBe('https://a.example/')
    expect(client(new URL('http://b.example/x')).name).toBe('http://b.example/x')
  })
})
