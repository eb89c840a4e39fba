import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { openHttp } from '../../src/repository/targets/http.ts'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import { makeCertificate } from '../support/docker-registry.ts'
import { leaseContract } from '../support/lease-contract.ts'
import { contentOf, readAll, targetContract } from '../support/target-contract.ts'
import { testedLeaseTimes, testedTools } from '../support/target-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { webdavServer } from '../support/webdav-server.ts'

const [user, password] = ['publisher', 's3cret word']

function netrc(word = password): { readonly CUTOVER_NETRC: string } {
  const file = path.join(tempFolder(), 'netrc')
  fs.writeFileSync(file, `machine 127.0.0.1 login ${user} password "${word}"\n`, { mode: 0o600 })
  return { CUTOVER_NETRC: file }
}

function open(url: URL, environment: Readonly<Record<string, string>> = netrc(), tools = testedTools) {
  return openHttp(url, { environment, tools, leaseTimes: testedLeaseTimes })
}

/** What is on its way to a server, or was left there. */
function incomingFiles(root: string): readonly string[] {
  const folder = path.join(root, '.cutover/incoming')
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return entries.map(({ name }) => name).filter(name => name !== 'swept')
}

/** The server behind a proxy that cuts connections. */
async function cutServer() {
  const server = await webdavServer({ user, password })
  const proxy = await cuttingProxy(Number(server.url.port))
  const url = new URL(server.url)
  url.port = String(proxy.port)
  return { ...server, proxy, target: open(url) }
}

describe.skipIf(!needTool('nginx', 'openssl'))('nginx as a target', () => {
  targetContract('HTTP', async () => {
    const { url } = await webdavServer({ user, password })
    const environment = netrc()
    return { open: () => open(url, environment), largeBytes: 3_000_000 }
  })

  const startLease = async () => {
    const { url } = await webdavServer({ user, password })
    const environment = netrc()
    return {
      place: url.href,
      environment,
      open: (leaseTimes: typeof testedLeaseTimes) => openHttp(url, { environment, tools: testedTools, leaseTimes }),
    }
  }
  leaseContract('HTTP', startLease, { isKernels: false })

  it('sends again what was cut on its way, and leaves nothing half sent in place', async () => {
    const { target, proxy, root } = await cutServer()
    const bytes = randomBytes(2_000_000)
    await target.putNew('warm', contentOf('up'))
    proxy.cutNext([
      { direction: 'up', afterBytes: 700_000 },
      { direction: 'up', afterBytes: 1_900_000 },
    ])
    expect(await target.putNew('a', contentOf(bytes))).toBe('written')
    expect(proxy.cuts()).toBe(2)
    expect(digestOf(fs.readFileSync(path.join(root, 'a')))).toBe(digestOf(bytes))
    expect(incomingFiles(root)).toEqual([])
  })

  it('is rid of what a killed publisher left once a later day has come', async () => {
    const { url, root } = await webdavServer({ user, password })
    const environment = netrc()
    const publishOn = async (days: number) => {
      const nowMs = () => testedTools.clock.nowMs() + days * 86_400_000
      const tools = { ...testedTools, clock: { ...testedTools.clock, nowMs } }
      await (await open(url, environment, tools).lease('a test', { waitMs: 0 })).release()
      return incomingFiles(root).length
    }
    expect(await publishOn(0)).toBe(0)
    const victim = `
      import { subscribe } from 'node:diagnostics_channel'
      import { openTarget } from ${JSON.stringify(path.resolve('src/repository/targets/open.ts'))}
      const content = ${JSON.stringify({ ...contentOf('x'), open: undefined })}
      subscribe('http.client.request.created', ({ request }) => {
        if (request.method === 'MOVE') process.kill(process.pid, 'SIGKILL')
      })
      const target = openTarget(process.argv[1], { cwd: '/', environment: process.env })
      await target.putNew('a', { ...content, open: async function* () { yield Buffer.from('x') } })`
    const argv = ['--input-type=module', '-e', victim, url.href]
    const killed = promisify(execFile)(process.execPath, argv, { env: { ...process.env, ...environment } })
    await expect(killed).rejects.toMatchObject({ signal: 'SIGKILL' })
    expect(fs.existsSync(path.join(root, 'a'))).toBe(false)
    // Others may be sending: what was begun today or yesterday stays.
    expect([await publishOn(0), await publishOn(1), await publishOn(2), await publishOn(500)]).toEqual([1, 1, 0, 0])
    expect(fs.readdirSync(path.join(root, '.cutover/incoming'))).toEqual(['swept'])
  })

  it('goes on reading where a connection was cut', async () => {
    const { target, proxy } = await cutServer()
    const bytes = randomBytes(2_000_000)
    await target.putNew('a', contentOf(bytes))
    proxy.cutNext([
      { direction: 'down', afterBytes: 500_000 },
      { direction: 'down', afterBytes: 900_000 },
    ])
    expect(digestOf(await readAll(target, 'a'))).toBe(digestOf(bytes))
    expect(proxy.cuts()).toBe(2)
  })

  it('knows what it moved although the answer was lost', async () => {
    const { target, proxy, root } = await cutServer()
    await target.replace('pointer', contentOf('x'), undefined)
    // The answers on this connection: to GET and PUT, then that to MOVE is cut.
    proxy.cutNext([{ direction: 'down', afterBytes: 0 }])
    expect(await target.replace('pointer', contentOf('y'), digestOf('x'))).toBe('written')
    expect(fs.readFileSync(path.join(root, 'pointer'), 'utf8')).toBe('y')
  })

  it('says that the password is wrong, and does not say which', async () => {
    const { url } = await webdavServer({ user, password })
    const target = open(url, netrc('an0ther'))
    const failed = await target.putNew('a', contentOf('x')).catch((caught: Error) => caught)
    expect(failed).toMatchObject({ code: 'TARGET_REFUSED', details: { status: 401 } })
    expect(JSON.stringify(failed)).not.toMatch(/an0ther|s3cret/)
  })

  it('publishes over TLS to a server whose certificate is trusted, and to no other', async () => {
    const certificate = makeCertificate()
    const { url, root } = await webdavServer({ user, password, certificate })
    await expect(open(url).putNew('a', contentOf('x'))).rejects.toMatchObject({
      code: 'HTTP_FAILED',
      details: { errno: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    })
    // Authorities are read when a process starts.
    const program = `
      import { openTarget } from ${JSON.stringify(path.resolve('src/repository/targets/open.ts'))}
      const target = openTarget(process.argv[1], { cwd: '/', environment: process.env })
      const lease = await target.lease('a test', { waitMs: 0 })
      await lease.release()
      console.log(target.name)`
    const environment = { ...process.env, ...netrc(), NODE_EXTRA_CA_CERTS: certificate.file }
    const argv = ['--input-type=module', '-e', program, url.href]
    expect((await promisify(execFile)(process.execPath, argv, { env: environment })).stdout).toBe(`${url.href}\n`)
    expect(fs.readFileSync(path.join(root, '.cutover/leases/newest'), 'utf8')).toBe('1')
  })
})
