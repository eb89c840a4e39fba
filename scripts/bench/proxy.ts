/*
 * node scripts/bench/proxy.ts [SECONDS] [ROUNDS] [CONNECTIONS]
 *
 * What a proxy costs: requests per second, latency, throughput and processor time per request of ours beside nginx, HAProxy, the npm
 * packages http-proxy and http-proxy-3 (of the folder BENCH_NPM, where they are installed), no proxy at all, and a raw TCP pipe in Node, which
 * is the floor for anything written in it. Load (wrk) and backend (nginx) have one processor, the proxy has the other alone; all rounds go
 * through all cases, medians are shown. Needs wrk, nginx, haproxy and taskset. On a machine that does other things at the same time
 * only the processor time per request is steady.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {
  type BenchServer,
  nodeProxies,
  type ProxyKind,
  resolvePeer,
  serveAs,
  startBackend,
  startProxy,
} from './lib/proxy-peers.ts'

const [first, ...rest] = process.argv.slice(2)
if (first === 'serve') {
  const kind = nodeProxies.find(name => name === rest[0])
  if (kind !== undefined) await serveAs(kind, Number(rest[1]), Number(rest[2]))
} else await bench({ seconds: Number(first ?? 5), rounds: Number(rest[0] ?? 3), connections: Number(rest[1] ?? 64) })

interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly connections: number
}

/** What one run of one case showed. */
interface Run {
  readonly perSecond: number
  readonly medianMs: number
  readonly p99Ms: number
  readonly megabytesPerSecond: number
  readonly cpuMicros: number
  readonly residentMiB: number
  readonly faults: string
}

type Case = ProxyKind | 'direct'

async function bench({ seconds, rounds, connections }: Options): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
  fs.mkdirSync(path.join(work, 'tmp'))
  fs.chmodSync(work, 0o755)
  try {
    console.log(`${rounds} rounds of ${seconds} s; load of the machine ${os.loadavg()[0]!.toFixed(1)}\n`)
    const small = await measure({ work, seconds, rounds, connections, sizeBytes: 6 })
    print(`6 bytes, ${connections} connections`, small)
    const large = await measure({ work, seconds, rounds, connections: 16, sizeBytes: 1024 * 1024 })
    print('1 MiB, 16 connections', large)
    compare(small, large)
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

interface Measured extends Options {
  readonly work: string
  readonly sizeBytes: number
}

async function measure(options: Measured): Promise<ReadonlyMap<Case, readonly Run[]>> {
  const runs = new Map<Case, Run[]>(cases().map(name => [name, []]))
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [name, all] of runs) all.push(await run(name, options))
  }
  return runs
}

function cases(): readonly Case[] {
  const folder = process.env.BENCH_NPM ?? '.'
  const peers = (['http-proxy', 'http-proxy-3'] as const).filter(name => resolvePeer(folder, name) !== undefined)
  return ['direct', 'pipe', 'gate', ...peers, 'nginx', 'haproxy']
}

async function run(name: Case, { work, seconds, connections, sizeBytes }: Measured): Promise<Run> {
  const backend = await startBackend(work, sizeBytes, name === 'direct' ? 1 : 0)
  const proxy = name === 'direct' ? backend : await startProxy(name, { work, backend: backend.port, cpu: 1 })
  try {
    await load(proxy.port, 1, connections)
    return await observe(proxy, seconds, connections)
  } finally {
    if (proxy !== backend) await proxy.stop()
    await backend.stop()
  }
}

async function observe(server: BenchServer, seconds: number, connections: number): Promise<Run> {
  const before = server.cpuSeconds()
  const text = await load(server.port, seconds, connections)
  const requests = Number(/(\d+) requests in/.exec(text)?.[1])
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    medianMs: milliseconds(/50%\s+(\S+)/.exec(text)?.[1]),
    p99Ms: milliseconds(/99%\s+(\S+)/.exec(text)?.[1]),
    megabytesPerSecond: megabytes(/Transfer\/sec:\s+(\S+)/.exec(text)?.[1]),
    cpuMicros: ((server.cpuSeconds() - before) / requests) * 1e6,
    residentMiB: server.residentMiB(),
    faults: /(?:Socket errors|Non-2xx or 3xx responses): .*/.exec(text)?.[0] ?? '',
  }
}

/** Load by wrk, in a process of its own. */
function load(port: number, seconds: number, connections: number): Promise<string> {
  const argv = ['-c', '0', 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', `http://127.0.0.1:${port}/`]
  const child = spawn('taskset', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', piece => {
    text += piece
  })
  return new Promise(resolve => child.once('close', () => resolve(text)))
}

function milliseconds(text = ''): number {
  const [, value, unit] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? []
  return Number(value) * { us: 0.001, ms: 1, s: 1000 }[unit ?? 'ms']!
}

function megabytes(text = ''): number {
  const [, value, unit] = /^([\d.]+)(B|KB|MB|GB)$/.exec(text) ?? []
  return (Number(value) * { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }[unit ?? 'B']!) / 1e6
}

function median(runs: readonly Run[], figure: (run: Run) => number): number {
  const sorted = runs.map(figure).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function print(title: string, runs: ReadonlyMap<Case, readonly Run[]>): void {
  const columns = [title, 'requests/s', 'median ms', 'p99 ms', 'MB/s', 'CPU µs/request', 'RSS MiB', 'faults']
  const rows = [...runs].map(([name, all]) => [
    name,
    median(all, each => each.perSecond).toFixed(0),
    median(all, each => each.medianMs).toFixed(2),
    median(all, each => each.p99Ms).toFixed(2),
    median(all, each => each.megabytesPerSecond).toFixed(0),
    median(all, each => each.cpuMicros).toFixed(1),
    median(all, each => each.residentMiB).toFixed(0),
    [...new Set(all.map(each => each.faults))].join(' '),
  ])
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map(cells => cells[index]!.length)))
  for (const cells of [columns, ...rows]) {
    const padded = cells.map((cell, index) =>
      index === 0 ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!),
    )
    console.log(padded.join('  ').trimEnd())
  }
  console.log('')
}

/** Set ours against what was asked for. */
function compare(small: ReadonlyMap<Case, readonly Run[]>, large: ReadonlyMap<Case, readonly Run[]>): void {
  const ratio = (runs: typeof small, figure: (run: Run) => number, other: Case) =>
    median(runs.get('gate')!, figure) / median(runs.get(other) ?? [], figure)
  const tell = (what: string, value: number, goal: string) =>
    console.log(`${what.padEnd(56)} ${value.toFixed(2).padStart(6)}  (${goal})`)
  for (const peer of ['http-proxy', 'http-proxy-3'] as const) {
    if (!small.has(peer)) continue
    tell(
      `requests/s, ours : ${peer}`,
      ratio(small, each => each.perSecond, peer),
      'at least 2',
    )
    tell(`requests per processor second, ours : ${peer}`, 1 / ratio(small, each => each.cpuMicros, peer), 'at least 2')
  }
  tell(
    'requests/s, ours : nginx',
    ratio(small, each => each.perSecond, 'nginx'),
    'at least 0.5',
  )
  tell('requests per processor second, ours : nginx', 1 / ratio(small, each => each.cpuMicros, 'nginx'), 'at least 0.5')
  tell(
    'p99, ours : nginx',
    ratio(small, each => each.p99Ms, 'nginx'),
    'at most 2',
  )
  tell(
    '1 MiB throughput, ours : HAProxy',
    ratio(large, each => each.megabytesPerSecond, 'haproxy'),
    'at least 0.8',
  )
  tell(
    'processor time, ours : raw pipe in Node',
    ratio(small, each => each.cpuMicros, 'pipe'),
    'the floor is 1',
  )
}
