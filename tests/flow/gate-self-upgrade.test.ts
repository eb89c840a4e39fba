import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ControlClient, connectControl } from '../../src/gate/control/client.ts'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { takeLock } from '../../src/sys/lock.ts'
import { builtCutover } from '../support/killed-cutover.ts'
import { startLoad } from '../support/load.ts'
import { faultyCutover, isAlive, servingProcesses } from '../support/successors.ts'
import { tempFolder } from '../support/temp.ts'
import {
  type Serving,
  startServingBy,
  type ToyOptions,
  type ToyPrefix,
  toyPrefix,
  until,
} from '../support/toy-prefix.ts'

let cutover: string
const prefixes: ToyPrefix[] = []

beforeAll(async () => {
  cutover = (await builtCutover()).program
})

afterEach(async () => {
  for (const { root } of prefixes.splice(0)) {
    await (await connectControl(path.join(root, 'run', 'control.sock')))?.request({ kind: 'shutdown' })
    await until(async () => servingProcesses(root).length === 0)
  }
})

const status = async (client: ControlClient) => (await client.request({ kind: 'status' })).status
const healthy = (client: ControlClient) => until(async () => (await client.request({ kind: 'probe' })).result?.ok)

async function served(options: ToyOptions, ...more: string[]): Promise<{ prefix: ToyPrefix; serving: Serving }> {
  const prefix = toyPrefix(tempFolder(), options)
  prefixes.push(prefix)
  prefix.addRelease('1.0.0')
  prefix.switchTo('1.0.0')
  const serving = await startServingBy(cutover, prefix.root, ...more)
  await healthy(serving.client)
  return { prefix, serving }
}

/** Connections of these are not kept, so that the process before ends when it has answered. */
const version = (url: string) =>
  new Promise<string>((resolve, reject) => {
    const request = http.get(url, { agent: false, headers: { connection: 'close' } }, response => {
      response.resume().once('end', () => resolve(`${response.statusCode} ${response.headers['x-version']}`))
    })
    request.once('error', reject)
  })

/** One connection that is kept as long as it may be: the status and what is said of it. */
function keptConnection(url: string) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (place: string) =>
    new Promise<string>((resolve, reject) => {
      const request = http.get(`${url}${place}`, { agent }, response => {
        const said = `${response.statusCode} ${response.headers.connection}`.toLowerCase()
        response.resume().once('end', () => resolve(said))
      })
      request.once('error', reject)
    })
  return { ask, end: () => agent.destroy() }
}

describe.each(['proxy', 'handover'] as const)('cutover gate upgrade, %s', mode => {
  it('replaces the serving process again and again, and its services run on', async () => {
    const { prefix, serving } = await served({ mode })
    const first = await status(serving.client)
    const idle = keptConnection(serving.url)
    expect(await idle.ask('/')).toMatch(/^200/)
    const load = startLoad(serving.url, 2)
    const told = spawnSync(process.execPath, [cutover, 'gate', 'upgrade', prefix.root, '--json'], { encoding: 'utf8' })
    expect(told.stdout + told.stderr).toContain('"run-done"')
    const second = await status(serving.client)
    process.kill(second.pid, 'SIGUSR2')
    const third = await until(async () => {
      const now = await status(serving.client)
      return now.pid !== second.pid && now
    })
    expect(await load.stop()).toMatchObject({ failures: [], versions: ['1.0.0'] })
    expect(new Set([first.pid, second.pid, third.pid]).size).toBe(3)
    expect(third).toMatchObject({ address: first.address, services: first.services })
    // The first process has it still, and the third one answers.
    expect(await idle.ask('/')).toMatch(/^200/)
    idle.end()
    await until(async () => serving.child.exitCode === 0 && !isAlive(second.pid))
    expect(fs.readdirSync(path.join(prefix.root, 'run'))).not.toContain('control.next')
  })
})

describe('the services and sockets of a serving process', () => {
  it('are started again when they end after they were taken over, and stopped in the end', async () => {
    const { prefix, serving } = await served({ mode: 'proxy', onSocket: true })
    await serving.client.request({ kind: 'upgrade' })
    await version(`${serving.url}/crash`).catch(() => undefined)
    const [again] = await until(async () => {
      const { services } = await status(serving.client)
      return services[0]?.restarts === 1 && services[0].state === 'running' && services
    })
    await healthy(serving.client)
    expect(await version(serving.url)).toBe('200 1.0.0')
    await serving.client.request({ kind: 'shutdown' })
    await until(async () => servingProcesses(prefix.root).length === 0)
    expect(isAlive(again!.pid!)).toBe(false)
    expect(fs.existsSync(path.join(prefix.root, 'run', 'control.sock'))).toBe(false)
  })

  it('can be a unix socket, and keep it', async () => {
    const file = path.join(tempFolder(), 'public.sock')
    const { serving } = await served({ mode: 'handover' }, '--listen', `unix:${file}`)
    for (const _time of [1, 2]) await serving.client.request({ kind: 'upgrade' })
    expect((await status(serving.client)).address).toBe(`unix:${file}`)
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      http.get({ socketPath: file, path: '/', agent: false }, resolve).once('error', reject)
    })
    answer.resume()
    expect(answer.headers['x-version']).toBe('1.0.0')
  })
})

describe('a serving process whose successor fails', () => {
  const faults = {
    'it is no cutover': ['process.exit(3)', 'it ended: exit code 3'],
    'it refuses': [
      `process.send({ kind: 'failed', code: 'RECIPE_INVALID', message: 'no' }); setInterval(() => {}, 1000)`,
      'RECIPE_INVALID: no',
    ],
    'it speaks another language': [
      `process.send({ kind: 'ready', schema: 99 }); setInterval(() => {}, 1000)`,
      'it said {"kind":"ready","schema":99}',
    ],
    'it hangs': ['setInterval(() => {}, 1000)', 'it said nothing within 300 ms'],
    'it is killed when it is to take over': [
      `process.send({ kind: 'ready', schema: 1 }); process.on('message', () => process.kill(process.pid, 'SIGKILL'))`,
      'it ended: SIGKILL',
    ],
    'it takes the place of the control socket and dies': [
      `import fs from 'node:fs'; import path from 'node:path'
       process.send({ kind: 'ready', schema: 1 })
       process.on('message', () => {
         fs.rmSync(path.join(process.argv[3], 'run', 'control.sock'))
         process.exit(1)
       })`,
      'it ended: exit code 1',
    ],
  } as const

  it('goes on as if nothing had been, and says why', async () => {
    const { prefix, serving } = await served({ mode: 'proxy' })
    const before = await status(serving.client)
    const load = startLoad(serving.url, 2)
    for (const [, [code, why]] of Object.entries(faults)) {
      const upgrading = serving.client.request({
        kind: 'upgrade',
        cutover: faultyCutover(tempFolder(), code),
        readyMs: code.startsWith('setInterval') ? 300 : 10_000,
      })
      await expect(upgrading).rejects.toMatchObject({
        code: 'GATE_UPGRADE_FAILED',
        message: expect.stringContaining(why),
      })
      expect(await status(serving.client)).toMatchObject({ pid: before.pid, services: before.services })
      expect(servingProcesses(prefix.root)).toEqual([before.pid])
    }
    expect(await load.stop()).toMatchObject({ failures: [] })
    await serving.client.request({ kind: 'upgrade' })
    expect(await status(serving.client)).toMatchObject({ services: before.services })
  })

  it('restarts a service that ended meanwhile', async () => {
    const { serving } = await served({ mode: 'proxy' })
    const [service] = (await status(serving.client)).services
    const code = `process.send({ kind: 'ready', schema: 1 })
      process.on('message', () => {
        process.kill(${service!.pid}, 'SIGKILL')
        setTimeout(() => process.exit(1), 200)
      })`
    const upgrading = serving.client.request({ kind: 'upgrade', cutover: faultyCutover(tempFolder(), code) })
    await expect(upgrading).rejects.toMatchObject({ code: 'GATE_UPGRADE_FAILED' })
    await until(async () => (await status(serving.client)).services[0]?.restarts === 1)
    expect(await version(serving.url)).toBe('200 1.0.0')
  })
})

describe('a serving process that is to be replaced', () => {
  it('refuses while requests do not pass, something is installed or a service is away', async () => {
    const { prefix, serving } = await served({ mode: 'proxy' })
    const refused = { code: 'GATE_UPGRADE_REFUSED' }
    await serving.client.request({ kind: 'gate', mode: 'hold', reason: 'a look', by: 'operator' })
    await expect(serving.client.request({ kind: 'upgrade' })).rejects.toMatchObject(refused)
    await serving.client.request({ kind: 'gate', mode: 'pass', reason: 'looked', by: 'operator' })
    const lock = await takeLock(prefixPaths(prefix.root).lock, { command: 'install' })
    await expect(serving.client.request({ kind: 'upgrade' })).rejects.toMatchObject(refused)
    lock.release()
    await version(`${serving.url}/crash`).catch(() => undefined)
    await until(async () => (await status(serving.client)).services[0]?.state === 'backoff')
    await expect(serving.client.request({ kind: 'upgrade' })).rejects.toMatchObject(refused)
  })

  it('is not joined by another one meanwhile, and is replaced once at a time', async () => {
    const { prefix, serving } = await served({ mode: 'proxy' })
    const hangs = faultyCutover(tempFolder(), 'setInterval(() => {}, 1000)')
    const first = serving.client.request({ kind: 'upgrade', cutover: hangs })
    first.catch(() => {})
    await until(async () => servingProcesses(prefix.root).length === 2)
    await expect(serving.client.request({ kind: 'upgrade' })).rejects.toMatchObject({ code: 'GATE_UPGRADE_REFUSED' })
    const second = spawnSync(process.execPath, [cutover, 'serve', prefix.root, '--json'], { encoding: 'utf8' })
    expect(second.stdout).toContain('SERVE_BUSY')
    for (const pid of servingProcesses(prefix.root)) if (pid !== serving.child.pid) process.kill(pid, 'SIGKILL')
    await expect(first).rejects.toMatchObject({ code: 'GATE_UPGRADE_FAILED' })
  })
})

describe('a successor', () => {
  it('waits with a drain for what its predecessor still has, and holds what still comes to that', async () => {
    const { serving } = await served({ mode: 'proxy' })
    const { client } = serving
    const { ask } = keptConnection(serving.url)
    expect(await ask('/')).not.toContain('close')
    const upload = http.request(serving.url, { method: 'POST', agent: false })
    const uploaded = once(upload, 'response') as Promise<[http.IncomingMessage]>
    upload.write('begun')
    await until(async () => (await status(client)).counters.inFlight === 1)
    await client.request({ kind: 'upgrade' })
    await client.request({ kind: 'gate', mode: 'hold', reason: 'install' })
    const early = await client.request({ kind: 'drain', timeoutMs: 100, streamsMs: 100 })
    expect(early.result).toMatchObject({ ok: false, evidence: expect.stringContaining('1 in flight') })
    const held = ask('/')
    await until(async () => (await status(client)).counters.heldNow === 1)
    const late = client.request({ kind: 'drain', timeoutMs: 20_000, streamsMs: 100 })
    upload.end('ended')
    const [answer] = await uploaded
    answer.resume()
    expect(answer.statusCode).toBe(200)
    expect((await late).result?.ok).toBe(true)
    await client.request({ kind: 'gate', mode: 'pass', reason: 'installed' })
    expect(await held).toBe('200 close')
  })

  it('is not to be started by hand', () => {
    const prefix = toyPrefix(tempFolder(), { mode: 'proxy' })
    const told = spawnSync(process.execPath, [cutover, 'serve', prefix.root, '--succeed', '--json'], {
      encoding: 'utf8',
    })
    expect(told.status).toBe(2)
  })
})
