/*
 * node scripts/bench/delta.ts OLD_FOLDER NEW_FOLDER [RUNS]
 *
 * Make a delta pack between two folders and apply it, each in a process of its own so that its memory is its own; beside it, in the
 * same run, `zstd -3` of every changed file and `zstd -3 --patch-from` of it against the one before.
 * Times are medians; work happens in a temporary folder below TMPDIR: use a tmpfs or a fresh file system for steady figures.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import zlib from 'node:zlib'
import { buildTree } from '../../src/build/tree.ts'
import { formatBytes } from '../../src/core/quantity.ts'
import { createTarball } from '../../src/envelope/tarball.ts'
import { applyDelta } from '../../src/payload/delta/apply.ts'
import { createDelta } from '../../src/payload/delta/create.ts'
import { openDelta } from '../../src/payload/delta/open.ts'
import { planDelta } from '../../src/payload/delta/plan.ts'
import { writeFolders } from '../../src/payload/extract.ts'
import { compressedManifest, parseManifest } from '../../src/payload/manifest.ts'
import { packPayload } from '../../src/payload/pack.ts'
import { openSegmentSource } from '../../src/payload/source.ts'

/** What a process tells of its work. */
interface Measured {
  readonly durationMs: number
  /** Of all threads: it says more than the duration where others are at work. */
  readonly cpuMs: number
  readonly maxRssBytes: number
}

interface Row {
  readonly what: string
  readonly sizeBytes: number
  readonly durationMs?: number
  readonly cpuMs?: number
  readonly maxRssBytes?: number
}

/** A payload in the working folder. */
interface Side {
  readonly name: string
  readonly payloadOffset: number
}

const usage = 'usage: node scripts/bench/delta.ts OLD_FOLDER NEW_FOLDER [RUNS]'
const [first, second, third] = process.argv.slice(2)
if (first === undefined || second === undefined) throw new Error(usage)
if (first === '--make' || first === '--apply') {
  process.chdir(second)
  const run = first === '--make' ? make : () => apply(third!)
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  await run()
  const durationMs = performance.now() - startMs
  const { user, system } = process.cpuUsage(startCpu)
  process.stdout.write(
    JSON.stringify({ durationMs, cpuMs: (user + system) / 1000, maxRssBytes: process.resourceUsage().maxRSS * 1024 }),
  )
} else {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
  try {
    await compare(path.resolve(first), path.resolve(second), { work, runs: Number(third ?? 3) })
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

async function compare(oldFolder: string, newFolder: string, { work, runs }: { work: string; runs: number }) {
  const sides = [await pack(oldFolder, 'old', work), await pack(newFolder, 'new', work)]
  fs.writeFileSync(path.join(work, 'sides.json'), JSON.stringify(sides))
  const made = measure(runs, ['--make', work])
  const delta: Row = { what: 'delta: make', sizeBytes: fs.statSync(path.join(work, 'delta')).size, ...made }
  const applied: Row = { ...delta, what: 'delta: apply', ...measure(runs, ['--apply', work, oldFolder]) }
  const [old, next] = [manifestOf('old', work), manifestOf('new', work)]
  const { files, bases, copies } = planDelta(old, next)
  const changedBytes = files.reduce((sum, { file }) => sum + file.sizeBytes, 0)
  process.stdout.write(
    `${files.length} changed files, ${formatBytes(changedBytes)}; ${copies.length} moved; medians of ${runs} runs\n\n`,
  )
  const pairs = files.map(({ file, base }) => ({
    next: path.join(newFolder, file.path),
    old: base === undefined ? undefined : path.join(oldFolder, bases[base]!.path),
  }))
  print([...peers(pairs, work), delta, applied])
}

async function pack(folder: string, name: string, work: string): Promise<Side> {
  const tarball = createTarball(path.join(work, name))
  const { manifest } = await packPayload({
    tree: buildTree(folder, { root: 'opt/bench', entries: [{ from: '.' }], exclude: [] }),
    name: 'bench',
    version: name === 'old' ? '1.0.0' : '1.1.0',
    sourceDateEpoch: 1_767_225_600,
    level: 3,
    recipe: {},
    sinks: [tarball],
  })
  fs.writeFileSync(path.join(work, `${name}.manifest`), compressedManifest(manifest))
  return { name, payloadOffset: tarball.finish(manifest).payloadOffset }
}

function manifestOf(name: string, folder = '.') {
  return parseManifest(fs.readFileSync(path.join(folder, `${name}.manifest`)))
}

async function make(): Promise<void> {
  const sides: readonly Side[] = JSON.parse(fs.readFileSync('sides.json', 'utf8'))
  const [old, next] = sides.map(({ name, payloadOffset }) => {
    const manifest = manifestOf(name)
    return { manifest, source: openSegmentSource({ url: pathToFileURL(name).href, payloadOffset, manifest }) }
  })
  await createDelta({ old: old!, new: next!, file: path.resolve('delta') })
}

async function apply(oldFolder: string): Promise<void> {
  const folder = path.resolve('out')
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder)
  const manifest = manifestOf('new')
  writeFolders(manifest, folder)
  await applyDelta({ delta: openDelta('delta', manifest), manifest, oldFolder, folder })
}

/** Run ourselves as often as asked for: the median of the times, the most of the memory. */
function measure(runs: number, argv: readonly string[]): Measured {
  const results = Array.from({ length: runs }, (): Measured => {
    const stdout = execFileSync(process.execPath, [import.meta.filename, ...argv], { encoding: 'utf8' })
    return JSON.parse(stdout)
  })
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[runs >> 1]!
  return {
    durationMs: median(results.map(({ durationMs }) => durationMs)),
    cpuMs: median(results.map(({ cpuMs }) => cpuMs)),
    maxRssBytes: Math.max(...results.map(({ maxRssBytes }) => maxRssBytes)),
  }
}

/** What the changed files are each: compressed, and compressed against the one before. */
function peers(pairs: readonly { readonly next: string; readonly old: string | undefined }[], work: string): Row[] {
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: 3 }
  const alone = pairs.reduce(
    (sum, { next }) => sum + zlib.zstdCompressSync(fs.readFileSync(next), { params }).length,
    0,
  )
  const patch = path.join(work, 'patch')
  let patchedBytes = 0
  const startMs = performance.now()
  for (const { next, old } of pairs) {
    execFileSync('zstd', ['-q', '-f', '-3', ...(old === undefined ? [] : [`--patch-from=${old}`]), next, '-o', patch], {
      stdio: 'pipe',
    })
    patchedBytes += fs.statSync(patch).size
  }
  return [
    { what: 'zstd -3, each changed file', sizeBytes: alone },
    {
      what: 'zstd -3 --patch-from, each changed file',
      sizeBytes: patchedBytes,
      durationMs: performance.now() - startMs,
    },
  ]
}

/** The first row is what the others are compared with. */
function print(rows: readonly Row[]): void {
  for (const { what, sizeBytes, durationMs, cpuMs, maxRssBytes } of rows) {
    const ratio = (sizeBytes / rows[0]!.sizeBytes).toFixed(3)
    const time = durationMs === undefined ? '' : `${durationMs.toFixed(0)} ms`
    const cpu = cpuMs === undefined ? '' : `CPU ${cpuMs.toFixed(0)} ms`
    const memory = maxRssBytes === undefined ? '' : `RSS ${formatBytes(maxRssBytes)}`
    const size = formatBytes(sizeBytes).padStart(10)
    process.stdout.write(
      `${what.padEnd(42)}${size} ${ratio.padStart(7)} ${time.padStart(9)}  ${cpu.padStart(12)}  ${memory}\n`,
    )
  }
}
