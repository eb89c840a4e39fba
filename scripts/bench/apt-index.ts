/*
 * node scripts/bench/apt-index.ts [PACKAGES] [RUNS]
 *
 * Make the suite of a repository with so many packages, then add one more to it, with the forms that repositories have by default;
 * the suite lies in a temporary folder below TMPDIR: use a tmpfs for steady figures. Each runs in a process of its own, so that its
 * memory is its own. Beside it, in the same run, what the bytes alone cost: reading, hashing and writing them.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { digestOf } from '../../src/core/digest.ts'
import { formatBytes } from '../../src/core/quantity.ts'
import { generateAptKey } from '../../src/repository/apt/sign.ts'
import type { AptPackage, SuiteState } from '../../src/repository/apt/state.ts'
import { nextSuite } from '../../src/repository/apt/suite.ts'
import type { Document } from '../../src/repository/document.ts'
import type { AptCompression, RepositoryDescription } from '../../src/trust/layout.ts'

interface Measured {
  readonly durationMs: number
  readonly cpuMs: number
  readonly maxRssBytes: number
  readonly writtenBytes: number
}

const [first = '10000', second = '3', third] = process.argv.slice(2)
if (first.startsWith('--')) {
  const [folder, count] = [second, Number(third)]
  process.stdout.write(
    JSON.stringify(await measured(() => (first === '--bytes' ? copyBytes(folder) : step(first, folder, count)))),
  )
} else {
  compare(Number(first), Number(second))
}

function compare(count: number, runs: number): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
  try {
    const rows: [string, Measured][] = [[`all of ${count}`, inProcess('--all', folder, count)]]
    const added = Array.from({ length: runs }, () => inProcess('--one', folder, count))
    const bytes = Array.from({ length: runs }, () => inProcess('--bytes', folder, count))
    rows.push(['one more', median(added)], ['the bytes alone', median(bytes)])
    rows.push(
      ['one more, with xz', inProcess('--one-xz', folder, count)],
      ['one more again', inProcess('--one-xz', folder, count)],
    )
    for (const [what, { durationMs, cpuMs, maxRssBytes, writtenBytes }] of rows) {
      const sizes = `${formatBytes(writtenBytes).padStart(10)} written, ${formatBytes(maxRssBytes).padStart(10)} memory`
      process.stdout.write(
        `${what.padEnd(20)} ${durationMs.toFixed(0).padStart(6)} ms ${cpuMs.toFixed(0).padStart(6)} ms CPU ${sizes}\n`,
      )
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function median(runs: readonly Measured[]): Measured {
  return runs.toSorted((a, b) => a.durationMs - b.durationMs)[runs.length >> 1]!
}

function inProcess(what: string, folder: string, count: number): Measured {
  const { stdout, stderr, status } = spawnSync(process.execPath, [import.meta.filename, what, folder, String(count)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

async function measured(run: () => Promise<number>): Promise<Measured> {
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  const writtenBytes = await run()
  const durationMs = performance.now() - startMs
  const { user, system } = process.cpuUsage(startCpu)
  return { durationMs, cpuMs: (user + system) / 1000, maxRssBytes: process.resourceUsage().maxRSS * 1024, writtenBytes }
}

/** A step keeps the state and the key beside the suite, as the ledger and the keys folder would. */
async function step(what: string, folder: string, count: number): Promise<number> {
  const file = path.join(folder, 'state.json')
  const before: SuiteState | undefined = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined
  const keyFile = path.join(folder, 'key.json')
  const key =
    before === undefined ? await generateAptKey('bench', Date.now()) : JSON.parse(fs.readFileSync(keyFile, 'utf8'))
  fs.writeFileSync(keyFile, JSON.stringify(key))
  const added = before === undefined ? Array.from({ length: count }, (_, at) => made(at)) : [made(count + process.pid)]
  const next = await nextSuite({
    suite: 'stable',
    description: described(what === '--one-xz' ? ['gz', 'zst', 'xz'] : ['gz', 'zst']),
    before,
    added,
    removed: [],
    read: async name => fs.readFileSync(path.join(folder, name)),
    keys: [key],
    nowMs: Date.now(),
    kept: new Set(),
  })
  fs.writeFileSync(file, JSON.stringify(next.state))
  return write(folder, next.documents)
}

/** Bytes that are under two names are written once, as targets do it. */
function write(folder: string, documents: readonly Document[]): number {
  const places = new Map<Buffer, string>()
  let writtenBytes = 0
  for (const { key, bytes } of documents) {
    const file = path.join(folder, key)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.rmSync(file, { force: true })
    const twin = places.get(bytes)
    if (twin === undefined) {
      fs.writeFileSync(file, bytes)
      writtenBytes += bytes.byteLength
    } else fs.linkSync(twin, file)
    places.set(bytes, file)
  }
  return writtenBytes
}

/** Read and hash what is compressed, hash and write everything: nobody can add a package for less. */
async function copyBytes(folder: string): Promise<number> {
  const index = path.join(folder, 'dists/stable/main/binary-amd64')
  let writtenBytes = 0
  for (const name of ['Packages', 'Packages.gz', 'Packages.zst']) {
    const bytes = fs.readFileSync(path.join(index, name))
    if (name !== 'Packages') digestOf(bytes)
    digestOf(bytes)
    fs.writeFileSync(path.join(folder, `copy-of-${name}`), bytes)
    writtenBytes += bytes.byteLength
  }
  return writtenBytes
}

function made(at: number): AptPackage {
  const name = `package-${String(at).padStart(6, '0')}`
  const stanza = `Package: ${name}
Version: 1.${at % 7}.${at % 13}-1
Architecture: amd64
Maintainer: Bench <bench@example.com>
Installed-Size: ${(at * 7919) % 5000}
Depends: libc6 (>= 2.36), package-${String((at * 31) % 1000).padStart(6, '0')}
Section: web
Priority: optional
Homepage: https://example.com/${name}
Description: Package ${at} of a benchmark
 It has a description of two lines, as packages do,
 and is as long as a stanza is on average.
Filename: pool/application-${at % 50}/1.${at % 7}.${at % 13}/${name}_1.${at % 7}.${at % 13}-1_amd64.deb
Size: ${1000 + ((at * 104729) % 900_000)}
SHA256: ${digestOf(name).slice('sha256:'.length)}
`
  return { component: 'main', architecture: 'amd64', package: name, version: `1.${at % 7}.${at % 13}-1`, stanza }
}

function described(compressions: readonly AptCompression[]): RepositoryDescription {
  return {
    schema: 1,
    name: 'bench',
    url: 'https://example.com/',
    aptKey: '',
    channels: ['edge', 'stable'],
    lifetimesDays: { root: 1, targets: 1, application: 1, snapshot: 1, timestamp: 1 },
    apt: { components: 'repository', compressions, contents: false },
  }
}
