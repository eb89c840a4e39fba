/*
 * node scripts/bench/upload.ts [RELEASES...]
 *
 * Upload one small release into repositories that have 1, 100 and 1000 releases (or as many as named), and read it as an
 * installer does: what the number of releases costs, apart from the size of what is shipped.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatBytes } from '../../src/core/quantity.ts'
import { initRepository } from '../../src/flow/repository-init.ts'
import type { FlowTools } from '../../src/flow/tools.ts'
import { upload } from '../../src/flow/upload.ts'
import type { UploadResult } from '../../src/flow/upload-report.ts'
import { indexDocument, recordDocument } from '../../src/repository/documents.ts'
import { openKeys } from '../../src/repository/keys/folder.ts'
import { signingWith } from '../../src/repository/keys/signing.ts'
import { readRepository } from '../../src/repository/state.ts'
import { openDirectory } from '../../src/repository/targets/directory.ts'
import { nextMetadata } from '../../src/repository/tuf/metadata.ts'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { makeRelease } from '../../tests/support/made-release.ts'

const rows: string[][] = [['releases', 'upload', 'of it planning', 'written', 'first read', 'read again']]
const counts = process.argv.slice(2).map(Number)
for (const count of counts.length === 0 ? [1, 100, 1000] : counts) rows.push(await measure(count))
const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
for (const row of rows)
  process.stdout.write(`${row.map((cell, column) => cell.padStart(widths[column]!)).join('  ')}\n`)

async function measure(count: number): Promise<string[]> {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
  try {
    const common = {
      cwd: base,
      environment: { PATH: process.env['PATH'] },
      repository: path.join(base, 'repository'),
      keys: path.join(base, 'keys'),
    }
    await initRepository({ ...common, name: 'bench', applications: ['notes'] }, tools())
    await fill(base, count)
    const distFolder = path.join(base, 'dist')
    makeRelease({ distFolder, version: `2.0.0-dev.1` })
    const watched = tools()
    const uploadMs = await timed(() =>
      upload({ ...common, version: '2.0.0-dev.1', distFolder, remote: 'origin', planOnly: false }, watched),
    )
    const trust = path.join(base, 'trust')
    const repositoryUrl = pathToFileURL(common.repository).href
    const read = async () => {
      await pinRoot({ folder: trust, repositoryUrl })
      await openRepository({ folder: trust, repositoryUrl }).record('notes', '2.0.0-dev.1')
    }
    const firstMs = await timed(read)
    const againMs = await timed(read)
    return [
      String(count),
      `${uploadMs.toFixed(0)} ms`,
      `${watched.stepMs('open the repository', 'plan').toFixed(0)} ms`,
      formatBytes(watched.result!.writtenBytes),
      `${firstMs.toFixed(0)} ms`,
      `${againMs.toFixed(0)} ms`,
    ]
  } finally {
    fs.rmSync(base, { recursive: true, force: true })
  }
}

/** Sign for many releases at once, in one generation of metadata: uploading them one by one would take minutes. */
async function fill(base: string, count: number): Promise<void> {
  const folder = path.join(base, 'repository')
  const target = openDirectory(folder)
  const keys = openKeys(path.join(base, 'keys'), { repository: folder, create: false })
  const state = await readRepository(target, keys.trustedRoot()!)
  const distFolder = path.join(base, 'filling')

  const documents = Array.from({ length: count }, (_, at) => {
    const version = `1.${at}.0-dev.1`
    const record = makeRelease({ distFolder, version })

    return { record, ...recordDocument(record, fs.readFileSync(path.join(distFolder, version, 'release.json'))) }
  })
  const index = indexDocument({ name: 'notes', releases: documents.map(document => document.record) })
  const targets = [...documents, index]
  const signed = nextMetadata(
    state.tuf,
    new Map([['notes', targets.map(({ target: signedFor }) => signedFor)]]),
    signingWith(keys, { nowMs: Date.now() }),
  )
  for (const { key, bytes } of [...targets.map(({ document }) => document), ...signed]) {
    fs.mkdirSync(path.dirname(path.join(folder, key)), { recursive: true })
    fs.writeFileSync(path.join(folder, key), bytes)
  }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await act()
  return performance.now() - startedMs
}

interface WatchedTools extends FlowTools {
  result: UploadResult | undefined
  stepMs: (...steps: readonly string[]) => number
}

function tools(): WatchedTools {
  const durations = new Map<string, number>()
  const watched: WatchedTools = {
    result: undefined,
    stepMs: (...steps) => steps.reduce((sum, step) => sum + (durations.get(step) ?? 0), 0),
    clock: { nowMs: () => Date.now(), elapsedMs: () => performance.now() },
    signal: new AbortController().signal,
    emit: event => {
      if (event.kind === 'step-done') durations.set(event.step, event.durationMs)
      if (event.kind === 'run-done') watched.result = event.result as UploadResult
    },
  }
  return watched
}
