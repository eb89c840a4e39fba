/*
 * node scripts/bench/gate-servers.ts [SECONDS] [CONNECTIONS]
 *
 * What a gate costs whose server is HAProxy or nginx: requests per second with wrk through each of them, configured as `cutover gate config`
 * prints it, in mode pass, beside the same server with the same configuration but for the choice where a request goes; and how long it takes from the word to
 * hold until requests wait, and from the word to pass until they go round us again. Compare the rows of one run.
 */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { haproxyRouter } from '../../src/gate/drivers/haproxy.ts'
import { haproxySnippet } from '../../src/gate/drivers/haproxy-snippet.ts'
import { nginxRouter } from '../../src/gate/drivers/nginx.ts'
import { nginxSnippet } from '../../src/gate/drivers/nginx-snippet.ts'
import { openOutsideGate } from '../../src/gate/drivers/outside.ts'
import type { Router } from '../../src/gate/drivers/router.ts'
import { waitingAddress } from '../../src/gate/drivers/waiting-socket.ts'
import { frontSettings } from '../../src/gate/front/settings.ts'
import type { Gate } from '../../src/gate/gate.ts'
import { gate as recipeGate } from '../../src/recipe/schema/gate.ts'
import {
  type FrontServer,
  groupOf,
  haproxyServer,
  jailOf,
  nginxCheck,
  nginxServer,
} from '../../tests/support/front-servers.ts'
import { freePort, untilListening } from '../../tests/support/ports.ts'

const [seconds = '4', connections = '32'] = process.argv.slice(2)
const switches = 20

interface Stand {
  readonly router: Router
  readonly place: { readonly folder: string; readonly group: string }
  readonly server: FrontServer
  /** The same server without any part of ours. */
  readonly plain: FrontServer
}

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
fs.chmodSync(work, 0o711)
try {
  const throughput: string[][] = []
  const times: string[][] = []
  for (const kind of ['haproxy', 'nginx'] as const) await benchServer(kind, throughput, times)
  print(
    ['server', 'plain requests/s', 'gate: requests/s', 'plain: CPU µs', 'gate: CPU µs', 'ratio', 'through us'],
    throughput,
  )
  print(['server', 'to hold: median ms', 'longest ms', 'to pass and go round us: median ms', 'longest ms'], times)
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}

async function benchServer(kind: 'haproxy' | 'nginx', throughput: string[][], times: string[][]): Promise<void> {
  const folder = path.join(work, kind)
  fs.mkdirSync(folder)
  const [port, plainPort] = [await freePort(), await freePort()]
  const plainApp = await startApp(await freePort())
  const stand = (kind === 'haproxy' ? haproxyStand : nginxStand)(folder, port, { port: plainPort, app: plainApp.port })
  const settings = frontSettings(recipeGate.parse({}))
  const gate = await openOutsideGate({
    router: stand.router,
    place: stand.place,
    address: { kind: 'tcp', host: '127.0.0.1', port },
    settings,
    runFolder: folder,
    mode: 'pass',
    expectsService: true,
    tell: () => {},
  })
  const service = await gate.prepareService('port')
  const app = await startApp(Number(service.port))
  gate.serviceStarted()
  await stand.server.start()
  await stand.plain.start()
  await untilDirect(gate, port)
  const before = gate.counters().requests
  const rounds = [1, 2, 3].map(() => [load(stand.plain, plainPort), load(stand.server, port)] as const)
  const through = gate.counters().requests - before
  const best = (index: 0 | 1, of: (figures: Load) => number) =>
    rounds.map(round => of(round[index])).toSorted((x, y) => x - y)
  const [plain, ours] = [best(0, each => each.cpuMicros)[0]!, best(1, each => each.cpuMicros)[0]!]
  const perSecond = ([0, 1] as const).map(index => best(index, each => -each.perSecond)[0]! * -1)
  throughput.push([
    kind,
    ...perSecond.map(each => each.toFixed(0)),
    ...[plain, ours].map(each => each.toFixed(1)),
    (plain / ours).toFixed(3),
    String(through),
  ])
  const took = await measureSwitches(gate, port)
  times.push([kind, median(took.hold), longest(took.hold), median(took.pass), longest(took.pass)])
  await stand.server.kill()
  await stand.plain.kill()
  await gate.close()
  app.stop()
  plainApp.stop()
}

async function measureSwitches(gate: Gate, port: number) {
  const [hold, pass]: [number[], number[]] = [[], []]
  for (let round = 0; round < switches; round += 1) {
    let startedMs = performance.now()
    await gate.enter('hold')
    hold.push(performance.now() - startedMs)
    startedMs = performance.now()
    await gate.enter('pass')
    await untilDirect(gate, port)
    pass.push(performance.now() - startedMs)
  }
  return { hold, pass }
}

async function untilDirect(gate: Gate, port: number): Promise<void> {
  for (;;) {
    const before = gate.counters().requests
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    await answer.text()
    if (answer.status === 200 && gate.counters().requests === before) return
  }
}

interface Plain {
  readonly port: number
  readonly app: number
}

function haproxyStand(folder: string, port: number, plain: Plain): Stand {
  const jail = jailOf(folder)
  const place = { folder: path.join(jail ?? folder, 'waiting'), group: groupOf('haproxy') }
  const places = {
    socket: path.join(folder, 'admin.sock'),
    map: path.join(folder, 'routes.map'),
    key: 'shop',
    name: 'shop',
    stateFile: path.join(folder, 'state'),
  }
  const snippet = haproxySnippet(places, place, { ...snippetOptions(port), chroot: jail })
  const plainFolder = path.join(folder, 'plain')
  fs.mkdirSync(plainFolder)
  const text = snippet
    .replace(/use_backend .*/, 'use_backend shop-app')
    .replace(/ +(?:load-server-state-from-file|server-state-file-name) .*\n/g, '')
    .replace('server app 127.0.0.1:1\n', `server app 127.0.0.1:${plain.app}\n`)
    .replace(`bind 127.0.0.1:${port}`, `bind 127.0.0.1:${plain.port}`)
  return {
    router: haproxyRouter(places),
    place,
    server: haproxyServer(folder, port, () => snippet),
    plain: haproxyServer(plainFolder, plain.port, () => text),
  }
}

function nginxStand(folder: string, port: number, plain: Plain): Stand {
  const place = { folder: path.join(folder, 'waiting'), group: groupOf('nginx') }
  const places = {
    name: 'shop',
    file: path.join(folder, 'upstreams.conf'),
    pidFile: path.join(folder, 'nginx.pid'),
    check: nginxCheck(folder),
    waiting: waitingAddress(place),
  }
  const snippet = nginxSnippet(places, snippetOptions(port))
  const plainFolder = path.join(folder, 'plain')
  fs.mkdirSync(plainFolder)
  const text = snippet
    .replace(/^include .*$/m, `upstream app { server 127.0.0.1:${plain.app}; }`)
    .replace(/ +set \$\w+_route [^}]*?;\n(?: +if [^}]*}\n)+/, '')
    .replace(/proxy_pass .*/, 'proxy_pass http://app;')
    .replace(`listen 127.0.0.1:${port}`, `listen 127.0.0.1:${plain.port}`)
  return {
    router: nginxRouter(places),
    place,
    server: nginxServer(folder, port, () => snippet),
    plain: nginxServer(plainFolder, plain.port, () => text),
  }
}

function snippetOptions(port: number) {
  const listening = [{ kind: 'tcp', host: '127.0.0.1', port }] as const
  return { prefix: '/var/shop', listening, trust: ['127.0.0.0/8'], answerTimeoutMs: 90_000, idleTimeoutMs: 75_000 }
}

async function startApp(port: number): Promise<{ readonly port: number; readonly stop: () => void }> {
  const app = path.join(import.meta.dirname, '..', '..', 'tests', 'support', 'toy-app.ts')
  const child = spawn(process.execPath, [app], { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' })
  await untilListening(port)
  return { port, stop: () => void child.kill('SIGKILL') }
}

interface Load {
  readonly perSecond: number
  /** What the server needed of a processor for each request: says the same on a busy machine. */
  readonly cpuMicros: number
}

function load(server: FrontServer, port: number): Load {
  const argv = ['-t1', `-c${connections}`, `-d${seconds}s`, `http://127.0.0.1:${port}/`]
  const before = cpuMs(server.group())
  const { stdout } = spawnSync('wrk', argv, { encoding: 'utf8' })
  const count = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? Number.NaN)
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? Number.NaN)
  return { perSecond, cpuMicros: ((cpuMs(server.group()) - before) * 1000) / count }
}

/** Add up what the processes of a group have used. Source: proc(5), utime and stime in ticks of 10 ms. */
function cpuMs(group: number): number {
  return fs
    .readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(name =>
      statOf(name)
        .replace(/^.*\) /s, '')
        .split(' '),
    )
    .filter(fields => Number(fields[2]) === group)
    .reduce((sum, fields) => sum + (Number(fields[11]) + Number(fields[12])) * 10, 0)
}

/** One that has ended says nothing. */
function statOf(name: string): string {
  try {
    return fs.readFileSync(`/proc/${name}/stat`, 'utf8')
  } catch {
    return ''
  }
}

function median(values: readonly number[]): string {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!.toFixed(1)
}

function longest(values: readonly number[]): string {
  return Math.max(...values).toFixed(1)
}

function print(head: readonly string[], rows: readonly (readonly string[])[]): void {
  process.stdout.write(`${[head, ...rows].map(row => row.map(cell => cell.padEnd(24)).join('')).join('\n')}\n\n`)
}
