import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ControlClient, connectControl } from '../../src/gate/control/client.ts'
import { controlSocket } from '../../src/gate/control/protocol.ts'
import { prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import type { DriverKind } from '../../src/service/driver.ts'
import { until } from './toy-prefix.ts'

/** A `cutover serve` that was started on a prefix. */
export interface ServedDriver {
  /** What it has said so far. */
  output(): string
  /** Kill it, as a machine short of memory does. What it runs goes on. */
  kill(): Promise<void>
  /** End it in good order. */
  end(): Promise<void>
}

/** A driver, and the machine that it is tried on. */
export interface DriverUnderTest {
  readonly driver: DriverKind
  /** A folder that everybody may go through, as services see it and as this process does. */
  readonly folder: { readonly inside: string; readonly outside: string }
  /** How the gate stands in front of the service; a proxy when absent. */
  readonly mode?: 'proxy' | 'handover'
  /** The Node that runs the service. */
  readonly node: string
  /** What is added to the service of the recipe that listens, or said instead. */
  readonly web?: object
  /** The same for the other, which writes down that it was there. */
  readonly worker?: object
  /** Files of each release. */
  readonly files?: Readonly<Record<string, string>>
  /** Whether memory and processes are limited here. */
  readonly hasGroups: boolean
  /** Whether what comes after a service waits until that says that it is ready. */
  readonly notifies?: boolean
  /** Whether what started the serving process follows the one that takes its place. */
  readonly followsSuccessor?: boolean
  /** Whether a variable may hold line ends. */
  readonly takesLines: boolean
  /** Run `cutover serve` on a prefix. */
  serve(prefix: string): Promise<ServedDriver>
  /** Tell whether the driver still knows anything of a prefix. */
  remains(): string
}

const nobody = 65534
const strange = 'a b $HOME ${SECRET} "q" \'r\' %h %% \\ ; # = ünï `id`'

interface State {
  readonly uid: number
  readonly gid: number
  readonly openFiles: number
  readonly secret: string
  readonly environment: Readonly<Record<string, string>>
}

/** What every driver does, on a real prefix behind a real gate. `open` is called once the tests begin. */
export function driverContract(open: () => Promise<DriverUnderTest>): void {
  let under: DriverUnderTest
  let prefix: DriverPrefix
  let served: ServedDriver
  let client: ControlClient

  async function serve(): Promise<void> {
    served = await under.serve(prefix.inside)
    client = await until(async () => connectControl(path.join(prefix.outside, controlSocket)))
  }

  beforeAll(async () => {
    under = await open()
    prefix = driverPrefix(under)
    prefix.addRelease('1.0.0')
    prefix.addRelease('2.0.0')
    prefix.addRelease('3.0.0', { STUBBORN: 'yes' })
    prefix.addRelease('4.0.0', {}, ['/bin/sh', '-c', 'echo no such luck; exit 3'])
    prefix.switchTo('1.0.0')
    await serve()
    await healthy()
  })
  afterAll(() => served?.end())

  const services = async () => (await client.request({ kind: 'status' })).status.services
  const web = async () => (await services()).find(service => service.name === 'web')!
  async function healthy(): Promise<void> {
    let evidence: unknown
    const ask = async () => {
      const { result } = await client.request({ kind: 'probe' })
      evidence = result?.evidence
      return result?.ok
    }
    await until(ask).catch(caught => {
      throw new Error(`${evidence}\n${served.output()}`, { cause: caught })
    })
  }
  const state = async () => JSON.parse(await prefix.get('/state')) as State
  const log = () => fs.readFileSync(path.join(prefix.outside, 'run/log/web.log'), 'utf8')
  /** What an installer asks. */
  async function change(version: string): Promise<void> {
    await client.request({ kind: 'gate', mode: 'hold', reason: version, deadlineMs: 30_000 })
    await client.request({ kind: 'drain', timeoutMs: 5000, streamsMs: 100 })
    await client.request({ kind: 'stop' })
    prefix.switchTo(version)
    await client.request({ kind: 'start', version })
    await healthy()
    await client.request({ kind: 'gate', mode: 'pass', reason: version })
  }

  it('runs services in their order, with the jobs around them', async () => {
    expect(await services()).toMatchObject([
      { name: 'web', state: 'running', restarts: 0 },
      { name: 'worker', state: 'running', restarts: 0 },
    ])
    const order = () => fs.readFileSync(path.join(prefix.outside, 'shared/data/order'), 'utf8')
    await until(async () => order().includes('worker'))
    const last = under.notifies ? `worker ${nobody}\nready ${nobody}\n` : `worker ${nobody}\n`
    expect(order()).toBe(`before ${nobody}\nafter ${nobody}\n${last}`)
    expect(log()).toContain('version 1.0.0 begins')
  })

  it('gives it its user, its environment to the letter, its secrets, and no other', async () => {
    const { uid, gid, environment, secret } = await state()
    expect({ uid, gid }).toEqual({ uid: nobody, gid: nobody })
    expect(environment).toMatchObject({ STRANGE: strange, VERSION: '1.0.0', TOKEN: 'very secret' })
    if (under.takesLines) expect(environment['LINES']).toBe('one\n\n  "two"\\\n$three\n')
    expect(secret).toBe('filed secret')
    expect(Object.keys(environment)).not.toContain('CUTOVER_CONTRACT')
  })

  it('gives it all its sockets, by their names', async () => {
    if (under.mode === 'handover') expect(await prefix.get('/', 'admin')).toBe('admin')
  })

  it('limits it', async () => {
    expect((await state()).openFiles).toBe(512)
    if (!under.hasGroups) return
    expect(Number(await prefix.get('/spawn?count=80'))).toBeLessThan(70)
    const before = (await web()).restarts
    await prefix.get('/allocate').catch(() => {})
    await until(async () => (await web()).restarts > before && (await web()).state === 'running')
    await healthy()
  })

  it('starts it again when it crashes, while requests wait', async () => {
    const before = await web()
    await prefix.get('/crash').catch(() => {})
    await until(async () => (await web()).pid !== before.pid)
    const answer = await state()
    expect(answer.environment['VERSION']).toBe('1.0.0')
    const after = await until(async () => {
      const now = await web()
      return now.restarts > before.restarts && now.state === 'running' && now
    })
    expect(after.pid).not.toBe(before.pid)
  })

  it('goes to another version with a hold, and back, without a failed request', async () => {
    let isOver = false
    const seen: string[] = []
    const asking = (async () => {
      const version = async () => (await state()).environment['VERSION']!
      while (!isOver) seen.push(await version().catch(caught => `failed: ${caught}`))
    })()
    await change('2.0.0')
    await until(async () => seen.at(-1) === '2.0.0')
    await change('1.0.0')
    await until(async () => seen.at(-1) === '1.0.0')
    isOver = true
    await asking
    expect(seen.join(' ')).toMatch(/^(1\.0\.0 ?)*(2\.0\.0 ?)+(1\.0\.0 ?)+$/)
    expect(log()).toContain('asked to end')
  })

  it('kills what does not end in its time', async () => {
    await change('3.0.0')
    const startedMs = performance.now()
    await client.request({ kind: 'stop' })
    expect(performance.now() - startedMs).toBeGreaterThan(900)
    expect(await prefix.alive()).toEqual([])
    expect(under.remains()).toBe('')
  })

  it('does not start what a job before it fails for, and says what the job said', async () => {
    const failed = client.request({ kind: 'start', version: '4.0.0' })
    await expect(failed).rejects.toMatchObject({ code: 'SERVICE_JOB_FAILED' })
    await expect(failed).rejects.toThrow('no such luck')
    expect(under.remains()).toBe('')
  })

  it('goes on when the serving process is replaced, and is the business of its successor then', async () => {
    await client.request({ kind: 'start', version: '1.0.0' })
    await healthy()
    if (under.followsSuccessor !== true) return
    const { pid } = (await client.request({ kind: 'status' })).status
    const before = await services()
    const replaced = await client.request({ kind: 'upgrade' }, { timeoutMs: 60_000 })
    expect(replaced.status.pid).not.toBe(pid)
    expect(replaced.status.services.map(service => service.pid)).toEqual(before.map(service => service.pid))
    await prefix.get('/crash').catch(() => {})
    await until(async () => (await web()).restarts === 1 && (await web()).state === 'running')
    await healthy()
  })

  it('ends what a killed serving process left, by its name', async () => {
    const before = await prefix.alive()
    await served.kill()
    // Both services; what they start themselves comes and goes.
    expect((await prefix.alive()).filter(pid => before.includes(pid)).length).toBeGreaterThanOrEqual(2)
    await serve()
    await healthy()
    expect((await prefix.alive()).filter(pid => before.includes(pid))).toEqual([])
    await served.end()
    expect(await prefix.alive()).toEqual([])
    expect(under.remains()).toBe('')
    await serve()
  })
}

interface DriverPrefix {
  readonly inside: string
  readonly outside: string
  addRelease(version: string, environment?: Readonly<Record<string, string>>, before?: readonly string[]): void
  switchTo(version: string): void
  /** Ask what listens, at its public socket or another. */
  get(path: string, socket?: 'public' | 'admin'): Promise<string>
  /** The processes of its services. */
  alive(): Promise<readonly number[]>
}

function driverPrefix(under: DriverUnderTest): DriverPrefix {
  const [inside, outside] = [path.join(under.folder.inside, 'prefix'), path.join(under.folder.outside, 'prefix')]
  const paths = prefixPaths(outside)
  for (const folder of [paths.releases, paths.run, path.join(paths.shared, 'data')])
    fs.mkdirSync(folder, { recursive: true })
  fs.chownSync(paths.shared, nobody, nobody)
  fs.chownSync(path.join(paths.shared, 'data'), nobody, nobody)
  const identity = {
    schema: 1,
    layout: 1,
    application: 'toy',
    repository: 'file:///nowhere',
    environment: 'production',
  }
  const filed = path.join(paths.shared, 'data/filed')
  fs.writeFileSync(filed, 'filed secret', { mode: 0o600 })
  fs.chownSync(filed, nobody, nobody)
  fs.writeFileSync(paths.identity, JSON.stringify({ ...identity, variables: {} }))
  return {
    inside,
    outside,
    addRelease: (version, environment = {}, before) => {
      const release = releasePaths(paths, version)
      fs.mkdirSync(release.metadata, { recursive: true })
      fs.writeFileSync(release.record, '{}')
      fs.copyFileSync(path.join(import.meta.dirname, 'driver-app.mjs'), path.join(release.root, 'app.mjs'))
      for (const [name, content] of Object.entries(under.files ?? {}))
        fs.writeFileSync(path.join(release.root, name), content)
      fs.writeFileSync(release.recipe, JSON.stringify(recipe(under, environment, before)))
    },
    switchTo: version => {
      fs.rmSync(paths.current, { force: true })
      fs.symlinkSync(path.join('releases', version), paths.current)
    },
    get: (place, socket = 'public') => get(path.join(outside, `run/${socket}.sock`), place),
    alive: async () => processesOf(inside),
  }
}

function recipe(under: DriverUnderTest, environment: Readonly<Record<string, string>>, before?: readonly string[]) {
  const note = (what: string) => ['/bin/sh', '-c', `echo ${what} $(id -u) >>"$DATA/order"`]
  // Late, so that who does not wait is before it.
  const work = 'sleep 0.2; echo worker $(id -u) >>"$DATA/order"'
  const tell = 'systemd-notify --ready'
  const lines = under.takesLines ? { LINES: 'one\n\n  "two"\\\n$$three\n' } : {}
  return {
    schema: 1,
    name: 'toy',
    environments: { production: { variables: { DATA: path.join(under.folder.inside, 'prefix/shared/data') } } },
    node: {
      runtime: { kind: 'none' },
      driver: under.driver,
      user: 'nobody',
      services: [
        {
          name: 'web',
          command: [under.node, '${release}/app.mjs'],
          environment: {
            SOCKET: '${socket}',
            VERSION: '${version}',
            // This machine's may be for root alone, and Node reads it.
            OPENSSL_CONF: '/dev/null',
            TOKEN: 'very secret',
            FILED_FILE: '${shared}/data/filed',
            STRANGE: strange.replaceAll('$', '$$$$'),
            ...lines,
            ...environment,
          },
          listens: true,
          stopTimeout: '1s',
          limits: { openFiles: 512, ...(under.hasGroups ? { memory: '160MiB', processes: 60, cpu: 2 } : {}) },
          before: [{ run: before ?? note('before') }],
          after: [{ run: note('after') }],
          ...under.web,
        },
        {
          name: 'worker',
          command: [
            '/bin/sh',
            '-c',
            `${work}; ${under.notifies ? `${tell}; ` : ''}trap "exit 0" TERM; sleep 600 & wait`,
          ],
          stopTimeout: '1s',
          ...(under.notifies ? { readiness: 'notify', after: [{ run: note('ready') }] } : {}),
          ...under.worker,
        },
      ],
      health: { http: { path: '/state', contains: '"VERSION":"${version}"' }, interval: '20ms', deadline: '10s' },
      gate: { mode: under.mode ?? 'proxy', listen: under.mode === 'handover' ? [listen, admin] : listen },
    },
  }
}

const listen = 'unix:${prefix}/run/public.sock'
const admin = { address: 'unix:${prefix}/run/admin.sock', name: 'admin' }

function get(socketPath: string, place: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path: place, agent: false }, response => {
      text(response).then(
        body => (response.statusCode === 200 ? resolve(body) : reject(new Error(`${response.statusCode}: ${body}`))),
        reject,
      )
    })
    request.once('error', reject)
  })
}

/** The processes that have a folder in their environment and are nobody's: services and their jobs, in whatever name space. */
function processesOf(folder: string): readonly number[] {
  const pids = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids
    .filter(pid => {
      try {
        if (fs.statSync(`/proc/${pid}`).uid !== nobody) return false
        return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`DATA=${folder}/`)
      } catch {
        // Ended meanwhile.
        return false
      }
    })
    .map(Number)
}
