/*
 * node scripts/bench/python-runtime.ts [RUNS]
 *
 * Give a Python release its virtualenv, in the way of an installation and in the ordinary way (a venv with its own pip, which then installs
 * from the vendor folder), side by side and in turn, in a temporary folder below TMPDIR: use a tmpfs for steady figures. Both end with
 * the same packages and see no others.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { digestOf } from '../../src/core/digest.ts'
import { prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { prepareRuntime } from '../../src/prefix/runtime.ts'

const python = '/usr/bin/python3'
const runs = Number(process.argv[2] ?? '3')
const top = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
try {
  const wheel = makeWheel(path.join(top, 'wheel'))
  const rows: { readonly oursMs: number; readonly bareMs: number; readonly ordinaryMs: number }[] = []
  for (let run = 0; run < runs; run += 1) {
    const ours = await timed(() => buildOurs(path.join(top, `ours-${run}`), wheel))
    const bare = await timed(() => execFileSync(python, ['-m', 'venv', '--without-pip', path.join(top, `bare-${run}`)]))
    const ordinary = await timed(() => buildOrdinary(path.join(top, `ordinary-${run}`), wheel))
    if (packagesOf(ours.result) !== 'bench')
      throw new Error(`expected the package alone, found ${packagesOf(ours.result)}`)
    rows.push({ oursMs: ours.ms, bareMs: bare.ms, ordinaryMs: ordinary.ms })
  }
  const median = (key: 'oursMs' | 'bareMs' | 'ordinaryMs') =>
    rows.map(row => row[key]).toSorted((a, b) => a - b)[rows.length >> 1]!
  const [ours, ordinary] = [median('oursMs'), median('ordinaryMs')]
  process.stdout.write(`of an installation      ${ours.toFixed(0).padStart(6)} ms\n`)
  process.stdout.write(`  an empty venv of it   ${median('bareMs').toFixed(0).padStart(6)} ms\n`)
  process.stdout.write(`in the ordinary way     ${ordinary.toFixed(0).padStart(6)} ms\n`)
  process.stdout.write(`ratio                   ${(ours / ordinary).toFixed(2).padStart(6)}\n`)
} finally {
  fs.rmSync(top, { recursive: true, force: true })
}

/** Make a release whose vendor folder has the wheel, and its virtualenv; the virtualenv's folder. */
async function buildOurs(root: string, wheel: string): Promise<string> {
  const paths = prefixPaths(root)
  const release = releasePaths(paths, '1.0.0')
  fs.mkdirSync(release.metadata, { recursive: true })
  fs.mkdirSync(path.join(release.root, 'vendor'))
  const name = `vendor/${path.basename(wheel)}`
  fs.copyFileSync(wheel, path.join(release.root, name))
  const numbers = { mode: 0o644, sizeBytes: 0, tarOffset: 0, firstSegment: 0, lastSegment: 0 }
  await prepareRuntime({
    paths,
    version: '1.0.0',
    runtime: { kind: 'python', vendor: 'vendor', packages: ['bench==1.0.0'] },
    manifest: {
      version: '1.0.0',
      files: [{ type: 'file', path: name, digest: digestOf(fs.readFileSync(wheel)), ...numbers }],
    },
    values: {},
    signal: new AbortController().signal,
  })
  return release.venv
}

function buildOrdinary(venv: string, wheel: string): string {
  const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '--no-index']
  execFileSync(python, ['-m', 'venv', venv])
  execFileSync(path.join(venv, 'bin/python'), [...pip, '--find-links', path.dirname(wheel), 'bench==1.0.0'])
  return venv
}

function packagesOf(venv: string): string {
  const script = 'import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))'
  return execFileSync(path.join(venv, 'bin/python'), ['-I', '-c', script], { encoding: 'utf8' }).trim()
}

/** A wheel with so many modules as a small application has. Source: the binary distribution format of packaging.python.org. */
function makeWheel(folder: string): string {
  const info = path.join(folder, 'bench-1.0.0.dist-info')
  fs.mkdirSync(info, { recursive: true })
  fs.mkdirSync(path.join(folder, 'bench'))
  for (let index = 0; index < 50; index += 1)
    fs.writeFileSync(path.join(folder, 'bench', `module${index}.py`), 'def answer():\n    return 42\n'.repeat(40))
  fs.writeFileSync(path.join(info, 'METADATA'), 'Metadata-Version: 2.1\nName: bench\nVersion: 1.0.0\n')
  fs.writeFileSync(path.join(info, 'WHEEL'), 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
  fs.writeFileSync(path.join(info, 'RECORD'), '')
  const file = path.join(folder, 'bench-1.0.0-py3-none-any.whl')
  execFileSync(python, ['-m', 'zipfile', '-c', file, 'bench', path.basename(info)], { cwd: folder })
  return file
}

async function timed<T>(work: () => T | Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  const startedMs = performance.now()
  const result = await work()
  return { ms: performance.now() - startedMs, result }
}
