import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { describe, expect, it, type TestContext } from 'vitest'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { takeLock } from '../../src/sys/lock.ts'
import { startLoad } from '../support/load.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp.ts'
import { type Serving, startServing, type ToyOptions, type ToyPrefix, toyPrefix, until } from '../support/toy-prefix.ts'

interface Served {
  readonly prefix: ToyPrefix
  readonly serving: Serving
}

/** A prefix with version 1.0.0 active and 2.0.0 beside it, served in mode handover. */
async function served(
  { onTestFinished }: TestContext,
  options: Partial<ToyOptions> = {},
  toy: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const prefix = toyPrefix(tempFolder(), { mode: 'handover', ...options })
  for (const version of ['1.0.0', '2.0.0']) prefix.addRelease(version, toy[version])
  prefix.switchTo('1.0.0')
  const serving = await startServing(prefix.root)
  onTestFinished(async () => void (await serving.end('SIGTERM')))
  await healthy(serving, '1.0.0')
  return { prefix, serving }
}

const probe = async (from: Serving, version: string) =>
  (await from.client.request({ kind: 'probe', version })).result?.ok
const healthy = (from: Serving, version: string) => until(() => probe(from, version))
const status = async (from: Serving) => (await from.client.request({ kind: 'status' })).status
const pass = (from: Serving) => from.client.request({ kind: 'gate', mode: 'pass', reason: 'test' })
const hold = (from: Serving) => from.client.request({ kind: 'gate', mode: 'hold', reason: 'test', deadlineMs: 60_000 })

/** Be an installer: what is started beside is let go of when there is none. */
const installing = ({ root }: ToyPrefix) => takeLock(prefixPaths(root).lock, { command: 'install' })

/** The processes that hold for a serving process. */
function holdWorkers({ child }: Serving): readonly number[] {
  const children = fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')
  return children
    .filter(pid => pid !== '' && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('hold-worker'))
    .map(Number)
}

describe.concurrent('a gate in handover', () => {
  it('keeps an operator’s word while another release is installed and looked at, and until it is taken back', async context => {
    const { prefix, serving } = await served(context)
    const { client, url } = serving
    const asked = { kind: 'gate', mode: 'backoff', reason: 'closed', deadlineMs: 60_000, by: 'operator' } as const
    await client.request(asked)
    await until(async () => (await fetch(url)).status === 503)
    const statuses = new Set<number>()
    let isOver = false
    const asking = (async () => {
      while (!isOver) statuses.add((await fetch(url)).status)
    })()
    // What an installer does then: it renews what holds, and never says pass.
    await client.request(asked)
    await client.request({ kind: 'drain', timeoutMs: 5000, streamsMs: 100 })
    await client.request({ kind: 'stop' })
    prefix.switchTo('2.0.0')
    await client.request({ kind: 'start', version: '2.0.0' })
    await healthy(serving, '2.0.0')
    await client.request(asked)
    expect(await status(serving)).toMatchObject({ version: '2.0.0', gate: { mode: 'backoff', by: 'operator' } })
    await fetch(url)
    isOver = true
    await asking
    expect([...statuses]).toEqual([503])
    await pass(serving)
    const answer = await fetch(url)
    expect([answer.status, answer.headers.get('x-version')]).toEqual([200, '2.0.0'])
  })

  it('gives several sockets, by their names, and holds on all of them', async context => {
    const folder = tempFolder()
    const file = path.join(folder, 'public.sock')
    const [first, second] = [await freePort(), await freePort()]
    const listen = [
      `127.0.0.1:${first}`,
      { address: `[::1]:${first}`, name: 'http' },
      { address: `127.0.0.1:${second}`, name: 'admin' },
      { address: `unix:${file}`, name: 'local' },
    ]
    const { serving } = await served(context, { gate: { listen }, service: severalSockets })
    const places = [{ port: first }, { port: first, host: '::1' }, { port: second }, { socketPath: file }]
    const names = ['http', 'http', 'admin', 'local']
    expect(await Promise.all(places.map(ask))).toEqual(names)
    expect(fs.statSync(file).mode & 0o777).toBe(0o666)
    await hold(serving)
    await serving.client.request({ kind: 'stop' })
    const held = Promise.all(places.map(ask))
    await until(async () => (await status(serving)).counters.heldNow === places.length)
    await pass(serving)
    // Each was handed over where it had come: the names are those that the service has for its sockets.
    expect(await held).toEqual(names)
  })

  it('goes on holding when a worker is killed: whom it held loses the connection, the others wait', async context => {
    const { serving } = await served(context)
    await hold(serving)
    await serving.client.request({ kind: 'stop' })
    const lost = fetch(serving.url).then(
      () => 'answered',
      () => 'lost',
    )
    await until(async () => (await status(serving)).counters.heldNow === 1)
    const [killed] = holdWorkers(serving)
    process.kill(killed!, 'SIGKILL')
    expect(await lost).toBe('lost')
    const waits = fetch(serving.url, { method: 'POST', body: 'x' })
    await until(async () => (await status(serving)).counters.heldNow === 1)
    await pass(serving)
    expect((await waits).status).toBe(200)
  })

  it('lets clients wait for an application that takes long to listen', async context => {
    const { serving } = await served(context, { service: slowToListen })
    const load = startLoad(serving.url, 4, 'one for each request')
    await until(async () => (await fetch(serving.url)).ok)
    const [before] = (await status(serving)).services
    process.kill(before!.pid!, 'SIGKILL')
    await until(async () => (await status(serving)).services[0]!.restarts === 1)
    expect((await fetch(serving.url, { method: 'POST', body: 'x' })).status).toBe(200)
    const { failures } = await load.stop()
    // Those that it had when it was killed; nobody after that.
    expect(failures.length).toBeLessThanOrEqual(4)
  })

  it('goes on serving when the gate is killed, with whom it has and whom comes', async context => {
    const { serving } = await served(context)
    const [service] = (await status(serving)).services
    await serving.end('SIGKILL')
    try {
      const load = startLoad(serving.url, 4, 'one for each request')
      expect((await fetch(serving.url)).headers.get('x-version')).toBe('1.0.0')
      const report = await load.stop()
      expect(report.failures).toEqual([])
      expect(report.answered).toBeGreaterThan(0)
    } finally {
      process.kill(service!.pid!, 'SIGKILL')
    }
  })

  it('lets two releases accept side by side, and asks the new one until it is that one that answers', async context => {
    const { prefix, serving } = await served(context, { gate: { overlap: true } })
    const { client } = serving
    using _lock = await installing(prefix)
    const load = startLoad(serving.url, 8)
    const each = startLoad(serving.url, 4, 'one for each request')
    await client.request({ kind: 'start-beside', version: '2.0.0' })
    await healthy(serving, '2.0.0')
    expect(await probe(serving, '1.0.0')).toBe(true)
    prefix.switchTo('2.0.0')
    await client.request({ kind: 'promote', version: '2.0.0' })
    await client.request({ kind: 'retire', version: '1.0.0', timeoutMs: 5000, streamsMs: 100 })
    const after = await status(serving)
    expect(after).toMatchObject({ version: '2.0.0', counters: { held: 0 } })
    expect((await fetch(serving.url)).headers.get('x-version')).toBe('2.0.0')
    for (const { failures, versions } of [await load.stop(), await each.stop()]) {
      expect(failures).toEqual([])
      expect(versions.toSorted()).toEqual(['1.0.0', '2.0.0'])
    }
    expect(holdWorkers(serving)).toEqual([])
  })

  it('says of a release beside that it is not healthy, however often the old one answers', async context => {
    const { prefix, serving } = await served(context, { gate: { overlap: true } }, { '2.0.0': 'unhealthy' })
    using _lock = await installing(prefix)
    await serving.client.request({ kind: 'start-beside', version: '2.0.0' })
    expect(await probe(serving, '2.0.0')).toBe(false)
    expect(await probe(serving, '1.0.0')).toBe(true)
  })
})

/** A service that answers with the name that it has for the socket. */
const severalSockets = {
  command: [process.execPath, path.join(import.meta.dirname, '../support/named-sockets-app.mjs')],
}

/** The toy, half a second after its process began. */
const slowToListen = {
  command: [
    '/bin/sh',
    '-c',
    // The number that LISTEN_PID has stays the same.
    `sleep 0.5; exec ${process.execPath} ${path.join(import.meta.dirname, '../support/toy-app.ts')}`,
  ],
}

function ask(place: { readonly port?: number; readonly host?: string; readonly socketPath?: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', ...place, agent: false }, response => {
      response.setEncoding('utf8')
      let text = ''
      response.on('data', piece => {
        text += piece
      })
      response.once('end', () => resolve(text))
    })
    request.once('error', reject)
  })
}
