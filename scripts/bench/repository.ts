/*
 * node scripts/bench/repository.ts [--sizes 10000,50000] [--folder DIR] [--runs N] [--without aptly,reprepro,reindex] [--release FILE]
 *
 * Fill repositories with so many tiny packages, ours and those of aptly and reprepro, then add one package to each, and a hundred at once,
 * with everything that publishing takes: indexes, by-hash, signatures. Ours is `release upload` as it is shipped (built into the
 * folder, or FILE), once with the compressions that the peers have and once as repositories are by default. Then `release reindex` beside
 * `apt-ftparchive packages` of the same pool without a cache. Compare within one run, on a tmpfs (--folder), where no disk disturbs.
 * Needs aptly, reprepro, apt-ftparchive (apt-utils), gpg and /usr/bin/time (time).
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { formatBytes } from '../../src/core/quantity.ts'
import type { AptCompression } from '../../src/trust/layout.ts'
import { fillRepository } from './lib/filled-repository.ts'
import { aptlyRepository, type Measured, makeGpgKey, measure, repreproRepository } from './lib/peer-repositories.ts'
import { makeTinyRelease } from './lib/tiny-packages.ts'

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10000,50000' },
    folder: { type: 'string', default: os.tmpdir() },
    runs: { type: 'string', default: '3' },
    without: { type: 'string', default: '' },
    release: { type: 'string' },
  },
})
const without = new Set(values.without.split(','))
const runs = Number(values.runs)

/** One thing that was measured, several times. */
interface Row {
  readonly what: string
  readonly measured: readonly Measured[]
  /** How much of what is served was new afterwards. */
  readonly writtenBytes?: number
}

const base = fs.mkdtempSync(path.join(values.folder, 'cutover-bench-'))
try {
  const program = values.release === undefined ? build(base) : path.resolve(values.release)
  for (const size of values.sizes.split(',').map(Number)) {
    const folder = path.join(base, String(size))
    fs.mkdirSync(folder)
    tell(size, compare(folder, size, await ourRepositories(folder, size), program))
    fs.rmSync(folder, { recursive: true })
  }
} finally {
  fs.rmSync(base, { recursive: true, force: true })
}

interface OurRepository {
  readonly what: string
  readonly folder: string
  readonly channels: readonly string[]
}

async function ourRepositories(base: string, packages: number): Promise<readonly OurRepository[]> {
  const kinds: readonly (readonly [string, readonly string[], readonly AptCompression[]])[] = [
    ['one suite, gz', ['stable'], ['gz']],
    ['one suite, gz and zst', ['stable'], ['gz', 'zst']],
    ['three suites, gz and zst', ['edge', 'beta', 'stable'], ['gz', 'zst']],
  ]
  const made: OurRepository[] = []
  for (const [what, channels, compressions] of kinds) {
    const folder = path.join(base, `ours-${made.length}`)
    await fillRepository({ folder, packages, channels, compressions })
    made.push({ what, folder, channels })
  }
  return made
}

/** All that is compared takes turns, so that whatever else the machine does meets each of them. */
function compare(folder: string, size: number, ours: readonly OurRepository[], program: string): readonly Row[] {
  const pool = path.join(ours[0]!.folder, 'repository/pool')
  makeGpgKey(folder)
  const peers = [
    ...(without.has('aptly') ? [] : [aptlyRepository(folder, pool)]),
    ...(without.has('reprepro') ? [] : [repreproRepository(folder, pool)]),
  ]
  const rows = new Map<string, Row>()
  const note = (what: string, measured: Measured, writtenBytes?: number) => {
    const before = rows.get(what)?.measured ?? []
    rows.set(what, { what, measured: [...before, measured], ...(writtenBytes === undefined ? {} : { writtenBytes }) })
  }
  let number = size
  for (const count of [1, 100]) {
    for (let run = 0; run < runs; run += 1) {
      const version = `2.${count}.${run}-dev.1`
      const dist = path.join(folder, 'dist')
      makeTinyRelease(path.join(dist, version), {
        application: 'application-00',
        version,
        first: number,
        packages: count,
      })
      number += count
      const debs = fs.readdirSync(path.join(dist, version)).filter(name => name.endsWith('.deb'))
      for (const repository of ours) {
        const what = `release upload of ${count}: ${repository.what}`
        const published = path.join(repository.folder, 'repository')
        const { measured, writtenBytes } = watch(published, () => upload(program, repository, dist, version))
        note(what, measured, writtenBytes)
      }
      for (const peer of peers) {
        const before = inodes(peer.published)
        const parts = peer.add(debs.map(name => path.join(dist, version, name)))
        const writtenBytes = newBytes(before, peer.published)
        for (const [what, measured] of parts) note(`${what}, ${count} more`, measured, writtenBytes)
      }
    }
  }
  if (!without.has('reindex')) {
    for (let run = 0; run < runs; run += 1) {
      for (const repository of ours) {
        const argv = [process.execPath, program, 'reindex', ...placesOf(repository)]
        note(`release reindex: ${repository.what}`, measure(argv, { cwd: folder }))
      }
      const out = path.join(folder, 'Packages')
      note('apt-ftparchive packages', measure(['apt-ftparchive', 'packages', pool], { cwd: folder, out }))
    }
  }
  return [...rows.values()]
}

function placesOf({ folder }: OurRepository): readonly string[] {
  return [...['--repository', path.join(folder, 'repository')], ...['--keys', path.join(folder, 'keys')]]
}

function upload(program: string, repository: OurRepository, dist: string, version: string): Measured {
  const channel = repository.channels.at(-1)!
  const argv = [process.execPath, program, 'upload', version, ...placesOf(repository)]
  // The plan of an upload to another repository is in another folder, so that one release can go to all.
  return measure([...argv, '--dist', dist, '--channel', channel], { cwd: repository.folder })
}

function watch(folder: string, run: () => Measured): { readonly measured: Measured; readonly writtenBytes: number } {
  const before = inodes(folder)
  const measured = run()
  return { measured, writtenBytes: newBytes(before, folder) }
}

function inodes(folder: string): ReadonlySet<number> {
  return new Set(statsBelow(folder).map(({ ino }) => ino))
}

/** What is new in a folder: files under several names count once. */
function newBytes(before: ReadonlySet<number>, folder: string): number {
  const found = new Map(statsBelow(folder).map(({ ino, size }) => [ino, size]))
  return [...found].filter(([ino]) => !before.has(ino)).reduce((sum, [, size]) => sum + size, 0)
}

function statsBelow(folder: string): readonly fs.Stats[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => fs.statSync(path.join(entry.parentPath, entry.name)))
}

function tell(size: number, rows: readonly Row[]): void {
  process.stdout.write(`\n${size} packages, ${runs} runs each\n`)
  for (const { what, measured, writtenBytes } of rows) {
    const times = (of: (each: Measured) => number) => measured.map(of).toSorted((a, b) => a - b)
    const durations = times(({ durationMs }) => durationMs)
    const cpu = times(({ cpuMs }) => cpuMs)
    const memory = formatBytes(Math.max(...measured.map(({ maxRssBytes }) => maxRssBytes)))
    const written = writtenBytes === undefined ? '' : `, ${formatBytes(writtenBytes).padStart(10)} written`
    const [middle, fastest, cpuMs] = [durations[runs >> 1]!, durations[0]!, cpu[runs >> 1]!]
    const columns = [
      what.padEnd(48),
      `${middle.toFixed(0).padStart(6)} ms (fastest ${fastest.toFixed(0).padStart(5)}), CPU ${cpuMs.toFixed(0).padStart(5)} ms`,
    ]
    process.stdout.write(`${columns.join(' ')}, ${memory.padStart(10)} memory${written}\n`)
  }
}

function build(folder: string): string {
  const built = path.join(folder, 'build')
  const script = path.join(import.meta.dirname, '../build.ts')
  const { status, stderr } = spawnSync(process.execPath, [script, built], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return path.join(built, 'release.js')
}
