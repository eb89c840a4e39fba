/*
 * node scripts/bench/cut.ts [RUNS]
 *
 * Cut the notes fixture and then its next release, and print how long each step takes: the median of the runs. The second cut rehearses an
 * upgrade and the way back. Everything happens in temporary folders below TMPDIR; npm's cache is the user's.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { commitChange, fixtureVersions, makeFixtureRepository } from '../../fixtures/make-repository.ts'
import type { Event } from '../../src/core/event.ts'
import { formatDuration } from '../../src/core/quantity.ts'
import { cut } from '../../src/flow/cut.ts'
import { systemClock } from '../../src/sys/clock.ts'

/** Durations by step, in milliseconds, with `total`. */
type Durations = ReadonlyMap<string, number>

const runs = Number(process.argv[2] ?? '3')
const [first, second] = fixtureVersions('notes')
if (second === undefined) throw new Error('the notes fixture has only one version')
const measured: { readonly first: Durations; readonly second: Durations }[] = []
for (let run = 0; run < runs; run++) measured.push(await measure(second))
print([
  { title: first, runs: measured.map(each => each.first) },
  { title: second, runs: measured.map(each => each.second) },
])

async function measure(next: string) {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
  try {
    const folder = path.join(work, 'notes')
    await makeFixtureRepository({ fixture: 'notes', folder })
    const before = await timeCut(folder, first)
    await commitChange({ fixture: 'notes', folder, version: next })
    return { first: before, second: await timeCut(folder, next) }
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

async function timeCut(folder: string, version: string): Promise<Durations> {
  const durations = new Map<string, number>()
  const emit = (event: Event) => {
    if (event.kind === 'step-done') durations.set(event.step, event.durationMs)
    if (event.kind === 'run-done' && event.command === 'cut') durations.set('total', event.durationMs)
  }
  const options = { cwd: folder, environment: process.env, version, snapshot: false, dryRun: false }
  await cut(options, { emit, clock: systemClock, signal: new AbortController().signal })
  return durations
}

function print(columns: readonly { readonly title: string; readonly runs: readonly Durations[] }[]): void {
  const steps = [...new Set(columns.flatMap(column => column.runs.flatMap(durations => [...durations.keys()])))]
  const cells = [
    ['Step', ...columns.map(column => `notes ${column.title}`)],
    ...steps.map(step => [
      step,
      ...columns.map(column => medianText(column.runs.map(durations => durations.get(step)))),
    ]),
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map(row => row[column]!.length)))
  for (const row of cells) {
    const [step, ...times] = row
    process.stdout.write(
      `${[step!.padEnd(widths[0]!), ...times.map((time, at) => time.padStart(widths[at + 1]!))].join('  ')}\n`,
    )
  }
}

function medianText(values: readonly (number | undefined)[]): string {
  const sorted = values.filter(value => value !== undefined).toSorted((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]
  return middle === undefined ? '-' : formatDuration(middle)
}
