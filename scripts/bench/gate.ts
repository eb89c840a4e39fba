/*
 * node scripts/bench/gate.ts [SECONDS] [CONNECTIONS]
 *
 * What a gate costs: requests per second and latency of an application reached directly, through `cutover serve` in mode proxy, and in
 * mode handover. Clients, gate and application share the machine's cores: compare the rows of one run. With wrk on PATH its figures stand
 * beside ours. What a hold costs is in hold.ts.
 */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { freePort } from '../../tests/support/ports.ts'
import { type Serving, startServing, toyPrefix, until } from '../../tests/support/toy-prefix.ts'

const [first, ...rest] = process.argv.slice(2)
if (first === 'clients') await clients(Number(rest[0]), Number(rest[1]), Number(rest[2]))
else await bench(Number(first ?? 5), Number(rest[0] ?? 64))

/** Requests that were answered, and their latencies in milliseconds. */
interface Load {
  readonly perSecond: number
  readonly medianMs: number
  readonly p99Ms: number
}

async function bench(seconds: number, connections: number): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
  const rows: string[][] = []
  try {
    const direct = await startDirect()
    rows.push(await row('application alone', direct.port, seconds, connections))
    direct.stop()
    for (const mode of ['proxy', 'handover'] as const) {
      const serving = await startGate(path.join(work, mode), mode)
      rows.push(await row(mode, serving.port, seconds, connections))
      await serving.end('SIGTERM')
    }
    print(['case', 'requests/s', 'median ms', 'p99 ms', 'wrk requests/s'], rows)
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

async function startDirect(): Promise<{ readonly port: number; readonly stop: () => void }> {
  const port = await freePort()
  const app = path.join(import.meta.dirname, '..', '..', 'tests', 'support', 'toy-app.ts')
  const child = spawn(process.execPath, [app], { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' })
  await until(async () => isOpen(port))
  return { port, stop: () => void child.kill('SIGKILL') }
}

async function startGate(root: string, mode: 'proxy' | 'handover', gate = {}): Promise<Serving> {
  fs.mkdirSync(root)
  const prefix = toyPrefix(root, { mode, gate })
  prefix.addRelease('1.0.0')
  prefix.switchTo('1.0.0')
  const serving = await startServing(root)
  await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
  return serving
}

async function row(name: string, port: number, seconds: number, connections: number): Promise<string[]> {
  await load(port, 1, connections)
  const { perSecond, medianMs, p99Ms } = await load(port, seconds, connections)
  return [name, perSecond.toFixed(0), medianMs.toFixed(2), p99Ms.toFixed(2), wrk(port, seconds, connections)]
}

/** Load in a process of its own, so that our event loop is not measured. */
function load(port: number, seconds: number, connections: number): Promise<Load> {
  const argv = [import.meta.filename, 'clients', String(port), String(seconds), String(connections)]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', piece => {
    text += piece
  })
  return new Promise(resolve => child.once('close', () => resolve(JSON.parse(text) as Load)))
}

function wrk(port: number, seconds: number, connections: number): string {
  const ran = spawnSync('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, `http://127.0.0.1:${port}/echo`], {
    encoding: 'utf8',
  })
  return /Requests\/sec:\s+([\d.]+)/.exec(ran.stdout ?? '')?.[1] ?? 'not installed'
}

/** Keep connections busy, one request at a time on each; bytes are counted, not parsed, to cost as little as can be. */
async function clients(port: number, seconds: number, connections: number): Promise<void> {
  const latencies: number[] = []
  const endMs = performance.now() + seconds * 1000
  await Promise.all(Array.from({ length: connections }, () => client(port, endMs, latencies)))
  latencies.sort((a, b) => a - b)
  const report: Load = {
    perSecond: latencies.length / seconds,
    medianMs: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  }
  process.stdout.write(JSON.stringify(report))
}

function client(port: number, endMs: number, latencies: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    let sentMs = 0
    let text = ''
    const ask = () => {
      sentMs = performance.now()
      socket.write('GET /echo HTTP/1.1\r\nHost: bench\r\n\r\n')
    }
    socket.once('connect', ask)
    socket.once('error', reject)
    socket.once('close', () => resolve())
    socket.on('data', piece => {
      text += piece.toString('latin1')
      // The toy application's body ends so, and nothing before it does.
      if (!text.includes('"bytes":0}')) return
      text = ''
      latencies.push(performance.now() - sentMs)
      if (performance.now() < endMs) ask()
      else socket.destroy()
    })
  })
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function isOpen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

function print(columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map(cells => cells[index]!.length)))
  for (const cells of [columns, ...rows]) {
    console.log(
      cells
        .map((cell, index) => (index === 0 ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!)))
        .join('  '),
    )
  }
  console.log('')
}
