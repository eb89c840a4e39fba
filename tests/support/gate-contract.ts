import http from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FrontSettings, frontSettings } from '../../src/gate/front/settings.ts'
import type { Gate, ServiceDoor } from '../../src/gate/gate.ts'
import type { GateMode } from '../../src/gate/machine/machine.ts'
import { gate as recipeGate } from '../../src/recipe/schema/gate.ts'
import { isLong } from './kill-points.ts'
import { rawClient } from './raw-client.ts'
import { until } from './toy-prefix.ts'

/** How the gates of the contract behave. */
export const contractSettings: FrontSettings = frontSettings(
  recipeGate.parse({
    hold: { requests: 4, age: '20s' },
    ramp: { perSecond: 1000 },
    backoff: { retryAfter: 30, routes: [{ prefix: '/1.5/', shape: 'weave' }] },
    healthPaths: ['/up'],
  }),
)

/** A way to stand in front of an application. */
export interface GateStand {
  /** Where clients come. */
  readonly port: number
  /** Open the gate, or open it again after it was closed: on the same places. */
  readonly open: (mode: GateMode) => Promise<Gate>
  /** The server of the machine, where one stands in front. */
  readonly server?: {
    readonly start: () => Promise<void>
    readonly kill: () => Promise<void>
    readonly reload: () => Promise<void>
  }
}

/** Modes in which something is done again: each costs its time. */
const modes: readonly GateMode[] = isLong ? ['pass', 'hold', 'backoff', 'drain'] : ['pass', 'hold']

/** What a client got. */
interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

interface App {
  readonly version: string
  readonly paths: readonly string[]
  /** Let the requests to `/slow` end. */
  readonly finishSlow: () => void
  readonly stop: (returns?: boolean) => Promise<void>
}

/** Hold a way to stand in front of an application to what every gate promises. `histories`: how many random ones it goes through. */
export function gateContract(
  makeStand: () => Promise<GateStand>,
  { hasServer, histories }: { readonly hasServer: boolean; readonly histories: number },
): void {
  let stand: GateStand
  let gate: Gate
  let app: App

  beforeAll(async () => {
    stand = await makeStand()
    // The server comes after the gate, for it reads what that writes.
    gate = await stand.open('pass')
    await stand.server?.start()
    app = await startApp(gate.overlap!.live(), '1')
  })
  beforeEach(async () => {
    await gate.enter('pass')
    await isServed()
  })
  afterAll(async () => {
    await stand.server?.kill()
    await gate.close()
    await app.stop()
  })

  const ask = (path: string, options: AskOptions = {}) => request(stand.port, path, options)
  const held = (count: number) => until(async () => gate.counters().heldNow === count)
  const upgrade = async (version: string) => {
    await app.stop()
    app = await startApp(gate.overlap!.live(), version)
  }
  const reopen = async (mode: GateMode) => {
    await gate.close()
    gate = await stand.open(mode)
    await upgrade(app.version)
  }
  /** Wait until requests go where they go in mode pass: round us where a server is in front. */
  const isServed = () =>
    until(async () => {
      const before = gate.counters().requests
      const { status } = await ask('/ready')
      return status === 200 && (stand.server === undefined || gate.counters().requests === before)
    })

  describe('passing', () => {
    it('brings requests to the application whole, and says whose they are', async () => {
      const answer = await ask('/upload?a=%2F', { method: 'POST', body: 'x'.repeat(300_000) })
      expect(JSON.parse(answer.text)).toEqual({
        version: app.version,
        method: 'POST',
        path: '/upload?a=%2F',
        bytes: 300_000,
        host: `127.0.0.1:${stand.port}`,
        forwardedFor: '127.0.0.1',
        forwardedProto: 'http',
      })
    })

    it('has what finds the application away wait for it', async () => {
      await app.stop(true)
      const answers = [ask('/a'), ask('/b', { method: 'POST', body: 'hello' })]
      await held(2)
      app = await startApp(gate.overlap!.live(), '1b')
      expect((await Promise.all(answers)).map(({ text }) => JSON.parse(text).version)).toEqual(['1b', '1b'])
    })
  })

  describe('holding', () => {
    it('lets nothing through, within its bounds, and answers outer health checks', async () => {
      await gate.enter('hold')
      const before = app.paths.length
      const waiting = Array.from({ length: 4 }, (_, index) => ask(`/held/${index}`))
      await held(4)
      const refused = await ask('/too-many')
      expect(refused.status).toBe(503)
      expect(refused.headers['retry-after']).toMatch(/^\d+$/)
      expect((await ask('/up')).status).toBe(200)
      expect(app.paths.length).toBe(before)
      await gate.enter('pass')
      expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    })

    it('forgets who hangs up', async () => {
      await gate.enter('hold')
      const client = await rawClient(stand.port)
      client.send('GET /gone HTTP/1.1\r\nHost: a\r\n\r\n')
      await held(1)
      client.socket.destroy()
      await held(0)
      await gate.enter('pass')
      await isServed()
      expect(app.paths).not.toContain('/gone')
    })

    it('empties the application and lets what waited go to the next version, in order, bodies whole', async () => {
      const slow = ask('/slow')
      await until(async () => app.paths.includes('/slow'))
      await gate.enter('hold')
      expect(await gate.drain({ timeoutMs: 30, streamsMs: 0 })).toMatchObject({ ok: false })
      const waiting: Promise<Answer>[] = []
      for (let index = 0; index < 3; index += 1) {
        waiting.push(ask(`/next/${index}`, { method: 'POST', body: 'y'.repeat(100_000 + index) }))
        await held(index + 1)
      }
      app.finishSlow()
      expect(await gate.drain({ timeoutMs: 5000, streamsMs: 0 })).toMatchObject({ ok: true })
      expect(JSON.parse((await slow).text).version).toBe(app.version)
      await upgrade('2')
      // Far enough from each other that they arrive as they were sent: each on a connection of its own.
      gate.configure({ ...contractSettings, rampPerSecond: 20 })
      await gate.enter('pass')
      const answers = (await Promise.all(waiting)).map(({ text }) => JSON.parse(text))
      expect(answers.map(({ version, bytes }) => [version, bytes])).toEqual([
        ['2', 100_000],
        ['2', 100_001],
        ['2', 100_002],
      ])
      expect(app.paths.filter(each => each.startsWith('/next/'))).toEqual(['/next/0', '/next/1', '/next/2'])
      gate.configure(contractSettings)
    })

    it('keeps a connection whatever happens between its requests', async () => {
      const client = await rawClient(stand.port)
      const send = (path: string) => client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      send('/one')
      await client.has('"/one"')
      await gate.enter('hold')
      send('/two')
      await held(1)
      await upgrade('3')
      await gate.enter('pass')
      await client.has('"/two"')
      send('/three')
      expect((await client.has('"/three"')).match(/HTTP\/1.1 200/g)).toHaveLength(3)
      client.socket.destroy()
    })
  })

  it('goes from one version to the next beside it, and nobody waits', async () => {
    const overlap = gate.overlap!
    const before = app
    const slow = ask('/slow')
    await until(async () => before.paths.includes('/slow'))
    const { held: heldBefore } = gate.counters()
    app = await startApp(overlap.open(), `${before.version}+`)
    await overlap.promote()
    const versions = async () => JSON.parse((await ask('/now')).text).version
    await until(async () => (await versions()) === app.version)
    expect(await overlap.drain({ timeoutMs: 20, streamsMs: 0 })).toMatchObject({ ok: false })
    before.finishSlow()
    expect(await overlap.drain({ timeoutMs: 5000, streamsMs: 0 })).toMatchObject({ ok: true })
    expect(JSON.parse((await slow).text).version).toBe(before.version)
    await before.stop()
    overlap.close()
    await isServed()
    expect(await versions()).toBe(app.version)
    expect(gate.counters().held).toBe(heldBefore)
  })

  describe('turning away', () => {
    it.each(['backoff', 'drain'] as const)(
      'tells clients in mode %s when to come again, in their own language',
      async mode => {
        await gate.enter(mode)
        const [json, weave, page] = [
          await ask('/api'),
          await ask('/1.5/1/storage', { method: 'PUT', body: '{}' }),
          await ask('/', { headers: { accept: 'text/html' } }),
        ]
        for (const { status, headers } of [json, weave, page]) {
          expect(status).toBe(503)
          expect(headers['cache-control']).toBe('no-store')
          for (const name of ['retry-after', 'x-weave-backoff', 'x-backoff'])
            expect(headers[name]).toMatch(/^[1-9]\d*$/)
          expect(headers['x-weave-maintenance']).toBeDefined()
        }
        expect([weave.text, weave.headers['content-type']]).toEqual(['0', 'application/json'])
        expect(JSON.parse(json.text)).toMatchObject({ error: 'unavailable' })
        expect(page.headers['content-type']).toContain('text/html')
        expect((await ask('/up')).status).toBe(mode === 'drain' ? 503 : 200)
      },
    )

    it('sends those who wait away as well', async () => {
      await gate.enter('hold')
      const waiting = [ask('/a'), ask('/b', { method: 'POST', body: 'x' })]
      await held(2)
      await gate.enter('backoff')
      expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([503, 503])
    })
  })

  it('lets clients in one after the other while the application recovers, and all of them after that', async () => {
    await gate.enter('pass', { kind: 'recovery', elapsedMs: 0, lastsMs: 60_000, perSecond: 1 })
    await until(async () => (await ask('/returns')).status === 503)
    await gate.enter('pass')
    await isServed()
  })

  it.each(modes)('goes on in mode %s after our process was another', async mode => {
    await gate.enter(mode)
    await reopen(mode)
    await expectMode(mode)
  })

  describe.runIf(hasServer)('a server in front', () => {
    it.each(modes)('goes on in mode %s after a reload and a restart', async mode => {
      await gate.enter(mode)
      if (mode === 'pass') await isServed()
      for (const again of [() => stand.server!.reload(), restart]) {
        await again()
        await expectMode(mode)
      }
    })

    it('that is down is told of, and everything stays as it was', async () => {
      await stand.server!.kill()
      await expect(gate.enter('hold')).rejects.toMatchObject({ code: 'GATE_SERVER_UNREACHABLE' })
      await stand.server!.start()
      await isServed()
    })
  })

  it('does what its mode says through any history', async () => {
    const step = fc.constantFrom('pass', 'hold', 'backoff', 'drain', 'upgrade', 'reopen', 'reload')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async steps => {
        await gate.enter('pass')
        await goThrough(steps)
      }),
      { numRuns: isLong ? histories * 20 : histories },
    )
  })

  async function restart(): Promise<void> {
    await stand.server!.kill()
    await stand.server!.start()
  }

  async function expectMode(mode: GateMode): Promise<void> {
    if (mode === 'pass') await isServed()
    else if (mode !== 'hold') expect((await ask('/turned-away')).status).toBe(503)
    else {
      const before = gate.counters().heldNow
      const client = await rawClient(stand.port)
      client.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n')
      await held(before + 1)
      client.socket.destroy()
      await held(before)
    }
  }

  async function goThrough(steps: readonly string[]): Promise<void> {
    let mode: GateMode = 'pass'
    let version = 100
    let waiting: Promise<Answer>[] = []
    for (const step of [...steps, 'pass']) {
      if (step === 'upgrade') await upgrade(String(++version))
      else if (step === 'reload') await stand.server?.reload()
      else if (step === 'reopen') {
        // Whoever waits when our process ends is not answered.
        if (waiting.length === 0) await reopen(mode)
      } else {
        mode = step as GateMode
        await gate.enter(mode)
      }
      if (mode !== 'hold') {
        for (const { status } of await Promise.all(waiting)) expect(status).toBe(mode === 'pass' ? 200 : 503)
        waiting = []
      }
      if (mode === 'hold' && waiting.length < 4) {
        waiting.push(ask('/waits', { method: 'POST', body: 'z' }))
        await held(waiting.length)
      } else if (mode === 'pass') {
        const answer = await ask('/passes')
        expect([answer.status, JSON.parse(answer.text).version]).toEqual([200, app.version])
      } else if (mode !== 'hold') expect((await ask('/turned-away')).status).toBe(503)
    }
  }
}

interface AskOptions {
  readonly method?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Ask once, on a connection of its own. */
function request(port: number, path: string, { method = 'GET', body, headers = {} }: AskOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) }
    const outgoing = http.request(
      { host: '127.0.0.1', port, path, method, agent: false, headers: { ...headers, ...length } },
      response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', piece => {
          text += piece
        })
        response.once('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
        response.once('error', reject)
      },
    )
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

/** Start a version of an application behind a gate, as a serving process does. */
async function startApp(door: ServiceDoor, version: string): Promise<App> {
  const paths: string[] = []
  const slow = new Set<() => void>()
  const place = await door.prepareService('port')
  const server = http.createServer(async (request, response) => {
    paths.push(request.url!)
    let bytes = 0
    for await (const piece of request) bytes += piece.length
    if (request.url === '/slow') await new Promise<void>(resolve => slow.add(resolve))
    const { host } = request.headers
    const forwardedFor = request.headers['x-forwarded-for']
    const forwardedProto = request.headers['x-forwarded-proto']
    response.end(
      JSON.stringify({ version, method: request.method, path: request.url, bytes, host, forwardedFor, forwardedProto }),
    )
  })
  await new Promise<void>(resolve => server.listen(Number(place.port), '127.0.0.1', resolve))
  door.serviceStarted()
  return {
    version,
    paths,
    finishSlow: () => {
      for (const finish of slow) finish()
    },
    stop: async (returns = false) => {
      door.serviceStopping()
      await new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeIdleConnections()
      })
      door.serviceEnded(returns)
    },
  }
}
