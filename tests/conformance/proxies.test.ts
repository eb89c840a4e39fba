import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAgents } from '../../src/sys/agents.ts'
import { readBytes } from '../../src/sys/http.ts'
import { type ForwardProxy, forwardProxy } from '../support/forward-proxy.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/* All requests of a server go through the proxies that its environment names. */

const answer: http.RequestListener = (request, response) => void response.end(`${request.headers.host}${request.url}`)
const plain = http.createServer(answer)
let plainProxy: ForwardProxy
const variables = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'] as const

beforeAll(async () => {
  await new Promise<void>(resolve => plain.listen(0, '127.0.0.1', resolve))
  plainProxy = await forwardProxy((plain.address() as AddressInfo).port)
})
beforeEach(() => {
  for (const name of variables) vi.stubEnv(name, undefined)
  plainProxy.requests.length = 0
  plainProxy.refuse = undefined
})
afterAll(() => {
  vi.unstubAllEnvs()
  plain.closeAllConnections()
  plain.close()
})

const read = async (url: string) => (await readBytes(url, 1000))?.toString()
const failure = async (url: string) => await read(url).catch((caught: unknown) => caught)
const withUser = (url: string) => url.replace('//', '//user:s3cret@')

describe('a request without TLS', () => {
  it.each(['HTTP_PROXY', 'http_proxy'])('goes through the proxy that %s names, with its credentials', async name => {
    vi.stubEnv(name, withUser(plainProxy.url))
    expect(await read('http://vendor.example/a')).toBe('vendor.example/a')
    const credentials = Buffer.from('user:s3cret').toString('base64')
    expect(plainProxy.requests).toEqual([`GET http://vendor.example/a Basic ${credentials}`])
  })

  it.each(['vendor.example', '*', '.example', 'other.example, vendor.example'])(
    'does not where NO_PROXY is %s',
    async no => {
      vi.stubEnv('HTTP_PROXY', plainProxy.url)
      vi.stubEnv('NO_PROXY', no)
      expect(await failure('http://vendor.example/a')).toMatchObject({ code: 'HTTP_FAILED' })
      expect(plainProxy.requests).toEqual([])
    },
  )

  it('goes to this machine itself, which a proxy would take for its own', async () => {
    vi.stubEnv('HTTP_PROXY', plainProxy.url)
    const { port } = plain.address() as AddressInfo
    expect(await read(`http://127.0.0.1:${port}/a`)).toBe(`127.0.0.1:${port}/a`)
    expect(await read(`http://localhost:${port}/a`)).toBe(`localhost:${port}/a`)
    expect(plainProxy.requests).toEqual([])
  })

  it.each(['proxy.example', 'socks5://127.0.0.1:1', '127.0.0.1:3128'])(
    'goes nowhere when the proxy is %s',
    async proxy => {
      vi.stubEnv('http_proxy', proxy)
      expect(await failure('http://vendor.example/a')).toMatchObject({ code: 'PROXY_INVALID' })
    },
  )

  it('tells what the proxy refuses, and no secret', async () => {
    vi.stubEnv('HTTP_PROXY', withUser(plainProxy.url))
    plainProxy.refuse = 407
    const error = await failure('http://vendor.example/a')
    expect(error).toMatchObject({ code: 'HTTP_FAILED', details: { status: 407 } })
    expect(JSON.stringify(error) + String(error)).not.toContain('s3cret')
  })
})

describe.skipIf(!needTool('openssl'))('a request with TLS', () => {
  let proxy: ForwardProxy
  let secure: https.Server

  beforeAll(async () => {
    const folder = tempFolder()
    const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=tests', '-addext', 'subjectAltName=DNS:vendor.example', '-days', '2']
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
    execFileSync('openssl', ['req', '-x509', ...newKey, ...subject, '-out', cert], { stdio: 'ignore' })
    const certificate = fs.readFileSync(cert, 'utf8')
    secure = https.createServer({ key: fs.readFileSync(key), cert: certificate }, answer)
    await new Promise<void>(resolve => secure.listen(0, '127.0.0.1', resolve))
    proxy = await forwardProxy((secure.address() as AddressInfo).port)
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), certificate])
  })
  afterAll(() => {
    secure.closeAllConnections()
    secure.close()
  })

  it.each(['HTTPS_PROXY', 'https_proxy'])('goes through a tunnel of the proxy that %s names', async name => {
    vi.stubEnv(name, withUser(proxy.url))
    proxy.requests.length = 0
    expect(await read('https://vendor.example/a')).toBe('vendor.example/a')
    const credentials = Buffer.from('user:s3cret').toString('base64')
    expect(proxy.requests).toEqual([`CONNECT vendor.example:443 Basic ${credentials}`])
  })

  it('is made with the server itself: a proxy that stands in for it is found out', async () => {
    vi.stubEnv('HTTPS_PROXY', proxy.url)
    expect(await failure('https://another.example/a')).toMatchObject({
      code: 'HTTP_FAILED',
      details: { errno: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    })
  })

  it('tells what the proxy refuses, and no secret', async () => {
    vi.stubEnv('HTTPS_PROXY', withUser(proxy.url))
    proxy.refuse = 403
    const error = await failure('https://third.example/a')
    expect(error).toMatchObject({ code: 'HTTP_FAILED', details: { errno: 'ERR_PROXY_TUNNEL' } })
    expect(JSON.stringify(error) + String(error)).not.toContain('s3cret')
  })
})

it('a connection that does not come about is given up', async () => {
  // A server that accepts nothing: the system takes as many connections as it may, and answers no more.
  const listening =
    "const s=require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},()=>console.log(s.address().port))"
  const child = spawn(process.execPath, ['-e', listening], { stdio: ['ignore', 'pipe', 'ignore'] })
  const port = await new Promise<number>(resolve => child.stdout.once('data', data => resolve(Number(data))))
  child.kill('SIGSTOP')
  const filling = Array.from({ length: 4 }, () => net.connect({ host: '127.0.0.1', port }).on('error', () => {}))
  try {
    const { plain: agent } = createAgents({}, 200)
    const error = await new Promise(resolve => http.get({ host: '127.0.0.1', port, agent }).once('error', resolve))
    expect(error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect' })
  } finally {
    for (const socket of filling) socket.destroy()
    child.kill('SIGKILL')
    await new Promise(resolve => child.once('close', resolve))
  }
})
