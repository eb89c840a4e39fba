/*
 * node scripts/bench/payload.ts FOLDER [RUNS]
 *
 * Time what `release cut` makes of a folder (envelopes.ts, bundled as it is shipped), once and with a segment cache, beside the peers that
 * make the same three envelopes one after the other. All take turns, in a temporary folder below TMPDIR: use a tmpfs or a fresh file system.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { formatBytes } from '../../src/core/quantity.ts'
import { bundle } from '../lib/bundle.ts'

/** A command that makes envelopes of a tree in `$OUT`. */
interface Case {
  readonly what: string
  readonly tree: string
  readonly argv: readonly string[]
  /** Left by a cut of the first tree. */
  readonly needsCache?: boolean
}

interface Run {
  readonly wallMs: number
  readonly peakMib: number
  readonly outputBytes: number
}

const [folder, runsText = '3'] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: node scripts/bench/payload.ts FOLDER [RUNS]')
const source = path.resolve(folder)
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
const at = (...names: string[]) => path.join(work, ...names)
try {
  await bundle({ envelopes: 'scripts/bench/envelopes.ts' }, at('bundle'))
  stageForDpkg()
  const near = changedCopy('near', files => files.slice(Math.floor(files.length / 3)).slice(0, files.length / 100))
  const spread = changedCopy('spread', files => files.filter((_, index) => (index * 7919) % 100 === 0))
  const make = [process.execPath, at('bundle/envelopes.js'), '$TREE', '$OUT', '--times']
  const cached = [...make, '--cache', at('cache')]
  const peers = `tar -C "$1" -cf - . | zstd -q -3 -T2 -o "$2/peer.tar.zst" &&
    dpkg-deb --root-owner-group -Zzstd -z3 -b "$3" "$2/peer.deb" && umoci init --layout "$2/image" &&
    umoci new --image "$2/image:latest" && umoci insert --image "$2/image:latest" "$1" /opt/bench && umoci gc --layout "$2/image"`
  const cases: readonly Case[] = [
    {
      what: 'tar | zstd, dpkg-deb, umoci',
      tree: source,
      argv: ['sh', '-c', peers, 'sh', '$TREE', '$OUT', at('stage')],
    },
    { what: 'cutover', tree: source, argv: make },
    { what: 'cutover, filling the cache', tree: source, argv: cached },
    { what: 'cutover, cached, nothing new', tree: source, argv: cached, needsCache: true },
    { what: 'cutover, cached, 1 % new, side by side', tree: near, argv: cached, needsCache: true },
    { what: 'cutover, cached, 1 % new, all over', tree: spread, argv: cached, needsCache: true },
  ]
  run({ what: 'the first cut', tree: source, argv: cached })
  fs.renameSync(at('cache'), at('cache-of-first'))
  const runs = new Map<Case, Run[]>(cases.map(each => [each, []]))
  for (let round = 0; round < Number(runsText); round += 1) {
    for (const each of cases) runs.get(each)!.push(run(each))
  }
  for (const [{ what }, measured] of runs) print(what, measured)
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}

function run({ argv, tree, needsCache = false }: Case): Run {
  for (const name of ['out', 'cache']) fs.rmSync(at(name), { recursive: true, force: true })
  fs.mkdirSync(at('out'))
  if (needsCache) spawnSync('cp', ['-al', at('cache-of-first'), at('cache')])
  const [command = '', ...args] = fill(argv, tree)
  const startMs = performance.now()
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  const wallMs = performance.now() - startMs
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`)
  const peakMib = Number(/(\d+) MiB at most/.exec(stderr)?.[1] ?? 0)
  return { wallMs, peakMib, outputBytes: largest(at('out')) }
}

function fill(argv: readonly string[], tree: string): string[] {
  return argv.map(word => (word === '$TREE' ? tree : word === '$OUT' ? at('out') : word))
}

/** The size of the largest file at the top: the package, which has the tarball's bytes and some more. */
function largest(out: string): number {
  const files = fs.readdirSync(out, { withFileTypes: true }).filter(entry => entry.isFile())
  return Math.max(...files.map(({ name }) => fs.statSync(path.join(out, name)).size))
}

function stageForDpkg(): void {
  fs.mkdirSync(at('stage/DEBIAN'), { recursive: true })
  fs.mkdirSync(at('stage/opt'))
  spawnSync('cp', ['-a', source, at('stage/opt/bench')])
  const control = 'Package: bench\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: x\n'
  fs.writeFileSync(at('stage/DEBIAN/control'), control)
}

/** Copy the tree and add a line to some of its files. */
function changedCopy(name: string, choose: (files: readonly string[]) => readonly string[]): string {
  const copy = at(name)
  spawnSync('cp', ['-a', source, copy])
  const entries = fs.readdirSync(copy, { withFileTypes: true, recursive: true }).filter(entry => entry.isFile())
  for (const file of choose(entries.map(entry => path.join(entry.parentPath, entry.name)).sort())) {
    fs.appendFileSync(file, '\n')
  }
  return copy
}

function print(what: string, runs: readonly Run[]): void {
  const [wallMs, least] = [median(runs.map(each => each.wallMs)), Math.min(...runs.map(each => each.wallMs))]
  const peak = Math.max(...runs.map(each => each.peakMib))
  const memory = peak === 0 ? '' : `${peak} MiB`
  const size = formatBytes(runs[0]!.outputBytes)
  const text = `${wallMs.toFixed(0).padStart(6)} ms (least ${least.toFixed(0)})  ${memory.padStart(8)}  .deb ${size}`
  process.stdout.write(`${what.padEnd(40)} ${text}\n`)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
