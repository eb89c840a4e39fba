/*
 * node scripts/bench/install.ts [FOLDER]
 *
 * Install a folder with many files (node_modules of this clone when none is named) into a new prefix, upgrade it by a few changed files,
 * roll it back, and find that there is nothing to do; beside tar and cp doing their share of the same work in the same run.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { formatBytes, formatDuration } from '../../src/core/quantity.ts'
import { compareBytes } from '../../src/core/relative-path.ts'
import type { Tree, TreeEntry } from '../../src/core/tree.ts'
import { install } from '../../src/flow/install.ts'
import type { InstallResult } from '../../src/flow/install-report.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { recordedTools } from '../../tests/support/recorded-tools.ts'
import { cutToyTree, toyInstallation } from '../../tests/support/toy-release.ts'

const repository = path.join(import.meta.dirname, '..', '..')
const folder = path.resolve(process.argv[2] ?? path.join(repository, 'node_modules'))
const changedFiles = 20
const base = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
try {
  print(await measure())
} finally {
  fs.rmSync(base, { recursive: true, force: true })
}

async function measure(): Promise<string[][]> {
  const { paths, dist } = toyInstallation(base)
  const tree = readTree(folder)
  await cutToyTree(dist, { version: '1.0.0', tree })
  await cutToyTree(dist, { version: '1.1.0', tree: change(tree) })
  const put = (version: string) =>
    install({ prefix: paths.root, version, resolve: resolveFromFolder(path.join(dist, version)) }, recordedTools())
  const cutover = path.join(repository, 'src', 'bin', 'cutover.ts')
  const tarball = path.join(dist, '1.0.0', 'toy-1.0.0.tar.zst')
  const untar = path.join(base, 'untar')
  fs.mkdirSync(untar)
  const rows = [['what', 'time', 'fetched', 'of', 'files written', 'reused']]
  const add = (what: string, durationMs: number, result?: InstallResult) => {
    const { fetchedBytes = 0, releaseBytes = 0, writtenFiles = 0, reusedFiles = 0 } = result ?? {}
    const figures = [formatBytes(fetchedBytes), formatBytes(releaseBytes), String(writtenFiles), String(reusedFiles)]
    rows.push([what, formatDuration(durationMs), ...(result === undefined ? ['', '', '', ''] : figures)])
  }
  add(
    'tar xf; sync -f',
    (
      await timed(
        () => run('tar', 'xf', tarball, '-C', untar),
        () => run('sync', '-f', untar),
      )
    ).durationMs,
  )
  const fresh = await timed(() => put('1.0.0'))
  add('install', fresh.durationMs, fresh.result)
  const copy = await timed(() => run('cp', '-a', untar, `${untar}.copy`))
  add('cp -a', copy.durationMs)
  const upgraded = await timed(() => put('1.1.0'))
  add(`install, ${changedFiles} files changed`, upgraded.durationMs, upgraded.result)
  add('rollback', (await timed(() => rollback({ prefix: paths.root }, recordedTools()))).durationMs)
  add('install again', (await timed(() => put('1.1.0'))).durationMs)
  const again = await timed(() =>
    run('node', cutover, 'install', '--prefix', paths.root, '--version', '1.1.0', '--quiet'),
  )
  add('nothing to do (process)', again.durationMs)
  add('node --version (process)', (await timed(() => run('node', '--version'))).durationMs)
  return rows
}

async function timed<T>(
  work: () => T | Promise<T>,
  after: () => void = () => {},
): Promise<{ durationMs: number; result: T }> {
  const startedMs = performance.now()
  const result = await work()
  after()
  return { durationMs: performance.now() - startedMs, result }
}

function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Describe a folder as a tree at `opt/toy`; links are left out, for they may point anywhere. */
function readTree(root: string): Tree {
  const found = fs.readdirSync(root, { recursive: true, withFileTypes: true })
  const entries = found.flatMap((entry): TreeEntry[] => {
    const source = path.join(entry.parentPath, entry.name)
    const name = path.relative(root, source)
    if (entry.isDirectory()) return [{ type: 'directory', path: name, mode: 0o755 }]
    if (!entry.isFile()) return []
    return [{ type: 'file', path: name, mode: 0o644, sizeBytes: fs.statSync(source).size, source }]
  })
  return { root: 'opt/toy', entries: entries.sort((a, b) => compareBytes(a.path, b.path)) }
}

/** Change some files, spread over the tree. */
function change(tree: Tree): Tree {
  const files = tree.entries.filter(entry => entry.type === 'file' && entry.sizeBytes < 100_000)
  const step = Math.max(1, Math.floor(files.length / changedFiles))
  const changed = new Set(files.filter((_, index) => index % step === 0).slice(0, changedFiles))
  const entries = tree.entries.map((entry, index) => {
    if (entry.type !== 'file' || !changed.has(entry)) return entry
    const source = path.join(base, `changed-${index}`)
    fs.writeFileSync(source, Buffer.concat([fs.readFileSync(entry.source), Buffer.from('\n')]))
    return { ...entry, source, sizeBytes: entry.sizeBytes + 1 }
  })
  return { ...tree, entries }
}

function print(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  for (const row of rows) {
    const cells = row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
    process.stdout.write(`${cells.join('  ')}\n`)
  }
}
