/*
 * node scripts/bench/fetch.ts [FOLDER]
 *
 * Fetch 100 MB in segments from nginx on loopback, all of them and every other one, by one connection and by several, with requests of several
 * sizes, near and as if 50 ms away; beside curl, which fetches the whole in the same run. Everything is checked by digest but what curl fetches.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { formatBytes, formatDuration } from '../../src/core/quantity.ts'
import type { Segment } from '../../src/payload/manifest.ts'
import { type ParallelLimits, parallelSource } from '../../src/payload/parallel-source.ts'
import { openSegmentSource } from '../../src/payload/source.ts'
import { freePort, untilListening } from '../../tests/support/ports.ts'
import { segmentedBytes } from '../../tests/support/segments.ts'

const mebibyte = 2 ** 20
const latencyMs = 50
const runs = 3
const limits: readonly ParallelLimits[] = [
  { connections: 1, requestBytes: 8 * mebibyte },
  { connections: 4, requestBytes: 2 * mebibyte },
  { connections: 4, requestBytes: 8 * mebibyte },
  { connections: 4, requestBytes: 32 * mebibyte },
  { connections: 8, requestBytes: 8 * mebibyte },
]

/** Segments as an upgrade without a delta pack needs them: of 4 to 6 MiB, and small ones between. */
const { manifest, bytes, payloadOffset } = segmentedBytes(
  Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 4.5 * mebibyte : mebibyte / 2)),
)
const selections: readonly { readonly name: string; readonly segments: readonly Segment[] }[] = [
  { name: 'all', segments: manifest.segments },
  { name: 'every other', segments: manifest.segments.filter(({ index }) => index % 2 === 0) },
]

const base = fs.mkdtempSync(path.join(process.argv[2] ?? os.tmpdir(), 'cutover-bench-'))
const children: ChildProcess[] = []
try {
  console.log(`${formatBytes(bytes.byteLength)} in ${manifest.segments.length} segments, best of ${runs}`)
  const port = await startNginx()
  await measure('near', `http://127.0.0.1:${port}/payload`)
  await measure(`${latencyMs} ms away`, `http://127.0.0.1:${await startProxy(port)}/payload`)
} finally {
  for (const child of children) child.kill('SIGKILL')
  fs.rmSync(base, { recursive: true, force: true })
}

async function measure(where: string, url: string): Promise<void> {
  const tell = (what: string, durationMs: number, sizeBytes: number) =>
    console.log(
      `${where.padEnd(12)}${what.padEnd(52)}${formatDuration(durationMs).padStart(9)}${formatBytes(sizeBytes).padStart(10)}`,
    )
  tell('curl, the whole', await best(async () => void run('curl', '-s', '-o', '/dev/null', url)), bytes.byteLength)
  for (const { name, segments } of selections) {
    for (const each of limits) {
      let fetchedBytes = 0
      const durationMs = await best(async () => {
        const source = parallelSource(openSegmentSource({ url, payloadOffset, manifest }), each)
        for await (const _ of source.read(segments));
        fetchedBytes = source.fetchedBytes
      })
      const { connections, requestBytes } = each
      const at = `${connections} connection${connections === 1 ? '' : 's'}, ${formatBytes(requestBytes)} a request`
      tell(`${name}, ${at}`, durationMs, fetchedBytes)
    }
  }
}

async function best(work: () => Promise<void>): Promise<number> {
  let leastMs = Number.POSITIVE_INFINITY
  for (let count = 0; count < runs; count += 1) {
    const startedMs = performance.now()
    await work()
    leastMs = Math.min(leastMs, performance.now() - startedMs)
  }
  return leastMs
}

async function startNginx(): Promise<number> {
  const port = await freePort()
  fs.writeFileSync(path.join(base, 'payload'), bytes)
  const file = path.join(base, 'nginx.conf')
  const server = `server { listen 127.0.0.1:${port}; root ${base}; access_log off; sendfile on; }`
  fs.writeFileSync(file, `daemon off;\nmaster_process off;\npid ${base}/pid;\nevents { }\nhttp { ${server} }\n`)
  children.push(spawn('nginx', ['-p', base, '-e', path.join(base, 'error.log'), '-c', file], { stdio: 'ignore' }))
  await untilListening(port)
  return port
}

async function startProxy(port: number): Promise<number> {
  const proxy = path.join(import.meta.dirname, 'lib', 'latent-proxy.ts')
  const child = spawn(process.execPath, [proxy, String(port), String(latencyMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [printed] = (await once(child.stdout, 'data')) as [Buffer]
  return Number(printed.toString())
}

function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}
