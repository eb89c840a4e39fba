import { execFile } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toReleaseError } from '../../src/core/error.ts'
import { TlsTerminator } from '../../src/gate/edge/tls-terminator.ts'
import type { FrontSettings } from '../../src/gate/front/settings.ts'
import { makeCertificate } from '../support/certificates.ts'
import { codeOfAsync } from '../support/codes.ts'
import { openGateBefore } from '../support/gate-front.ts'
import { proxyBlock, proxyLine } from '../support/proxy-protocol.ts'
import { rawClient } from '../support/raw-client.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const run = promisify(execFile)

/** An application that tells who asks, as it was told. */
const app = http.createServer((request, response) => {
  response.end(
    JSON.stringify({
      for: request.headers['x-forwarded-for'] ?? null,
      proto: request.headers['x-forwarded-proto'],
      version: request.headers.via,
    }),
  )
})
let appPort = 0
beforeAll(async () => {
  await new Promise<void>(resolve => app.listen(0, '127.0.0.1', resolve))
  appPort = (app.address() as AddressInfo).port
})
afterAll(() => {
  app.close()
  app.closeAllConnections()
})

const ask = (more = '') => `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${more}\r\n`
const bodyOf = (text: string) => JSON.parse(text.slice(text.indexOf('{')))

describe('a listener with the PROXY protocol', () => {
  const open = (changes: Partial<FrontSettings> = {}) =>
    openGateBefore(appPort, { trust: ['127.0.0.1'], ...changes }, { proxyProtocol: true, tls: false })
  const line = proxyLine({ from: '192.0.2.9', to: '198.51.100.1', fromPort: 1234, toPort: 443 })
  const rest6 = Buffer.alloc(36)
  rest6.write('20010db8', 0, 'hex')

  it.each([
    ['version 1', line, '192.0.2.9'],
    ['version 2', proxyBlock({ family: 0x21, rest: rest6 }), '2001:db8::'],
    ['a check of the proxy itself', proxyBlock({ command: 0, family: 0, rest: Buffer.alloc(0) }), '127.0.0.1'],
    ['a client on a unix socket', proxyBlock({ family: 0x31, rest: Buffer.alloc(216) }), null],
  ])('tells the application who the client is: %s', async (_what, header, who) => {
    const { port } = await open()
    const client = await rawClient(port)
    client.send(header.toString('latin1') + ask())
    expect(bodyOf(await client.ended)).toMatchObject({ for: who, proto: 'http' })
  })

  it('takes it in any pieces', async () => {
    const { port, records } = await open()
    const client = await rawClient(port)
    client.socket.setNoDelay(true)
    for (const byte of line.toString('latin1') + ask()) {
      client.send(byte)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(bodyOf(await client.ended)).toMatchObject({ for: '192.0.2.9' })
    expect(records[0]).toMatchObject({ remoteAddress: '192.0.2.9' })
  })

  it('does not believe what that client says of others, although its proxy is believed', async () => {
    const { port } = await open()
    const client = await rawClient(port)
    client.send(line.toString('latin1') + ask('X-Forwarded-For: 203.0.113.1\r\n'))
    expect(bodyOf(await client.ended)).toMatchObject({ for: '192.0.2.9' })
  })

  it.each([
    ['a request', ask()],
    ['another line', `PROXY TCP4 192.0.2.9 1\r\n${ask()}`],
    ['a handshake of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('cuts off who begins with %s', async (_what, bytes) => {
    const { port, records } = await open()
    const client = await rawClient(port)
    client.send(bytes)
    expect(await client.ended.catch(() => client.text())).toBe('')
    expect(records).toEqual([])
  })

  it('cuts off who ends in the middle of it', async () => {
    const { port } = await open()
    const client = await rawClient(port)
    client.socket.end('PROXY TCP4 ')
    expect(await client.ended.catch(() => client.text())).toBe('')
  })

  it('cuts off who is not trusted, whatever it says', async () => {
    const { port, records } = await open({ trust: ['192.0.2.0/24'] })
    const client = await rawClient(port)
    client.send(line.toString('latin1') + ask())
    expect(await client.ended.catch(() => client.text())).toBe('')
    expect(records).toEqual([])
  })

  it('is the only one: elsewhere it is no request', async () => {
    const { port } = await openGateBefore(appPort)
    const client = await rawClient(port)
    client.send(line.toString('latin1') + ask())
    expect(await client.ended).toMatch(/^HTTP\/1\.1 400 /)
  })
})

describe.skipIf(!needTool('openssl', 'curl'))('a listener with TLS', () => {
  const folder = tempFolder()
  const [first, second, other] = ['first', 'second', 'other'].map(name => makeCertificate(folder, name))
  const live = { certificate: path.join(folder, 'live.pem'), key: path.join(folder, 'live.key') }
  const install = (files: typeof live) => {
    fs.copyFileSync(files.key, live.key)
    fs.copyFileSync(files.certificate, live.certificate)
  }
  const open = (door = { proxyProtocol: false, tls: true }, http2 = true) => {
    install(first!)
    return openGateBefore(appPort, { tls: { ...live, http2 } }, door)
  }
  /** A connection that stands, and whose certificate it was shown. */
  const connect = async (port: number, options: tls.ConnectionOptions = {}) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    return { socket, name: socket.getPeerCertificate().subject.CN }
  }
  const answer = async (socket: tls.TLSSocket) => {
    let text = ''
    socket.on('data', piece => {
      text += piece
    })
    await new Promise(resolve => socket.once('close', resolve))
    return text
  }

  it('says so to the application', async () => {
    const { port } = await open()
    const { socket } = await connect(port)
    socket.write(ask())
    expect(bodyOf(await answer(socket))).toMatchObject({ proto: 'https', for: '127.0.0.1', version: '1.1 cutover' })
  })

  it('offers HTTP/2, and HTTP/1.1 to who does not speak it', async () => {
    const { port } = await open()
    const asked = (version: string) =>
      run('curl', ['-ks', version, '-w', '%{http_version}', `https://127.0.0.1:${port}/`])
    expect((await asked('--http2')).stdout).toMatch(/"2 cutover"}2$/)
    expect((await asked('--http1.1')).stdout).toMatch(/"1\.1 cutover"}1\.1$/)
  })

  it('does not offer it where the recipe says so', async () => {
    const { port } = await open(undefined, false)
    const { socket } = await connect(port, { ALPNProtocols: ['h2', 'http/1.1'] })
    expect(socket.alpnProtocol).toBe('http/1.1')
    socket.destroy()
  })

  it('can have the PROXY protocol before it', async () => {
    const { port } = await open({ proxyProtocol: true, tls: true })
    const plain = net.connect({ port, host: '127.0.0.1' })
    plain.write(proxyLine({ from: '192.0.2.9', to: '198.51.100.1', fromPort: 1, toPort: 2 }))
    const { socket } = await connect(port, { socket: plain })
    socket.write(ask())
    expect(bodyOf(await answer(socket))).toMatchObject({ proto: 'https', for: '192.0.2.9' })
  })

  it.each([
    ['TLS 1.1', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' }],
    ['no forward secrecy', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }],
    ['no authenticated encryption', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }],
    ['a protocol that is not HTTP', { ALPNProtocols: ['imap'] }],
  ] as const)('refuses %s', async (_what, options) => {
    const { port } = await open()
    await expect(connect(port, options as tls.ConnectionOptions)).rejects.toThrow()
  })

  it('does not renegotiate', async () => {
    const { port } = await open()
    const { socket } = await connect(port, { maxVersion: 'TLSv1.2' })
    const refused = await new Promise<Error | null>(resolve => {
      socket.once('error', resolve)
      socket.renegotiate({}, resolve)
    })
    expect(refused).toBeInstanceOf(Error)
    socket.destroy()
  })

  it('cuts off plain HTTP, and serves others after it', async () => {
    const { port, records } = await open()
    const client = await rawClient(port)
    client.send(ask())
    expect(await client.ended.catch(() => client.text())).not.toContain('HTTP/1.1 200')
    const { socket } = await connect(port)
    socket.write(ask())
    expect(await answer(socket)).toContain('HTTP/1.1 200')
    expect(records).toHaveLength(1)
  })

  it('shows a new certificate once it was told, and goes on with connections that stand', async () => {
    const { port, front } = await open()
    const before = await connect(port)
    install(second!)
    front.reload()
    const after = await connect(port)
    expect([before.name, after.name]).toEqual(['first', 'second'])
    before.socket.write(ask())
    expect(await answer(before.socket)).toContain('HTTP/1.1 200')
    after.socket.destroy()
  })

  it.each([
    ['of another key', () => fs.copyFileSync(other!.key, live.key), 'GATE_TLS_INVALID'],
    ['that is half there', () => fs.truncateSync(live.certificate, 100), 'GATE_TLS_INVALID'],
    ['that is gone', () => fs.rmSync(live.certificate), 'GATE_TLS_INVALID'],
    ['whose key others can read', () => fs.chmodSync(live.key, 0o644), 'GATE_TLS_KEY_EXPOSED'],
  ])('keeps the certificate that it has instead of one %s', async (_what, spoil, code) => {
    const { port, front, warnings } = await open()
    spoil()
    front.reload()
    const { socket, name } = await connect(port)
    expect([name, warnings]).toEqual(['first', [code]])
    socket.destroy()
    fs.rmSync(live.key)
  })

  it('is not opened without a certificate that can be used', async () => {
    const door = { proxyProtocol: false, tls: true }
    expect(await codeOfAsync(openGateBefore(appPort, {}, door))).toBe('GATE_TLS_INVALID')
    const named = { ...first!, key: other!.key, http2: true }
    expect(await codeOfAsync(openGateBefore(appPort, { tls: named }, door))).toBe('GATE_TLS_INVALID')
  })

  it('notices a new certificate by itself, once its files stay the same for a while, and tells of a broken one once', async () => {
    install(first!)
    const warnings: string[] = []
    const terminator = new TlsTerminator({ ...live, http2: false }, caught =>
      warnings.push(toReleaseError(caught).code),
    )
    const server = net.createServer(socket => terminator.secure(socket, secured => secured.end()))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const shown = async () => {
      const { socket, name } = await connect((server.address() as AddressInfo).port)
      socket.destroy()
      return name
    }
    fs.copyFileSync(second!.certificate, live.certificate)
    terminator.look()
    fs.copyFileSync(second!.key, live.key)
    terminator.look()
    expect(await shown()).toBe('first')
    terminator.look()
    expect([await shown(), warnings]).toEqual(['second', []])
    fs.truncateSync(live.key)
    for (let looks = 0; looks < 4; looks += 1) terminator.look()
    expect([await shown(), warnings]).toEqual(['second', ['GATE_TLS_INVALID']])
    terminator.close()
    server.close()
  })

  it('takes the certificate of another release', async () => {
    const { port, front, settings } = await open()
    front.configure({ ...settings, tls: { ...second!, http2: true } })
    const { socket, name } = await connect(port)
    expect(name).toBe('second')
    socket.destroy()
  })
})
