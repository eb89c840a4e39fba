import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { differenceKinds, type TreeDifference } from '../payload/tree-difference.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import type { CheckedRelease } from '../prefix/verify-release.ts'
import type { RepairReport } from './repair.ts'
import type { FlowTools } from './tools.ts'

/** A release as it is in the end, and what was mended before. */
export interface ReleaseVerification {
  readonly checked: CheckedRelease
  readonly report: RepairReport | undefined
}

/** What a verification came to, when nothing differs any more; the `result` of its last event. */
export interface VerifyResult {
  readonly versions: readonly string[]
  /** How many files, folders and links were compared. */
  readonly entries: number
  readonly mended: readonly string[]
  readonly fetchedBytes: number
  readonly quarantined: readonly string[]
}

/** What there is to tell. */
export interface VerifiedRun {
  readonly paths: PrefixPaths
  readonly subject: string
  readonly releases: readonly ReleaseVerification[]
  readonly prefixDifferences: readonly TreeDifference[]
  readonly startedMs: number
  /** How many differences are listed; all of them when undefined. */
  readonly listed: number | undefined
}

/** Tell what was found and mended. Errors: VERIFY_FAILED when something differs. */
export function tellVerified(run: VerifiedRun, tools: FlowTools): VerifyResult {
  tellRepair(run, tools)
  tellCaches(run, tools)
  const differences = allDifferences(run)
  if (differences.length > 0) {
    tellDifferences(differences, run.listed, tools)
    throw failure(run, differences)
  }
  const reports = run.releases.flatMap(({ report }) => report ?? [])
  const result: VerifyResult = {
    versions: run.releases.map(({ checked }) => checked.version),
    entries: run.releases.reduce((sum, { checked }) => sum + checked.entries, 0),
    mended: mendedPaths(run),
    fetchedBytes: reports.reduce((sum, report) => sum + report.fetchedBytes, 0),
    quarantined: reports.flatMap(report => report.quarantined.map(({ place }) => place)),
  }
  const changed = result.mended.length + result.quarantined.length > 0
  tools.emit({
    kind: 'run-done',
    command: 'verify',
    changed,
    durationMs: tools.clock.elapsedMs() - run.startedMs,
    message: `${run.subject} is what was signed${changed ? ' again' : ''}`,
    result,
  })
  return result
}

/** Count differences for people; empty when there are none. */
export function differencesText(count: number): string {
  return count === 0 ? '' : count === 1 ? '1 difference' : `${count} differences`
}

/** All of them, with paths relative to the prefix. */
function allDifferences({ paths, releases, prefixDifferences }: VerifiedRun): readonly TreeDifference[] {
  const inReleases = releases.flatMap(({ checked }) => {
    const folder = path.relative(paths.root, checked.root)
    return checked.differences.map(each => ({ ...each, path: path.join(folder, each.path) }))
  })
  return [...inReleases, ...prefixDifferences]
}

function mendedPaths({ paths, releases }: VerifiedRun): readonly string[] {
  return releases.flatMap(({ checked, report }) => {
    const folder = path.relative(paths.root, checked.root)
    return report?.mended.map(name => path.join(folder, name)) ?? []
  })
}

function tellRepair(run: VerifiedRun, { emit }: FlowTools): void {
  for (const { path: name, place } of run.releases.flatMap(({ report }) => report?.quarantined ?? [])) {
    emit({ kind: 'note', message: `${name} was moved to ${place}` })
  }
  if (mendedPaths(run).length === 0) return
  const message = 'what runs keeps the files that it has open: restart the services to have them read what was mended'
  emit({ kind: 'note', message })
  const shared = run.releases.reduce((sum, { report }) => sum + (report?.sharedFiles ?? 0), 0)
  if (shared === 0) return
  const others = `other releases had ${shared} of the damaged files in common: run cutover verify --all --repair`
  emit({ kind: 'note', message: others })
}

function tellCaches({ releases }: VerifiedRun, { emit }: FlowTools): void {
  for (const { checked } of releases.filter(each => each.checked.caches.length > 0)) {
    const { caches, version } = checked
    const message = `Python has compiled ${caches.length} files of ${version} since it was installed, which cannot be verified: ${shown(caches)}`
    emit({ kind: 'warning', code: 'VERIFY_CACHE', message })
  }
}

function tellDifferences(
  differences: readonly TreeDifference[],
  listed: number | undefined,
  { emit }: FlowTools,
): void {
  emit({
    kind: 'table',
    title: differencesText(differences.length),
    columns: ['path', 'what', 'expected', 'found'],
    rows: differences
      .slice(0, listed)
      .map(each => [each.path, each.kind, shortened(each.expected), shortened(each.found)]),
  })
  const left = differences.length - (listed ?? differences.length)
  if (left > 0) emit({ kind: 'note', message: `and ${left} more: --json lists all` })
}

/** Nobody compares digests by eye to their ends. */
function shortened(text: string): string {
  return text.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '$1…')
}

function failure(run: VerifiedRun, differences: readonly TreeDifference[]): ReleaseError {
  const byKind = differenceKinds.map(kind => [kind, differences.filter(each => each.kind === kind)] as const)
  const counts = byKind.flatMap(([kind, those]) => (those.length > 0 ? [`${those.length} ${kind}`] : []))
  return new ReleaseError('VERIFY_FAILED', `${run.paths.root} differs from what was signed: ${counts.join(', ')}`, {
    hint: hintFor(run, differences),
    details: {
      path: run.paths.root,
      ...Object.fromEntries(byKind.map(([kind, those]) => [kind, those.map(each => each.path)])),
    },
  })
}

function hintFor(run: VerifiedRun, differences: readonly TreeDifference[]): string {
  const [release] = run.releases.filter(({ checked }) => checked.differences.length > 0)
  if (release === undefined)
    return 'correct it by hand; `cutover init` makes bin/ again, `cutover recover` the link `current`'
  const isRepaired = run.releases.some(({ report }) => report !== undefined)
  if (!isRepaired) return 'run `cutover verify --repair`, and find out who did it'
  const isExtra = differences.every(each => each.kind === 'extra')
  if (isExtra) return 'run `cutover verify --repair --remove-extra` to move them into quarantine'
  const { version, root } = release.checked
  return `what setup made is not signed and cannot be fetched: install another version, remove ${root}, and install ${version} again`
}

function shown(names: readonly string[]): string {
  return `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`
}
