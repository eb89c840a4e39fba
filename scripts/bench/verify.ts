/*
 * node scripts/bench/verify.ts [FOLDER]
 *
 * Install a folder with many files (node_modules of this clone when none is named) and verify it, as a command from the bundle; beside
 * `sha256sum -c` of the same files by one process and by two, and `debsums` of a package of them, which compares MD5 sums and looks at no
 * mode, owner, link or extra file. In turns, several rounds; the middle and the best of each.
 */
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { hexOf } from '../../src/core/digest.ts'
import { formatDuration } from '../../src/core/quantity.ts'
import { compareBytes } from '../../src/core/relative-path.ts'
import type { TreeEntry } from '../../src/core/tree.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { verify } from '../../src/flow/verify.ts'
import { parseManifest } from '../../src/payload/manifest.ts'
import { isPayloadFile } from '../../src/payload/payload-file.ts'
import { prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { makePrefix } from '../../src/prefix/make.ts'
import { cutTree } from '../../tests/support/cut-tree.ts'
import { recordedTools } from '../../tests/support/recorded-tools.ts'
import { bundle } from '../lib/bundle.ts'

const rounds = 7
const repository = path.join(import.meta.dirname, '..', '..')
const folder = path.resolve(process.argv[2] ?? path.join(repository, 'node_modules'))
const base = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
try {
  await measure()
} finally {
  fs.rmSync(base, { recursive: true, force: true })
}

async function measure(): Promise<void> {
  const paths = prefixPaths(path.join(base, 'prefix'))
  const identity = { application: 'toy', repository: 'file:///nowhere', environment: 'production', variables: {} }
  makePrefix(paths, { schema: 1, layout: 1, ...identity })
  const recipe = { schema: 1, name: 'toy', node: {}, environments: { production: {} } }
  const tree = { root: 'opt/toy', entries: readEntries(folder) }
  const made = await cutTree(path.join(base, 'dist'), { name: 'toy', version: '1.0.0', tree, recipe })
  await install({ prefix: paths.root, resolve: resolveFromFolder(made) }, recordedTools())
  const release = releasePaths(paths, '1.0.0')
  const files = parseManifest(fs.readFileSync(release.manifest)).files.filter(isPayloadFile)
  const lists = writeSums(files.map(file => `${hexOf(file.digest)}  ${file.path}\n`))
  const root = installPackage(release.root)
  await bundle({ cutover: 'src/bin/cutover.ts' }, path.join(base, 'build'))
  const cutover = path.join(base, 'build', 'cutover.js')
  const sha256sum = (list: string) => run(release.root, 'sha256sum', '--quiet', '-c', list)
  const works: Readonly<Record<string, () => Promise<unknown>>> = {
    'cutover verify --offline': () =>
      run(base, process.execPath, cutover, 'verify', '--offline', '--quiet', '--prefix', paths.root),
    '  without starting Node': () => verify({ prefix: paths.root, offline: true }, recordedTools()),
    'sha256sum -c, one process': () => sha256sum(lists.all),
    'sha256sum -c, two processes': () => Promise.all(lists.halves.map(sha256sum)),
    ...(root === undefined ? {} : { debsums: () => run(base, 'debsums', '-s', `--root=${root}`, 'toy') }),
  }
  const times = new Map(Object.keys(works).map(name => [name, [] as number[]]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, work] of Object.entries(works)) times.get(name)!.push(await timed(work))
  }
  process.stdout.write(`${files.length} files below ${folder}, ${os.availableParallelism()} cores\n`)
  for (const [name, durations] of times) {
    const sorted = durations.toSorted((a, b) => a - b)
    const [middle, best] = [sorted[rounds >> 1]!, sorted[0]!].map(each => formatDuration(each).padStart(8))
    process.stdout.write(`${name.padEnd(30)} ${middle}  (best ${best})\n`)
  }
}

/** Describe a folder as a tree; links are left out, for they may point anywhere. */
function readEntries(root: string): readonly TreeEntry[] {
  const found = fs.readdirSync(root, { recursive: true, withFileTypes: true })
  const entries = found.flatMap((entry): TreeEntry[] => {
    const source = path.join(entry.parentPath, entry.name)
    const name = path.relative(root, source)
    if (entry.isDirectory()) return [{ type: 'directory', path: name, mode: 0o755 }]
    if (!entry.isFile()) return []
    return [{ type: 'file', path: name, mode: 0o644, sizeBytes: fs.statSync(source).size, source }]
  })
  return entries.sort((a, b) => compareBytes(a.path, b.path))
}

function writeSums(lines: readonly string[]): { readonly all: string; readonly halves: readonly string[] } {
  const write = (name: string, some: readonly string[]) => {
    fs.writeFileSync(path.join(base, name), some.join(''))
    return path.join(base, name)
  }
  const half = lines.length >> 1
  return {
    all: write('all', lines),
    halves: [write('first', lines.slice(0, half)), write('second', lines.slice(half))],
  }
}

/** Install the same files as a package below a root of its own; undefined where there is no debsums. */
function installPackage(tree: string): string | undefined {
  if (!fs.existsSync('/usr/bin/debsums')) return undefined
  const [source, root] = [path.join(base, 'package'), path.join(base, 'root')]
  fs.mkdirSync(path.join(source, 'DEBIAN'), { recursive: true })
  fs.mkdirSync(path.join(source, 'opt'))
  execFileSync('cp', ['-a', tree, path.join(source, 'opt', 'toy')])
  fs.rmSync(path.join(source, 'opt', 'toy', '.cutover'), { recursive: true })
  const control = 'Package: toy\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: toy\n'
  fs.writeFileSync(path.join(source, 'DEBIAN', 'control'), control)
  const sums = 'find opt -type f -print0 | sort -z | xargs -0 md5sum > DEBIAN/md5sums'
  execFileSync('sh', ['-c', sums], { cwd: source })
  execFileSync('dpkg-deb', ['-b', '-Znone', source, path.join(base, 'toy.deb')], { stdio: 'ignore' })
  fs.mkdirSync(path.join(root, 'var', 'lib', 'dpkg', 'info'), { recursive: true })
  fs.writeFileSync(path.join(root, 'var', 'lib', 'dpkg', 'status'), '')
  execFileSync('dpkg', [`--root=${root}`, '--force-not-root', '-i', path.join(base, 'toy.deb')], { stdio: 'ignore' })
  return root
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

function run(cwd: string, file: string, ...args: string[]): Promise<void> {
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.once('close', code => (code === 0 ? resolve() : reject(new Error(`${file} ended with ${code}`))))
  })
}
