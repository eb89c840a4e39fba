import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parseGateState } from '../../src/gate/machine/state-text.ts'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { takeLock } from '../../src/sys/lock.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { type Serving, startServing, type ToyOptions, type ToyPrefix, toyPrefix, until } from '../support/toy-prefix.ts'

const cutover = path.join(import.meta.dirname, '..', '..', 'src', 'bin', 'cutover.ts')
const running: Serving[] = []

afterEach(async () => {
  for (const serving of running.splice(0)) await serving.end('SIGTERM')
})

async function serving(prefix: ToyPrefix, ...more: string[]): Promise<Serving> {
  const started = await startServing(prefix.root, ...more)
  running.push(started)
  return started
}

async function installed(options: ToyOptions, toy = ''): Promise<ToyPrefix> {
  const prefix = toyPrefix(tempFolder(), options)
  prefix.addRelease('1.0.0', toy)
  prefix.switchTo('1.0.0')
  return prefix
}

const status = async (from: Serving) => (await from.client.request({ kind: 'status' })).status
const healthy = (from: Serving) => until(async () => (await from.client.request({ kind: 'probe' })).result?.ok)
const isAlive = (pid: number) =>
  fs.existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))

function cli(...argv: string[]): { exitCode: number | null; events: Record<string, unknown>[] } {
  const ran = spawnSync(process.execPath, [cutover, ...argv, '--json'], { encoding: 'utf8' })
  const lines = ran.stdout.split('\n').filter(line => line !== '')
  return { exitCode: ran.status, events: lines.map(line => JSON.parse(line)) }
}

for (const mode of ['proxy', 'handover'] as const) {
  describe(`serve, ${mode}`, () => {
    it('goes on after kill -9: ends what was left, starts it anew, once', async () => {
      const prefix = await installed({ mode })
      const first = await startServing(prefix.root)
      await healthy(first)
      const [before] = (await status(first)).services
      expect(await first.end('SIGKILL')).toBe('SIGKILL')
      expect(isAlive(before!.pid!)).toBe(true)
      const second = await serving(prefix, '--listen', `127.0.0.1:${first.port}`)
      await healthy(second)
      expect(isAlive(before!.pid!)).toBe(false)
      expect((await fetch(second.url)).headers.get('x-version')).toBe('1.0.0')
      expect(second.output()).toContain('left by a process that was killed')
    })

    it('goes on holding after kill -9 in a hold, starts nothing beside the installer, and passes when told', async () => {
      const prefix = await installed({ mode })
      const first = await startServing(prefix.root, '--listen', '127.0.0.1:0')
      await healthy(first)
      using _lock = await takeLock(prefixPaths(prefix.root).lock, { command: 'install' })
      await first.client.request({ kind: 'gate', mode: 'hold', reason: 'install', deadlineMs: 60_000 })
      await first.end('SIGKILL')
      const second = await serving(prefix)
      expect(await status(second)).toMatchObject({ gate: { mode: 'hold', reason: 'install' }, services: [] })
      const answer = fetch(second.url)
      await until(async () => (await status(second)).counters.heldNow === 1)
      await second.client.request({ kind: 'start', version: '1.0.0' })
      await healthy(second)
      await second.client.request({ kind: 'gate', mode: 'pass', reason: 'installed' })
      expect((await answer).status).toBe(200)
    })

    it('passes soon after kill -9 in a hold when the installer has given up meanwhile', async () => {
      const prefix = await installed({ mode })
      const first = await startServing(prefix.root)
      await healthy(first)
      const lock = await takeLock(prefixPaths(prefix.root).lock, { command: 'install' })
      await first.client.request({ kind: 'gate', mode: 'hold', reason: 'install', deadlineMs: 60_000 })
      await first.end('SIGKILL')
      const second = await serving(prefix)
      const answer = fetch(second.url)
      await until(async () => (await status(second)).counters.heldNow === 1)
      lock.release()
      expect((await answer).headers.get('x-version')).toBe('1.0.0')
    })

    it('brings the active release back when the installer has died inside the hold', async () => {
      const prefix = await installed({ mode })
      const gate = await serving(prefix)
      await healthy(gate)
      await gate.client.request({ kind: 'gate', mode: 'hold', reason: 'install 2.0.0', deadlineMs: 60_000 })
      await gate.client.request({ kind: 'stop' })
      expect((await status(gate)).services).toEqual([])
      await gate.client.request({ kind: 'gate', mode: 'hold', reason: 'install 2.0.0', deadlineMs: 100 })
      await until(async () => (await status(gate)).gate.mode === 'pass')
      expect((await fetch(gate.url)).headers.get('x-version')).toBe('1.0.0')
    })

    it('does not start anything beside an installer that is only slow', async () => {
      const prefix = await installed({ mode })
      const gate = await serving(prefix)
      await healthy(gate)
      using _lock = await takeLock(prefixPaths(prefix.root).lock, { command: 'install' })
      await gate.client.request({ kind: 'gate', mode: 'hold', reason: 'install 2.0.0', deadlineMs: 60_000 })
      await gate.client.request({ kind: 'stop' })
      await gate.client.request({ kind: 'gate', mode: 'hold', reason: 'install 2.0.0', deadlineMs: 100 })
      const held = fetch(gate.url)
      await until(async () => (await status(gate)).gate.mode === 'backoff')
      expect((await held).status).toBe(503)
      expect((await status(gate)).services).toEqual([])
    })

    it('holds requests while a service that crashed is started again', async () => {
      const prefix = await installed({ mode })
      const gate = await serving(prefix)
      await healthy(gate)
      await fetch(`${gate.url}/crash`).catch(() => undefined)
      await until(async () => (await status(gate)).services[0]!.lastExit !== undefined)
      const answers = await Promise.all(
        ['/a', '/b', '/c'].map(async at => (await fetch(gate.url + at, { method: 'POST', body: 'x' })).status),
      )
      expect(answers).toEqual([200, 200, 200])
      expect((await status(gate)).services[0]).toMatchObject({ state: 'running', restarts: 1, lastExit: 'exit code 7' })
    })

    it('says why a release is not healthy', async () => {
      const prefix = await installed({ mode })
      prefix.addRelease('1.1.0', 'exit')
      const gate = await serving(prefix)
      await healthy(gate)
      await gate.client.request({ kind: 'gate', mode: 'hold', reason: 'install', deadlineMs: 60_000 })
      await gate.client.request({ kind: 'stop' })
      await gate.client.request({ kind: 'start', version: '1.1.0' })
      await until(async () => (await status(gate)).services[0]!.restarts > 0)
      const { result } = await gate.client.request({ kind: 'probe' })
      expect(result?.ok).toBe(false)
      expect(result?.evidence).toContain('last: exit code 3')
      const waiting = fetch(gate.url)
      await gate.client.request({ kind: 'stop' })
      await gate.client.request({ kind: 'start', version: '1.0.0' })
      await healthy(gate)
      await gate.client.request({ kind: 'gate', mode: 'pass', reason: 'rolled back' })
      expect((await waiting).headers.get('x-version')).toBe('1.0.0')
    })

    it('ends in good order: what is in flight is answered, services stop, exit code 0', async () => {
      const prefix = await installed({ mode })
      const gate = await startServing(prefix.root)
      await healthy(gate)
      const [service] = (await status(gate)).services
      const slow = fetch(`${gate.url}/slow?ms=300`, { headers: { connection: 'close' } })
      await new Promise(resolve => setTimeout(resolve, 100))
      expect(await gate.end('SIGTERM')).toBe(0)
      expect((await slow).status).toBe(200)
      expect(isAlive(service!.pid!)).toBe(false)
      expect(fs.existsSync(path.join(prefix.root, 'run', 'control.sock'))).toBe(false)
    })
  })
}

describe.each(['proxy', 'handover'] as const)('the address, %s', mode => {
  it('is refused when another process listens there', async () => {
    const other = net.createServer()
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as net.AddressInfo
    const prefix = await installed({ mode })
    const told = cli('serve', prefix.root, '--listen', `127.0.0.1:${port}`)
    other.close()
    expect(told.exitCode).toBe(1)
    expect(told.events.at(-1)).toMatchObject({ kind: 'run-failed', error: { code: 'GATE_ADDRESS_IN_USE' } })
  })

  it.skipIf(!needTool('systemd-socket-activate'))(
    'is taken over from systemd, with the connections that wait in it',
    async () => {
      const prefix = await installed({ mode })
      const port = await freePort()
      const argv = ['-l', `127.0.0.1:${port}`, '-E', 'PATH', process.execPath, cutover, 'serve', prefix.root]
      const child = spawn('systemd-socket-activate', [...argv, '--listen', `127.0.0.1:${port}`], { stdio: 'ignore' })
      const ended = once(child, 'close')
      // It starts us at the first connection, which is held until the application accepts.
      const answer = await until(() => fetch(`http://127.0.0.1:${port}/`).catch(() => undefined))
      expect(answer.headers.get('x-version')).toBe('1.0.0')
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    },
  )

  it('can be a unix socket, also one that a dead process left behind', async () => {
    const prefix = await installed({ mode })
    const file = path.join(prefix.root, 'run', 'public.sock')
    for (const _time of [1, 2]) {
      const gate = await startServing(prefix.root, '--listen', `unix:${file}`)
      await healthy(gate)
      expect(await getOverSocket(file)).toBe('1.0.0')
      await gate.end('SIGKILL')
    }
    running.push(await startServing(prefix.root, '--listen', `unix:${file}`))
  })
})

function getOverSocket(socketPath: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path: '/', agent: false }, response => {
      response.resume()
      resolve(response.headers['x-version'] as string | undefined)
    })
    request.once('error', reject)
  })
}

describe('serve', () => {
  it('turns requests away before a first release is there, when it knows its address', async () => {
    const prefix = toyPrefix(tempFolder(), { mode: 'proxy' })
    const gate = await serving(prefix, '--listen', '127.0.0.1:0')
    const refused = await fetch(gate.url)
    expect(refused.status).toBe(503)
    prefix.addRelease('1.0.0')
    prefix.switchTo('1.0.0')
    await gate.client.request({ kind: 'start', version: '1.0.0' })
    await healthy(gate)
    expect((await fetch(gate.url)).status).toBe(200)
  })

  it('opens its address with the first release when it does not know it before', async () => {
    const prefix = toyPrefix(tempFolder(), { mode: 'handover' })
    const gate = await serving(prefix)
    const before = await status(gate)
    expect([before.address, before.version]).toEqual(['', undefined])
    prefix.addRelease('1.0.0')
    prefix.switchTo('1.0.0')
    const { status: after } = await gate.client.request({ kind: 'start', version: '1.0.0' })
    expect(after.address).toMatch(/^127\.0\.0\.1:\d+$/)
    await healthy(gate)
  })

  it('reaches a service on a unix socket that nobody else can take', async () => {
    const prefix = await installed({ mode: 'proxy', onSocket: true })
    const gate = await serving(prefix)
    await healthy(gate)
    expect((await fetch(gate.url, { method: 'POST', body: 'hello' })).status).toBe(200)
  })

  it('is one per prefix', async () => {
    const prefix = await installed({ mode: 'proxy' })
    await serving(prefix)
    const second = cli('serve', prefix.root)
    expect(second.exitCode).toBe(5)
    expect(JSON.stringify(second.events)).toContain('SERVE_BUSY')
  })

  it('refuses to start a release that is not there', async () => {
    const gate = await serving(await installed({ mode: 'proxy' }))
    await expect(gate.client.request({ kind: 'start', version: '9.9.9' })).rejects.toMatchObject({
      code: 'SERVE_NO_RELEASE',
    })
  })

  it('keeps its control socket to its own user', async () => {
    const prefix = await installed({ mode: 'proxy' })
    await serving(prefix)
    expect(fs.statSync(path.join(prefix.root, 'run', 'control.sock')).mode & 0o777).toBe(0o600)
  })

  it('kills a service that does not end when it is asked to', async () => {
    const prefix = await installed({ mode: 'proxy' }, 'stubborn')
    const recipe = path.join(prefix.root, 'releases', '1.0.0', '.cutover', 'recipe.json')
    fs.writeFileSync(recipe, fs.readFileSync(recipe, 'utf8').replace('"stopTimeout":"5s"', '"stopTimeout":"100ms"'))
    const gate = await serving(prefix)
    await healthy(gate)
    const [service] = (await status(gate)).services
    await gate.client.request({ kind: 'stop' })
    expect(isAlive(service!.pid!)).toBe(false)
    expect(fs.readFileSync(path.join(prefix.root, 'run', 'log', 'web.log'), 'utf8')).toContain(
      'did not end within 100 ms',
    )
  })
})

describe('cutover gate', () => {
  it('keeps an operator’s mode over a restart, with the release running behind it', async () => {
    const prefix = await installed({ mode: 'proxy' })
    const first = await startServing(prefix.root)
    await healthy(first)
    expect(cli('gate', 'backoff', prefix.root, '--for', '10m').exitCode).toBe(0)
    await first.end('SIGTERM')
    const second = await serving(prefix)
    await healthy(second)
    expect((await status(second)).gate).toMatchObject({ mode: 'backoff', by: 'operator' })
    expect((await fetch(second.url)).status).toBe(503)
  })

  it('sets the mode, for a while, and tells it', async () => {
    const prefix = await installed({ mode: 'proxy' })
    const gate = await serving(prefix)
    await healthy(gate)
    expect(cli('gate', 'backoff', prefix.root, '--reason', 'disk change', '--for', '10m').exitCode).toBe(0)
    const stored = parseGateState(fs.readFileSync(path.join(prefix.root, 'run', 'gate.json'), 'utf8'), 'gate.json')
    expect(stored).toMatchObject({ mode: 'backoff', reason: 'disk change', deadlineAtMs: stored.sinceMs + 600_000 })
    expect((await fetch(gate.url)).status).toBe(503)
    const told = cli('gate', 'status', prefix.root)
    expect(told.events.at(-1)).toMatchObject({ kind: 'run-done', result: { gate: { mode: 'backoff' } } })
    expect(cli('gate', 'pass', prefix.root).exitCode).toBe(0)
    expect((await fetch(gate.url)).status).toBe(200)
  })

  it('says that nothing serves', () => {
    const told = cli('gate', 'status', toyPrefix(tempFolder(), { mode: 'proxy' }).root)
    expect(told.exitCode).toBe(1)
    expect(JSON.stringify(told.events)).toContain('SERVE_NOT_RUNNING')
  })
})
