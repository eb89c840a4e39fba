/*
 * node scripts/bench/install.ts [OLD NEW] [RUNS]
 *
 * Install a folder as a release, and upgrade to another one, by what is shipped (the bundled `cutover`), with a delta pack and without;
 * beside it, in the same run and in turns, whichever of tar, dpkg, casync, zsync and ostree this machine has. Times are medians; `fetched` are
 * bodies over HTTP from nginx on this machine. Without folders: node_modules of this clone, and a copy with a few changed files.
 * As root it works on a new ext4, else below TMPDIR, and files are copied rather than linked, for then no other user can be kept from writing to them.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { formatBytes, formatDuration } from '../../src/core/quantity.ts'
import { application, newVersion, oldVersion, publishPair, type ReleasePair } from '../../tests/support/release-pair.ts'
import { bundle } from '../lib/bundle.ts'
import { type FileServer, serveFolder } from './lib/file-server.ts'
import { type Folders, peerCases } from './lib/install-peers.ts'
import { openScratchDisk } from './lib/scratch-disk.ts'

/** Something that is measured: `prepare` is not. */
export interface Case {
  readonly name: string
  readonly prepare: () => void
  readonly work: () => void
}

interface Row {
  readonly name: string
  readonly durationsMs: number[]
  fetchedBytes: number
}

const repository = path.join(import.meta.dirname, '..', '..')
const changedFiles = 20
const [first, second, third] = process.argv.slice(2)
const disk = openScratchDisk()
const away = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
fs.chmodSync(away, 0o755)
try {
  const isPair = second !== undefined
  const folders = isPair ? { old: path.resolve(first!), next: path.resolve(second) } : changedCopy(away)
  await measure(folders, Number((isPair ? third : first) ?? 3))
} finally {
  disk.close()
  fs.rmSync(away, { recursive: true, force: true })
}

async function measure(folders: Folders, runs: number): Promise<void> {
  const served = path.join(away, 'served')
  const node = { runtime: { kind: 'none' }, ...(process.getuid!() === 0 ? { user: 'nobody' } : {}) }
  const withDelta = await publishPair(path.join(served, 'delta'), folders, node)
  const without = await publishPair(path.join(served, 'plain'), folders, node, { withDelta: false })
  await bundle({ cutover: 'src/bin/cutover.ts' }, path.join(away, 'build'))
  execFileSync('chmod', ['-R', 'a+rX', away])
  const server = await serveFolder(served, path.join(away, 'nginx'))
  try {
    const ours = [...installCases('delta', withDelta, server), ...installCases('plain', without, server)]
    const cases = [...ours.slice(0, 2), ours[3]!, ...peerCases(folders, { disk: disk.folder, served, away, server })]
    const rows = cases.map(({ name }): Row => ({ name, durationsMs: [], fetchedBytes: 0 }))
    for (let round = 0; round < runs; round += 1) {
      for (const [index, each] of cases.entries()) runOnce(each, rows[index]!, server)
    }
    const { tarballBytes, deltaBytes } = withDelta
    process.stdout.write(
      `${disk.kind}; medians of ${runs}; the tarball has ${formatBytes(tarballBytes)}, the delta pack ${formatBytes(deltaBytes)}\n\n`,
    )
    print(rows)
  } finally {
    await server.close()
  }
}

/** A first installation and an upgrade, each by the command. */
function installCases(name: 'delta' | 'plain', pair: ReleasePair, server: FileServer): readonly Case[] {
  const prefix = path.join(disk.folder, name)
  const cutover = (...args: string[]) =>
    run(process.execPath, path.join(away, 'build', 'cutover.js'), ...args, '--quiet')
  const url = `${server.url}/${name}/repository`
  const put = (version: string) => cutover('install', '--prefix', prefix, '--version', version)
  const make = () => {
    fs.rmSync(prefix, { recursive: true, force: true })
    cutover(
      'init',
      prefix,
      '--repository',
      url,
      '--application',
      application,
      '--root-fingerprint',
      pair.repository.fingerprint,
    )
  }
  const how = name === 'delta' ? 'with a delta pack' : 'without a delta pack'
  return [
    { name: 'cutover install', prepare: make, work: () => put(oldVersion) },
    {
      name: `cutover install, upgrade ${how}`,
      prepare: () => {
        make()
        put(oldVersion)
      },
      work: () => put(newVersion),
    },
  ]
}

function runOnce({ prepare, work }: Case, row: Row, server: FileServer): void {
  prepare()
  run('sync')
  server.sentBytes()
  const startedMs = performance.now()
  work()
  row.durationsMs.push(performance.now() - startedMs)
  row.fetchedBytes = server.sentBytes()
}

/** Copy node_modules, with some files changed that are spread over it. */
function changedCopy(work: string): Folders {
  const old = path.join(repository, 'node_modules')
  const next = path.join(work, 'changed')
  run('cp', '-a', old, next)
  const files = fs
    .readdirSync(next, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => path.join(entry.parentPath, entry.name))
    .filter(file => fs.statSync(file).size < 100_000)
    .toSorted()
  const step = Math.max(1, Math.floor(files.length / changedFiles))
  for (let index = 0; index < files.length; index += step) fs.appendFileSync(files[index]!, '\n')
  return { old, next }
}

function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

function print(rows: readonly Row[]): void {
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!
  const width = Math.max(...rows.map(({ name }) => name.length))
  for (const { name, durationsMs, fetchedBytes } of rows) {
    const fetched = fetchedBytes === 0 ? '' : formatBytes(fetchedBytes)
    process.stdout.write(
      `${name.padEnd(width)}  ${formatDuration(median(durationsMs)).padStart(8)}  ${fetched.padStart(10)}\n`,
    )
  }
}
