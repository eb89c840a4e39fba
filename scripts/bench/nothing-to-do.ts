/*
 * node scripts/bench/nothing-to-do.ts [RUNS]
 *
 * What commands cost that configuration management runs every half an hour and that find nothing to do: process start included, from the bundle that is
 * shipped, with a repository of 50 releases behind HTTP on loopback. `requests` counts what the server was asked. Medians, lowest and highest.
 */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { renderTable } from '../../src/cli/report/table.ts'
import { cutTree } from '../../tests/support/cut-tree.ts'
import { makeRepository } from '../../tests/support/made-repository.ts'
import { testTree } from '../../tests/support/payload.ts'
import { bundle } from '../lib/bundle.ts'

const runs = Number(process.argv[2] ?? '15')
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
const cutover = path.join(work, 'built', 'cutover.js')
const prefix = path.join(work, 'prefix')
const newest = '1.49.0'

await bundle({ cutover: path.resolve(import.meta.dirname, '../../src/bin/cutover.ts') }, path.join(work, 'built'))
const repository = await makeRepository(work, { applications: ['toy'] })
for (let minor = 0; minor < 50; minor += 1) {
  const version = `1.${minor}.0`
  const folder = path.join(work, 'trees', version)
  fs.mkdirSync(folder, { recursive: true })
  const recipe = { schema: 1, name: 'toy', node: {}, environments: { production: {} } }
  const tree = testTree(folder, { 'version.txt': version })
  await cutTree(repository.distFolder, { name: 'toy', version, recipe, tree })
  await repository.upload(version)
}
let requests = 0
const server = http.createServer((request, response) => {
  requests += 1
  const file = path.join(repository.folder, decodeURIComponent(request.url ?? '/'))
  if (!fs.existsSync(file)) response.writeHead(404).end()
  else response.end(fs.readFileSync(file))
})
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo

await run('init', prefix, '--repository', `http://127.0.0.1:${port}`, '--application', 'toy')
await run('install', '--prefix', prefix, '--version', newest)
const cases: readonly (readonly [string, readonly string[]])[] = [
  ['node -e 0', []],
  ['install --version ACTIVE', ['install', '--prefix', prefix, '--version', newest]],
  ['install --channel edge', ['install', '--prefix', prefix, '--channel', 'edge']],
  ['install --channel edge --offline', ['install', '--prefix', prefix, '--channel', 'edge', '--offline']],
  ['status', ['status', '--prefix', prefix]],
  ['check', ['check', '--prefix', prefix]],
]
const rows: string[][] = []
for (const [name, args] of cases) {
  const times: number[] = []
  requests = 0
  for (let count = 0; count < runs; count += 1) times.push(await timed(args))
  times.sort((a, b) => a - b)
  const [low, median, high] = [times[0]!, times[runs >> 1]!, times.at(-1)!]
  rows.push([name, `${median.toFixed(0)} ms`, `${low.toFixed(0)}–${high.toFixed(0)}`, String(requests / runs)])
}
for (const line of renderTable({ columns: ['command', 'median', 'range', 'requests'], rows })) console.log(line)
server.close()
fs.rmSync(work, { recursive: true })

async function timed(args: readonly string[]): Promise<number> {
  const startedMs = performance.now()
  if (args.length === 0) spawnSync(process.execPath, ['-e', '0'])
  else await run(...args)
  return performance.now() - startedMs
}

/** Not synchronously: the server is in this process. */
function run(...args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cutover, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    let told = ''
    child.stderr.on('data', piece => {
      told += piece
    })
    child.once('close', exitCode => {
      // `check` may have something to say of the machine.
      if (exitCode === 0 || args[0] === 'check') resolve()
      else reject(new Error(`${args.join(' ')}: ${told}`))
    })
  })
}
