import { execFile } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commitChange, type Fixture, makeFixtureRepository } from '../../fixtures/make-repository.ts'
import { brokenPromises } from '../../scripts/load/load.ts'
import { spawnLoad } from '../../scripts/load/spawn.ts'
import type { InstallResult } from '../../src/flow/install-report.ts'
import type { RollbackResult } from '../../src/flow/rollback.ts'
import type { StatusResult } from '../../src/flow/status.ts'
import type { Transaction } from '../../src/prefix/state.ts'
import { isLong } from '../support/kill-points.ts'
import { desktopStorage, desktopToken, rustStorage, rustToken } from '../support/mozilla-clients.ts'
import { makeOperator, type Running } from '../support/operator.ts'
import { needTool } from '../support/tools.ts'
import { startWeaveLoad } from '../support/weave-load.ts'

/*
 * The whole chain as operators type it, both applications in both modes: release init, cut, upload, serve; cutover init, bin/install,
 * cutover serve; a change, cut, upload; bin/install under load; bin/rollback, bin/verify, bin/status, bin/history.
 *
 * What is promised of requests meanwhile: in mode `proxy` none fails, and no connection is closed under a client that keeps it. In mode
 * `handover` the application owns its connections and closes them when it ends: none fails of clients that heed `Connection: close` and, as
 * RFC 9112 §9.3.1 says, ask again with a GET whose idle connection was gone.
 */

const chains = {
  notes: { application: 'notes', versions: ['1.1.3', '1.1.4'], health: '/health' },
  weave: { application: 'weave-server', versions: ['2.0.0', '2.1.0'], health: '/__heartbeat__' },
} as const
type Mode = 'proxy' | 'handover'
/** In mode handover both are upgraded under load by tests/flow/fixtures as well: the whole chain there is for the long run. */
const modes: readonly Mode[] = isLong ? ['proxy', 'handover'] : ['proxy']

const hasPython = needTool('python3', 'pyproject-build', 'pip3')
const fixtures: readonly Fixture[] = hasPython ? ['notes', 'weave'] : ['notes']

/** A server with one application. */
interface Server {
  readonly prefix: string
  readonly serving: Running
  /** Stop the load; the answer is every promise that it saw broken. */
  readonly stopLoad: () => Promise<readonly string[]>
}

/** Whom pip would ask if we let it. */
const asked: string[] = []
const index = http.createServer((request, response) => {
  asked.push(request.url ?? '')
  response.writeHead(404).end()
})
index.listen(0, '127.0.0.1')
await once(index, 'listening')
const indexUrl = `http://127.0.0.1:${(index.address() as AddressInfo).port}/simple/`
afterAll(() => void index.close())

const operator = makeOperator({ PIP_INDEX_URL: indexUrl, PIP_EXTRA_INDEX_URL: indexUrl, PIP_FIND_LINKS: '/nonsense' })
const servers = new Map<string, Server>()
let repository: Running

beforeAll(async () => {
  await Promise.all(fixtures.map(fixture => makeFixtureRepository({ fixture, folder: operator.at(fixture) })))
  for (const fixture of fixtures) {
    const { application } = chains[fixture]
    await operator.succeed(
      fixture,
      'release',
      'init',
      '../repository',
      '--keys',
      '../keys',
      '--application',
      application,
    )
  }
  await publish(0)
  repository = await operator.start('.', 'release', 'serve', 'repository', '--listen', '127.0.0.1:0')
  const places = fixtures.flatMap(fixture => modes.map(mode => ({ fixture, mode })))
  await Promise.all(
    places.map(async ({ fixture, mode }) => servers.set(`${fixture} ${mode}`, await makeServer(fixture, mode))),
  )
  await Promise.all(
    fixtures.map(fixture =>
      commitChange({ fixture, folder: operator.at(fixture), version: chains[fixture].versions[1] }),
    ),
  )
  await publish(1)
})

/** Cut and upload a version of every application. The load goes on meanwhile. */
async function publish(which: 0 | 1): Promise<void> {
  const cuts = fixtures.map(fixture => operator.succeed(fixture, 'release', 'cut', chains[fixture].versions[which]))
  await Promise.all(cuts)
  for (const fixture of fixtures) await operator.succeed(fixture, 'release', 'upload')
}

async function makeServer(fixture: Fixture, mode: Mode): Promise<Server> {
  const { application, versions } = chains[fixture]
  const prefix = `${fixture}-${mode}`
  const from = ['--repository', `http://${repository.address}`, '--application', application]
  await operator.succeed('.', 'cutover', 'init', prefix, ...from, '--mode', mode, '--set', 'PORT=0')
  await operator.succeed(prefix, 'bin/install', '--version', versions[0])
  if (fixture === 'weave') editConfiguration(prefix)
  const serving = await operator.start('.', 'cutover', 'serve', prefix)
  return { prefix, serving, stopLoad: startLoad(fixture, mode, `http://${serving.address}`) }
}

function startLoad(fixture: Fixture, mode: Mode, url: string): Server['stopLoad'] {
  if (fixture === 'weave') {
    const load = startWeaveLoad(url, { clients: 2, pauseMs: 50 })
    return async () => {
      const { failures, lost } = await load.stop()
      return lost === 0 ? failures : [...failures, `${lost} objects were lost`]
    }
  }
  const load = spawnLoad({ url, readers: 2, writers: 1, slowReaders: 1, pauseMs: 60 })
  return async () => {
    const report = await load.stop()
    const backedOff = report.backedOff === 0 ? [] : [`${report.backedOff} requests were turned away`]
    return [...brokenPromises(mode === 'proxy' ? report : { ...report, retried: 0 }), ...backedOff]
  }
}

const serverOf = (fixture: Fixture, mode: Mode) => servers.get(`${fixture} ${mode}`)!
const urlOf = (server: Server) => `http://${server.serving.address}`

async function servedVersion(fixture: Fixture, server: Server): Promise<string> {
  const answer = await fetch(`${urlOf(server)}${chains[fixture].health}`)
  return ((await answer.json()) as { readonly version: string }).version
}

describe.each(modes)('in mode %s', mode => {
  it.concurrent.each(fixtures)('%s is upgraded under load and goes back, and nobody notices', async fixture => {
    const server = serverOf(fixture, mode)
    const [first, second] = chains[fixture].versions
    const upgrade = await operator.succeed(server.prefix, 'bin/install', '--version', second)
    expect(upgrade).toMatchObject({ version: second, from: first, changed: true } satisfies Partial<InstallResult>)
    expect((upgrade as InstallResult).heldRequests).toBeGreaterThan(0)
    expect(await servedVersion(fixture, server)).toBe(second)

    const again = await operator.run(server.prefix, 'bin/install', '--version', second)
    const { application } = chains[fixture]
    expect(again).toMatchObject({
      exitCode: 0,
      stdout: `${application} ${second} is active already: nothing to do\n`,
      stderr: '',
    })

    const back = await operator.succeed(server.prefix, 'bin/rollback')
    expect(back).toMatchObject({ version: first, from: second } satisfies Partial<RollbackResult>)
    expect(await servedVersion(fixture, server)).toBe(first)
    expect(await server.stopLoad()).toEqual([])

    expect(await operator.succeed(server.prefix, 'bin/verify')).toMatchObject({ versions: [first] })
    const status = (await operator.succeed(server.prefix, 'bin/status')) as StatusResult
    expect(status).toMatchObject({ active: first, serving: { version: first, gateMode: mode, gate: { mode: 'pass' } } })
    const history = (await operator.succeed(server.prefix, 'bin/history')) as readonly Transaction[]
    expect(history.map(({ command, version, outcome }) => `${command} ${version} ${outcome}`)).toEqual([
      `install ${first} committed`,
      `install ${second} committed`,
      `rollback ${first} committed`,
    ])
  })
})

/** What configuration files were made by hand. */
const edited = new Map<string, string>()

/** Do what an administrator does with the file that is theirs. */
function editConfiguration(prefix: string): void {
  const file = operator.at(prefix, 'shared/weave.ini')
  const text = fs.readFileSync(file, 'utf8').replace('seconds = 0', '; by hand\nseconds = 1000')
  fs.writeFileSync(file, text)
  edited.set(prefix, text)
}

describe.skipIf(!hasPython)('weave, the classic process', () => {
  it.each(modes)('has its virtualenv at its final path, filled from the vendor folder alone (%s)', async mode => {
    const { prefix } = serverOf('weave', mode)
    for (const version of chains.weave.versions) {
      const release = operator.at(prefix, 'releases', version)
      const script = [
        'import sys, weave_server, importlib.metadata as metadata',
        'print(sys.prefix, weave_server.__file__)',
        'print(sorted(f"{each.name} {each.version}" for each in metadata.distributions()))',
      ].join('\n')
      const { stdout } = await promisify(execFile)(path.join(release, 'venv/bin/python'), ['-c', script], { cwd: '/' })
      const [places = '', packages] = stdout.split('\n')
      expect(places).toMatch(new RegExp(`^${release}/venv ${release}/venv/lib/.*/weave_server/__init__.py$`))
      expect(packages).toBe(`['weave-headers 1.4.0', 'weave-server ${version}']`)
    }
    expect(asked).toEqual([])
  })

  it.each(modes)('runs from it (%s)', async mode => {
    const { prefix } = serverOf('weave', mode)
    const { active, serving } = (await operator.succeed(prefix, 'bin/status')) as StatusResult
    const words = fs.readFileSync(`/proc/${serving!.services[0]!.pid}/cmdline`, 'utf8').split('\0')
    expect(words[0]).toBe(operator.at(prefix, 'releases', active!, 'venv/bin/python'))
  })

  it.each(modes)(
    'keeps the .ini that was edited by hand, through an upgrade and back, and goes by it (%s)',
    async mode => {
      const server = serverOf('weave', mode)
      expect(fs.readFileSync(operator.at(server.prefix, 'shared/weave.ini'), 'utf8')).toBe(edited.get(server.prefix))
      const { headers } = await fetch(`${urlOf(server)}/__heartbeat__`)
      expect(Number(headers.get('x-weave-backoff'))).toBeGreaterThanOrEqual(1000)
    },
  )

  it.each(modes)('sends its clients away in words that each of them understands, when told to (%s)', async mode => {
    const server = serverOf('weave', mode)
    await operator.succeed(server.prefix, 'bin/gate', 'backoff', '--reason', 'moving the database', '--for', '10m')
    const storage = await ask(`${urlOf(server)}/1.5/1/info/collections`)
    expect(storage).toMatchObject({ status: 503, body: '0', headers: { 'x-weave-maintenance': expect.anything() } })
    for (const name of ['retry-after', 'x-weave-backoff', 'x-backoff'])
      expect(storage.headers[name]).toMatch(/^[1-9]\d*$/)
    const seconds = Number(storage.headers['retry-after'])
    expect([desktopStorage.learns(storage), rustStorage.learns(storage)]).toEqual([seconds, seconds])
    const token = await ask(`${urlOf(server)}/token/1.0/sync/1.5?uid=1`)
    expect(token.status).toBe(503)
    expect(desktopToken.learns(token)).toBe(rustToken.learns(token))
    await operator.succeed(server.prefix, 'bin/gate', 'pass')
    expect((await ask(`${urlOf(server)}/token/1.0/sync/1.5?uid=1`)).status).toBe(200)
  })

  it('is found by pip in the index of the repository, its dependency too', async () => {
    const { PIP_FIND_LINKS: _, ...environment } = process.env
    const folder = operator.at('downloads')
    const download = ['-m', 'pip', 'download', '--no-cache-dir', '--dest', folder]
    const from = ['--index-url', `http://${repository.address}/simple/`, 'weave-server==2.0.0']
    await promisify(execFile)('/usr/bin/python3', [...download, ...from], {
      env: { ...environment, PIP_CONFIG_FILE: '/dev/null' },
    })
    expect(fs.readdirSync(folder).toSorted()).toEqual([
      'weave_headers-1.4.0-py3-none-any.whl',
      'weave_server-2.0.0-py3-none-any.whl',
    ])
  })
})

it.skipIf(!hasPython)('a branch of weave goes to a test environment as a snapshot', async () => {
  const git = (...args: string[]) => promisify(execFile)('git', args, { cwd: operator.at('weave') })
  await git('switch', '--quiet', '--create', 'topic')
  await git('commit', '--quiet', '--allow-empty', '--message', 'feat: try something')
  const { version } = (await operator.succeed('weave', 'release', 'cut', '--snapshot')) as { readonly version: string }
  await operator.succeed('weave', 'release', 'upload', version)
  const from = ['--repository', `http://${repository.address}`, '--application', 'weave-server']
  await operator.succeed('.', 'cutover', 'init', 'staging', ...from, '--environment', 'staging')
  await operator.succeed('staging', 'bin/install', '--version', version)
  const python = operator.at('staging/current/venv/bin/python')
  const script = 'import weave_server; print(weave_server.__version__)'
  const { stdout } = await promisify(execFile)(python, ['-c', script], { cwd: '/' })
  // As PEP 440 wants it: pip refuses 2.1.1-git….
  expect(stdout).toMatch(/^2\.1\.1\.dev\d{8}\+g[0-9a-f]{7}\n$/)
})

async function ask(url: string) {
  const answer = await fetch(url)
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() }
}

it('everything that serves ends when it is asked to', async () => {
  const exits = await Promise.all([...servers.values()].map(({ serving }) => serving.stop()))
  expect([...exits, await repository.stop()]).toEqual([...servers.values(), repository].map(() => 0))
})
