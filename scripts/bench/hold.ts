/*
 * node scripts/bench/hold.ts [ROUNDS]
 *
 * What a hold costs those who are held, over real sockets and a real `cutover serve`.
 *
 * First, the release: from the moment that a hold of 1,000 requests is ended to the last answer, beside what the ramp asks for. Second, what
 * a hold adds to the time that the application was away, the ramp out of the way: 50 requests wait while an installer replaces the version
 * (hold, drain, stop, start, wait for health, pass), or while nobody does and a service that crashed is started again. Shown is from the
 * moment that the version accepts to each answer. Beside it stands the same without a gate, of 50 clients that are told when it accepts by
 * one that tries every millisecond: the first answers of a program that has just begun take their time. On a busy machine: chrt -r 10 node ...
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { ServingProcess } from '../../src/flow/serving.ts'
import { accepts } from '../../src/gate/http1/upstream.ts'
import { advanceRamp, rampAllowance, startRamp } from '../../src/gate/machine/ramp.ts'
import { delay, systemClock } from '../../src/sys/clock.ts'
import { freePort } from '../../tests/support/ports.ts'
import { type Serving, startServing, type ToyPrefix, toyPrefix, until } from '../../tests/support/toy-prefix.ts'

const heldRequests = 50
const health = { interval: 1000, timeout: 5000, successes: 1, failures: 2, startup: 0, deadline: 10_000, watch: 0 }
const rounds = Number(process.argv[2] ?? 5)
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
try {
  print(['held', 'ramp', 'asked for, ms', 'first answer, ms', 'median, ms', 'last, ms'], await releases())
  print(
    ['from accepting to the answer', 'requests', 'median, ms', 'p99, ms', 'most, ms'],
    [
      await answers('without a gate', direct),
      await behindGate('held during an upgrade', upgrade),
      await behindGate('held during a restart', crash),
    ],
  )
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}

/** A prefix that is served, with two versions to go back and forth between. */
async function served(name: string, gate: object): Promise<{ readonly prefix: ToyPrefix; readonly serving: Serving }> {
  const root = path.join(work, name)
  fs.mkdirSync(root)
  const prefix = toyPrefix(root, { mode: 'proxy', gate })
  for (const version of ['1.0.0', '1.1.0']) prefix.addRelease(version)
  prefix.switchTo('1.0.0')
  const serving = await startServing(root)
  await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
  return { prefix, serving }
}

/** When an answer came, and when the version that gave it began to accept, since 1970. */
interface Answered {
  readonly answeredMs: number
  readonly listeningMs: number
}

/** One request on a connection of its own. */
function ask(port: number): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path: '/echo', agent: false }, response => {
      response.resume()
      response.once('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`))
        resolve({ answeredMs: nowMs(), listeningMs: Number(response.headers['x-listening-ms']) })
      })
    })
    request.once('error', reject)
  })
}

async function heldNow({ client }: Serving): Promise<number> {
  return (await client.request({ kind: 'status' })).status.counters.heldNow
}

/** Ask so many at once that the gate holds, and wait until it does. */
async function hold(serving: Serving, count: number) {
  const asked = Array.from({ length: count }, () => ask(serving.port))
  await until(async () => (await heldNow(serving)) === count)
  return asked
}

async function releases(): Promise<string[][]> {
  const rows: string[][] = []
  for (const [count, perSecond] of [
    [100, 200],
    [1000, 200],
    [1000, 1000],
    [1000, 100_000],
  ] as const) {
    const { serving } = await served(`release-${count}-${perSecond}`, { ramp: { perSecond } })
    await serving.client.request({ kind: 'gate', mode: 'hold', reason: 'bench' })
    const asked = await hold(serving, count)
    const passMs = nowMs()
    await serving.client.request({ kind: 'gate', mode: 'pass', reason: 'bench' })
    const times = (await Promise.all(asked)).map(({ answeredMs }) => answeredMs - passMs).toSorted((a, b) => a - b)
    const figures = [rampMs(count, perSecond), times[0]!, quantile(times, 0.5), times.at(-1)!]
    rows.push([String(count), `${perSecond}/s, doubling`, ...figures.map(ms => ms.toFixed(1))])
    await serving.end('SIGTERM')
  }
  return rows
}

/** How long the ramp takes to let the last of so many go. */
function rampMs(count: number, perSecond: number): number {
  let ramp = startRamp({ perSecond }, 0)
  for (let ms = 0; ; ms += 0.1) {
    ramp = advanceRamp(ramp, ms, { perSecond }, undefined)
    if (rampAllowance(ramp, ms) >= count) return ms
  }
}

/** Have requests wait while the application is away, again and again, and see how long after its return their answers come. */
async function answers(name: string, away: (round: number) => Promise<readonly Answered[]>): Promise<string[]> {
  const late: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    late.push(...(await away(round)).map(({ answeredMs, listeningMs }) => answeredMs - listeningMs))
  }
  late.sort((a, b) => a - b)
  const figures = [quantile(late, 0.5), quantile(late, 0.99), late.at(-1)!].map(ms => ms.toFixed(1))
  return [name, String(late.length), ...figures]
}

async function behindGate(
  name: string,
  away: (serving: Serving, prefix: ToyPrefix, version: string) => Promise<readonly Answered[]>,
): Promise<string[]> {
  const { prefix, serving } = await served(name.replaceAll(' ', '-'), { ramp: { perSecond: 100_000 } })
  const row = await answers(name, round => away(serving, prefix, round % 2 === 0 ? '1.1.0' : '1.0.0'))
  await serving.end('SIGTERM')
  return row
}

/** The application alone, and clients that come as soon as it accepts. */
async function direct(): Promise<readonly Answered[]> {
  const port = await freePort()
  const app = path.join(import.meta.dirname, '..', '..', 'tests', 'support', 'toy-app.ts')
  const child = spawn(process.execPath, [app], { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' })
  while (!(await accepts({ kind: 'tcp', host: '127.0.0.1', port }, 1000))) await delay(1)
  const all = await Promise.all(Array.from({ length: heldRequests }, () => ask(port)))
  child.kill('SIGKILL')
  return all
}

async function upgrade(serving: Serving, prefix: ToyPrefix, version: string) {
  const installer = new ServingProcess(serving.client, systemClock)
  const { client } = serving
  await installer.enterHold(`→ ${version}`, 60_000)
  const asked = await hold(serving, heldRequests)
  await client.request({ kind: 'drain', timeoutMs: 5000, streamsMs: 0 })
  await installer.stop([5000])
  prefix.switchTo(version)
  await installer.start(version, 10_000)
  await installer.awaitHealth(health)
  await installer.leaveHold('bench')
  return Promise.all(asked)
}

/** The service ends by itself; the serving process starts it again. */
async function crash(serving: Serving) {
  // No GET: that would be sent once more, to the one that was started again.
  const options = { method: 'POST', port: serving.port, host: '127.0.0.1', path: '/crash', agent: false }
  http.request(options, response => response.resume()).end()
  await until(async () => {
    const { status } = await serving.client.request({ kind: 'status' })
    return status.services.every(({ state }) => state !== 'running')
  })
  const asked = Array.from({ length: heldRequests }, () => ask(serving.port))
  return Promise.all(asked)
}

function nowMs(): number {
  return performance.timeOrigin + performance.now()
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function print(columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map(cells => cells[index]!.length)))
  for (const cells of [columns, ...rows]) {
    const padded = cells.map((cell, index) =>
      index === 0 ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!),
    )
    console.log(padded.join('  '))
  }
  console.log('')
}
