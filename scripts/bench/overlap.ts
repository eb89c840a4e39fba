/*
 * node scripts/bench/overlap.ts [UPGRADES] [CLIENTS]
 *
 * What an upgrade costs those who come during it: the longest time that an answer took, and from the hold to the release, for a service
 * that takes half a second to start. Once requests are held while it is stopped and started, once both versions run side by side. Then
 * where the time between hold and release goes, operation by operation. Everything shares the machine's cores: compare the rows of one run.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { makePrefix } from '../../src/prefix/make.ts'
import { cutTree } from '../../tests/support/cut-tree.ts'
import { type LoadReport, startLoad } from '../../tests/support/load.ts'
import { testTree } from '../../tests/support/payload.ts'
import { freePort } from '../../tests/support/ports.ts'
import { recordedTools } from '../../tests/support/recorded-tools.ts'
import { startServing, until } from '../../tests/support/toy-prefix.ts'

const app = path.join(import.meta.dirname, '..', '..', 'tests', 'support', 'toy-app.ts')
/** A service that takes half a second to start. */
const command = ['sh', '-c', 'sleep 0.5; exec "$0" "$1"', process.execPath, app]
const insideHold = ['hold', 'drain', 'stop', 'switch', 'start', 'probe', 'pass']

const [first, ...rest] = process.argv.slice(2)
if (first === 'clients') await clients(rest[0]!, Number(rest[1]))
else await bench(Number(first ?? 5), Number(rest[0] ?? 8))

/** What one upgrade came to, in milliseconds. */
interface Upgrade {
  readonly longestMs: number
  readonly answered: number
  readonly failed: number
  readonly steps: ReadonlyMap<string, number>
  /** What the service takes from its start to its first answer when nobody is in front of it. */
  readonly aloneMs: number
}

async function bench(upgrades: number, count: number): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
  try {
    const held = await measure(path.join(work, 'held'), { upgrades, count, overlap: false })
    const beside = await measure(path.join(work, 'beside'), { upgrades, count, overlap: true })
    const row = (name: string, all: readonly Upgrade[]) => [
      name,
      median(all.map(each => each.longestMs)).toFixed(0),
      Math.max(...all.map(each => each.longestMs)).toFixed(0),
      String(all.reduce((sum, each) => sum + each.answered, 0)),
      String(all.reduce((sum, each) => sum + each.failed, 0)),
    ]
    const columns = ['upgrade', 'longest answer, median ms', 'worst ms', 'answered', 'failed']
    print(columns, [row('requests are held', held), row('both versions run', beside)])
    const parts = [...insideHold, 'all'].map(step => [step, median(held.map(each => timeOf(each, step)))] as const)
    const alone = ['a start of the service by itself, as busy', median(held.map(each => each.aloneMs))] as const
    print(
      ['between hold and release', 'median ms'],
      [...parts, alone].map(([name, ms]) => [name, ms.toFixed(1)]),
    )
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

async function measure(
  root: string,
  { upgrades, count, overlap }: { readonly upgrades: number; readonly count: number; readonly overlap: boolean },
): Promise<readonly Upgrade[]> {
  const paths = prefixPaths(path.join(root, 'prefix'))
  const identity = { application: 'toy', repository: 'file:///nowhere', environment: 'production' }
  makePrefix(paths, { schema: 1, layout: 1, ...identity, variables: {} })
  await put(paths, '1.0.0', overlap)
  const serving = await startServing(paths.root)
  await until(async () => (await fetch(serving.url)).ok)
  const results: Upgrade[] = []
  for (let patch = 1; patch <= upgrades; patch += 1) {
    const load = await loadFrom(serving.url, count)
    await new Promise(resolve => setTimeout(resolve, 500))
    const steps = await put(paths, `1.0.${patch}`, overlap)
    const aloneMs = await startAlone()
    const { longestMs, answered, failures } = await load.stop()
    results.push({ longestMs, answered, failed: failures.length, steps, aloneMs })
  }
  await serving.end('SIGTERM')
  return results
}

async function startAlone(): Promise<number> {
  const port = await freePort()
  const beganMs = performance.now()
  const child = spawn(command[0]!, command.slice(1), { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' })
  const asked = () => fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
  await until(async () => (await asked())?.ok)
  const tookMs = performance.now() - beganMs
  child.kill('SIGKILL')
  return tookMs
}

function recipe(overlap: boolean) {
  const service = {
    name: 'web',
    command,
    environment: { VERSION: '${version}', PORT: '${port}' },
    listens: true,
  }
  const node = {
    runtime: { kind: 'none' },
    services: [service],
    health: { http: { path: '/health', contains: 'version ${version}' }, watch: '0s' },
    gate: { listen: '127.0.0.1:0', overlap },
  }
  return { schema: 1, name: 'toy', node, environments: { production: {} } }
}

async function put(paths: PrefixPaths, version: string, overlap: boolean): Promise<ReadonlyMap<string, number>> {
  const dist = path.join(paths.root, '..', 'dist')
  const source = path.join(dist, `${version}.tree`)
  fs.mkdirSync(source, { recursive: true })
  const tree = testTree(source, { 'version.txt': version })
  const folder = await cutTree(dist, { name: 'toy', version, tree, recipe: recipe(overlap) })
  const tools = recordedTools()
  const { holdMs } = await install({ prefix: paths.root, version, resolve: resolveFromFolder(folder) }, tools)
  const steps = tools.events.flatMap(event =>
    event.kind === 'step-done' ? [[event.step, event.durationMs] as const] : [],
  )
  return new Map([...steps, ['all', holdMs ?? 0]])
}

/** Load in a process of its own, so that our event loop is not measured. */
async function loadFrom(url: string, count: number): Promise<{ readonly stop: () => Promise<LoadReport> }> {
  const argv = [import.meta.filename, 'clients', url, String(count)]
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', piece => {
    text += piece
  })
  const begun = new Promise(resolve => child.stdout.once('data', resolve))
  const ended = new Promise<LoadReport>(resolve => child.once('close', () => resolve(JSON.parse(text) as LoadReport)))
  await begun
  return {
    stop: () => {
      child.stdin.end()
      return ended
    },
  }
}

async function clients(url: string, count: number): Promise<void> {
  await fetch(url)
  const load = startLoad(url, count)
  process.stdout.write('\n')
  for await (const _ of process.stdin) {
    // Until it ends.
  }
  process.stdout.write(JSON.stringify(await load.stop()))
}

function timeOf({ steps }: Upgrade, step: string): number {
  return steps.get(step) ?? 0
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
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
