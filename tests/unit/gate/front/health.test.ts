import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Address } from '../../../../src/gate/front/address.ts'
import { type HttpProbe, probeCommand, probeHttp, probeTcp } from '../../../../src/gate/front/health.ts'

let address: Address
const server = http.createServer((request, response) => {
  if (request.url === '/silent') return
  response.setHeader('X-Version', ['1.1.0', 'build 7'])
  response.statusCode = request.url === '/sick' ? 503 : 200
  response.end(request.url === '/large' ? `${'x'.repeat(1_000_000)}end` : 'all is well')
})
beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  address = { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port }
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const probe = (options: Partial<HttpProbe>, timeoutMs = 2000) =>
  probeHttp(address, { path: '/', status: 200, contains: [], headers: [], ...options }, timeoutMs)

describe('health over HTTP', () => {
  it.each<[string, Partial<HttpProbe>]>([
    ['by its status', {}],
    ['by another status', { path: '/sick', status: 503 }],
    ['by its body', { contains: ['is well'] }],
    ['by a header, whatever its case', { headers: [{ name: 'x-VERSION', contains: '1.1.0' }] }],
    ['by a header that comes twice', { headers: [{ name: 'X-Version', contains: 'build' }] }],
  ])('is good %s', async (_, options) => {
    expect(await probe(options)).toMatchObject({ ok: true })
  })

  it.each<[string, Partial<HttpProbe>, RegExp]>([
    ['status', { path: '/sick' }, /503, expected 200/],
    ['body', { contains: ['all', 'perfect'] }, /without "perfect" in "all is well"/],
    ['body beyond what is looked at', { path: '/large', contains: ['end'] }, /without "end"/],
    ['missing header', { headers: [{ name: 'X-Ready', contains: '' }] }, /without the header X-Ready/],
    ['header', { headers: [{ name: 'X-Version', contains: '2' }] }, /X-Version without "2"/],
  ])('is bad for its %s, and says what was seen', async (_, options, evidence) => {
    expect(await probe(options)).toMatchObject({ ok: false, evidence: expect.stringMatching(evidence) })
  })

  it('is bad for who says nothing in time', async () => {
    expect(await probe({ path: '/silent' }, 50)).toMatchObject({ ok: false })
  })
})

it('tells who accepts connections', async () => {
  expect(await probeTcp(address, 1000)).toMatchObject({ ok: true })
  expect(await probeTcp({ kind: 'unix', path: '/nowhere/socket' }, 1000)).toMatchObject({
    ok: false,
    evidence: 'unix:/nowhere/socket does not accept connections',
  })
})

it('asks a command, and ends it in time', async () => {
  const run = (script: string) => probeCommand(['/bin/sh', '-c', script], { timeoutMs: 2000 })
  expect(await run('true')).toMatchObject({ ok: true })
  expect(await run('echo three left; exit 3')).toEqual({ ok: false, evidence: 'exit code 3: three left' })
  expect(await probeCommand(['/bin/sleep', '60'], { timeoutMs: 30 })).toMatchObject({ ok: false })
})
