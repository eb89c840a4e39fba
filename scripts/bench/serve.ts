/*
 * node scripts/bench/serve.ts [SECONDS] [RUNS]
 *
 * Serve the same folder with `release serve` and with nginx, as `release init` configures it, and put the same load on both in turn with
 * wrk (Debian packages nginx and wrk): a large file over one connection and over four, ranges of 16 KiB of it, and a small file.
 * Rates are medians, lowest and highest; everything lies below TMPDIR: use a tmpfs. nginx has a process for each core, we have one.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { formatBytes } from '../../src/core/quantity.ts'
import { defaultSettings, descriptionBytes } from '../../src/repository/description.ts'
import { renderNginx } from '../../src/repository/nginx.ts'
import { repositoryFile } from '../../src/trust/layout.ts'
import { freePort, untilListening } from '../../tests/support/ports.ts'

const [secondsText = '2', runsText = '5'] = process.argv.slice(2)
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
const root = path.join(work, 'repository')
const release = path.resolve(import.meta.dirname, '../../src/bin/release.ts')
const large = { key: 'pool/bench/1.0.0/large.bin', sizeBytes: 256 * 1024 * 1024 }
const small = { key: 'pool/bench/1.0.0/small.bin', sizeBytes: 4096 }

/** What is asked for by how many at once. `unit` is what a rate counts. */
const loads = [
  { what: 'large, 1 connection', key: large.key, connections: 1, unit: 'bytes' },
  { what: 'large, 4 connections', key: large.key, connections: 4, unit: 'bytes' },
  { what: 'ranges of 16 KiB, 16', key: large.key, connections: 16, unit: 'requests', range: 'bytes=1000000-1016383' },
  { what: 'small, 16', key: small.key, connections: 16, unit: 'requests' },
] as const
type Load = (typeof loads)[number]

const children: ChildProcess[] = []
try {
  fs.chmodSync(work, 0o755)
  for (const { key, sizeBytes } of [large, small]) {
    fs.mkdirSync(path.dirname(path.join(root, key)), { recursive: true })
    fs.writeFileSync(path.join(root, key), randomBytes(sizeBytes))
  }
  const [ours, theirs] = [await freePort(), await freePort()]
  const settings = {
    schema: 1,
    name: 'bench',
    url: `http://127.0.0.1:${theirs}/`,
    aptKey: '',
    ...defaultSettings,
  } as const
  fs.writeFileSync(path.join(root, repositoryFile), descriptionBytes(settings))
  startOurs(ours)
  startNginx(theirs, `127.0.0.1:${ours}`)
  for (const port of [ours, theirs]) await untilListening(port)
  for (const load of loads) {
    const rates: Record<string, number[]> = { ours: [], nginx: [] }
    for (let run = 0; run < Number(runsText); run += 1) {
      rates['nginx']!.push(rateOf(theirs, load))
      rates['ours']!.push(rateOf(ours, load))
    }
    const ratio = median(rates['ours']!) / median(rates['nginx']!)
    const told = Object.entries(rates).map(([who, list]) => `${who} ${describe(list, load)}`)
    process.stdout.write(`${load.what.padEnd(22)} ${told.join('   ')}   ratio ${ratio.toFixed(2)}\n`)
  }
} finally {
  for (const child of children) child.kill('SIGTERM')
  await Promise.all(children.map(child => new Promise(resolve => child.once('exit', resolve))))
  fs.rmSync(work, { recursive: true, force: true })
}

function startOurs(port: number): void {
  const argv = [release, 'serve', root, '--listen', `127.0.0.1:${port}`]
  // Each request is logged, as nginx does it.
  const log = fs.openSync(path.join(work, 'ours.log'), 'w')
  children.push(spawn(process.execPath, argv, { stdio: ['ignore', log, 'inherit'] }))
}

function startNginx(port: number, registry: string): void {
  const rendered = renderNginx({ name: 'bench', root, url: `http://127.0.0.1:${port}/`, registry })
  const file = path.join(work, 'nginx.conf')
  const main = `daemon off; worker_processes auto; pid ${work}/pid; events { }`
  fs.writeFileSync(file, `${main}\nhttp {\naccess_log ${work}/nginx.log;\n${rendered}\n}\n`)
  children.push(spawn('nginx', ['-p', work, '-e', `${work}/error.log`, '-c', file], { stdio: 'inherit' }))
}

function rateOf(port: number, load: Load): number {
  const range = 'range' in load ? ['-H', `Range: ${load.range}`] : []
  const argv = ['-t', '1', '-c', String(load.connections), '-d', `${secondsText}s`, ...range]
  const told = execFileSync('wrk', [...argv, `http://127.0.0.1:${port}/${load.key}`], { encoding: 'utf8' })
  const failed = /Non-2xx.*/.exec(told)
  if (failed !== null) throw new Error(failed[0])
  if (load.unit === 'requests') return Number(/Requests\/sec:\s*([\d.]+)/.exec(told)?.[1])
  const [, count, unit = ''] = /Transfer\/sec:\s*([\d.]+)([KMG]?)B/.exec(told) ?? []
  return Number(count) * 1024 ** ' KMG'.indexOf(unit || ' ')
}

function describe(list: readonly number[], { unit }: Load): string {
  const word = (rate: number) => (unit === 'bytes' ? `${formatBytes(Math.round(rate))}/s` : `${rate.toFixed(0)}/s`)
  return `${word(median(list))} (${word(Math.min(...list))} to ${word(Math.max(...list))})`
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!
}
