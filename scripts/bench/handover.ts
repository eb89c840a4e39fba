/*
 * node scripts/bench/handover.ts [ROUNDS] [SECONDS] [CONNECTIONS]
 *
 * What mode handover costs while requests pass: requests per second of an application alone, given its socket by a process that does
 * nothing else, and behind `cutover serve` in mode handover. The application and whoever stands beside it have one processor, wrk the
 * other. All three run all the time and are asked in turns, forth and back, for a processor's own speed changes by a factor of two within
 * seconds on many machines: what counts is the ratio within a round, and its median. Besides: processor time of the application per
 * request, which load of others does not change, and of the gate. At last, how long a hold worker takes until it accepts.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { connectControl } from '../../src/gate/control/client.ts'
import { controlSocket } from '../../src/gate/control/protocol.ts'
import { freePort } from '../../tests/support/ports.ts'
import { startServing, toyPrefix, until } from '../../tests/support/toy-prefix.ts'

const app = path.join(import.meta.dirname, '..', '..', 'tests', 'support', 'toy-app.ts')
const [rounds, seconds, connections] = [8, 1, 64].map((usual, index) => Number(process.argv[2 + index] ?? usual)) as [
  number,
  number,
  number,
]

/** An application that is asked. */
interface Case {
  readonly name: string
  readonly port: number
  readonly pid: number
  /** Who is beside it. */
  readonly beside: number | undefined
  readonly end: () => Promise<unknown>
}

/** One round of one case. Times of processors in microseconds per request. */
interface Round {
  readonly perSecond: number
  readonly cpuMicros: number
  readonly besideMicros: number
}

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
// Children have our processor.
spawnSync('taskset', ['--cpu-list', '--pid', '1', String(process.pid)])
const cases: Case[] = []
try {
  cases.push(await alone(), await held(), await gated())
  for (const each of cases) measure(each)
  const measured = new Map(cases.map(each => [each, [] as Round[]]))
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? cases : cases.toReversed()
    for (const each of order) measured.get(each)!.push(measure(each))
  }
  const first = measured.get(cases[0]!)!
  const columns = ['case', 'requests/s', 'least', 'most', 'of alone', 'cpu us', 'of alone', 'beside us']
  print(
    columns,
    cases.map(each => row(each.name, measured.get(each)!, first)),
  )
  print(['hold worker', 'median ms', 'least', 'most'], [await workerStarts(cases[2]!)])
} finally {
  for (const each of cases) await each.end()
  fs.rmSync(work, { recursive: true, force: true })
}

function row(name: string, all: readonly Round[], first: readonly Round[]): string[] {
  const rates = all.map(round => round.perSecond)
  const ratio = (of: (round: Round) => number) => median(all.map((round, index) => of(round) / of(first[index]!)))
  return [
    name,
    median(rates).toFixed(0),
    Math.min(...rates).toFixed(0),
    Math.max(...rates).toFixed(0),
    ratio(round => round.perSecond).toFixed(3),
    median(all.map(round => round.cpuMicros)).toFixed(1),
    ratio(round => round.cpuMicros).toFixed(3),
    median(all.map(round => round.besideMicros)).toFixed(2),
  ]
}

async function alone(): Promise<Case> {
  const port = await freePort()
  const child = start({ PORT: String(port) })
  await until(() => isOpen(port))
  return { name: 'application alone', port, pid: child.pid!, beside: undefined, end: () => end(child) }
}

async function held(): Promise<Case> {
  const bound = new net.BoundSocket({ host: '127.0.0.1', port: 0 })
  const { port } = bound.address()
  const child = start({}, bound.fd())
  await until(() => isOpen(port))
  const close = async () => {
    await end(child)
    bound.close()
  }
  return { name: 'given its socket', port, pid: child.pid!, beside: undefined, end: close }
}

function start(environment: Readonly<Record<string, string>>, descriptor?: number): ChildProcess {
  const become = ['/bin/sh', '-c', 'export LISTEN_PID=$$; exec "$@"', 'sh', process.execPath, app] as const
  const argv = descriptor === undefined ? [process.execPath, app] : become
  return spawn(argv[0]!, argv.slice(1), {
    env: { VERSION: '1.0.0', ...environment },
    stdio: ['ignore', 'ignore', 'inherit', ...(descriptor === undefined ? [] : [descriptor])],
    // In a session of its own as behind the gate: a busy machine may share processors out by session. Source: sched(7), autogroups.
    detached: true,
  })
}

async function gated(): Promise<Case> {
  const prefix = toyPrefix(work, { mode: 'handover' })
  prefix.addRelease('1.0.0')
  prefix.switchTo('1.0.0')
  const serving = await startServing(work)
  await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
  const { services } = (await serving.client.request({ kind: 'status' })).status
  return {
    name: 'handover',
    port: serving.port,
    pid: services[0]!.pid!,
    beside: serving.child.pid!,
    end: () => serving.end('SIGTERM'),
  }
}

function measure({ port, pid, beside }: Case): Round {
  const before = { own: cpuMicros(pid), beside: beside === undefined ? 0 : cpuMicros(beside) }
  const argv = ['--cpu-list', '0', 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, `http://127.0.0.1:${port}/echo`]
  const { stdout, error } = spawnSync('taskset', argv, { encoding: 'utf8' })
  if (error !== undefined) throw error
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1])
  const count = number(/(\d+) requests in/)
  return {
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    cpuMicros: (cpuMicros(pid) - before.own) / count,
    besideMicros: beside === undefined ? 0 : (cpuMicros(beside) - before.beside) / count,
  }
}

/** What a process has had of processors. Source: proc(5), /proc/PID/schedstat, in nanoseconds; its threads have their own. */
function cpuMicros(pid: number): number {
  const tasks = fs.readdirSync(`/proc/${pid}/task`)
  const times = tasks.map(task => Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
  return times.reduce((sum, each) => sum + each, 0) / 1000
}

/** A hold has begun when a worker accepts; until then the application does. */
async function workerStarts({ port }: Case): Promise<string[]> {
  const client = (await connectControl(path.join(work, controlSocket)))!
  const times: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    await client.request({ kind: 'gate', mode: 'pass', reason: 'bench' })
    await until(() => isOpen(port))
    const beganMs = performance.now()
    await client.request({ kind: 'gate', mode: 'hold', reason: 'bench', deadlineMs: 60_000 })
    times.push(performance.now() - beganMs)
  }
  await client.request({ kind: 'gate', mode: 'pass', reason: 'bench' })
  return ['until it accepts', median(times).toFixed(0), Math.min(...times).toFixed(0), Math.max(...times).toFixed(0)]
}

function end(child: ChildProcess): Promise<unknown> {
  const closed = new Promise(resolve => child.once('close', resolve))
  child.kill('SIGKILL')
  return closed
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

function isOpen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => socket.destroy())
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
}

function print(columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map(cells => cells[index]!.length)))
  for (const cells of [columns, ...rows]) {
    const padded = cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[index]!)))
    console.log(padded.join('  '))
  }
  console.log('')
}
