import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { formatBytes } from '../core/quantity.ts'
import { isDelta } from '../payload/release-record.ts'
import type { RepositoryChange } from '../repository/change.ts'
import { withoutReleases } from '../repository/channels.ts'
import { versionsListed } from '../repository/dated.ts'
import type { DatedSnapshot } from '../repository/ledger.ts'
import { freedFiles, type PublishedRelease, spaceBytes } from '../repository/removal.ts'
import { prunable, type RetentionDecision } from '../repository/retention.ts'
import { applicationsOf, type RepositoryView, readRecord, readStored } from '../repository/state.ts'
import type { TargetWriter } from '../repository/target.ts'
import { eachInParallel } from '../sys/parallel.ts'
import type { ReleaseIndex } from '../trust/layout.ts'
import { type ApplicationOptions, chooseApplication } from './chosen-application.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** How much to keep, and whether the rest goes. */
export interface PruneOptions extends ApplicationOptions {
  /** How many releases of each channel. */
  readonly keep: number
  /** Remove them, and not only show which. */
  readonly apply: boolean
}

/** What was pruned, or would be. */
export interface PruneResult {
  readonly application: string
  readonly applied: boolean
  readonly decisions: readonly RetentionDecision[]
  readonly files: number
  readonly freedBytes: number
}

interface Pruning {
  readonly result: PruneResult
  readonly change: RepositoryChange
}

const maxIndexBytes = 1024 * 1024 * 1024

/**
 * Remove the releases of an application that are older than the newest of every channel, or show which would go.
 *
 * Post: nothing is listed or named any more that is removed; files go after the pointers have moved.
 * Errors: RELEASE_UNKNOWN, USAGE, those of publishing. Crash: files that are left are removed by the next publication.
 */
export async function pruneReleases(options: PruneOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  tools.emit({ kind: 'run-started', command: 'prune', subject: '', steps: [] })
  const clone = await findClone(options, tools)
  const publisher = await openPublisher(options, clone)
  let pruning: Pruning | undefined
  const edit = async (view: RepositoryView) => {
    const application = chooseApplication(options, clone, applicationsOf(view))
    const readPublished = (index: ReleaseIndex) => readRecords(publisher.target, index, tools)
    pruning = await planPruning(view, application, { ...options, readPublished })
    return options.apply && pruning.result.files > 0 ? pruning.change : undefined
  }
  const { publication } = await publishChange({ publisher, command: 'release prune', edit }, tools)
  if (pruning === undefined) throw new Error('publishChange never asked what to change')
  const { result } = pruning
  tellDecisions(result, tools)
  tools.emit({
    kind: 'run-done',
    command: 'prune',
    changed: publication !== undefined,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: closingMessage(result),
    result,
  })
}

async function planPruning(
  view: RepositoryView,
  application: string,
  options: Pick<PruneOptions, 'keep' | 'apply'> & {
    readonly readPublished: (index: ReleaseIndex) => Promise<readonly PublishedRelease[]>
  },
): Promise<Pruning> {
  const { keep, apply } = options
  const index = await view.index(application)
  const dated = await neededBySnapshots(view, application)
  const first = prunable(index, { keep, needed: dated })
  const published = await options.readPublished(index)
  const needed = new Map([...neededByDeltas(published, first), ...dated])
  const decisions = prunable(index, { keep, needed })
  const going = new Set(decisions.filter(({ decision }) => decision === 'remove').map(({ version }) => version))
  const isGoing = ({ listed }: PublishedRelease) => going.has(listed.version)
  const freed = freedFiles(
    published.filter(isGoing),
    published.filter(release => !isGoing(release)),
  )
  return {
    result: { application, applied: apply, decisions, files: freed.length, freedBytes: spaceBytes(freed) },
    change: {
      indexes: new Map([[application, withoutReleases(index, going)]]),
      obsolete: freed.map(({ key }) => key),
    },
  }
}

/** What a snapshot's suites list is in the pool, and must stay there. */
async function neededBySnapshots(view: RepositoryView, application: string): Promise<ReadonlyMap<string, string>> {
  const needed = new Map<string, string>()
  const read = new Map<Digest, ReadonlySet<string>>()
  for (const { id, files } of view.ledger.snapshots) {
    for (const file of files) {
      const versions = read.get(file.digest) ?? versionsListed(await readIndex(view, file), application, file.key)
      read.set(file.digest, versions)
      for (const version of versions) needed.set(version, `in the snapshot ${id}`)
    }
  }
  return needed
}

async function readIndex({ target }: RepositoryView, file: DatedSnapshot['files'][number]): Promise<Buffer> {
  const bytes = await readStored(target, file.key, maxIndexBytes)
  const found = digestOf(bytes)
  if (found === file.digest) return bytes
  throw new ReleaseError('REPOSITORY_DAMAGED', `${file.key} in ${target.name} is ${found}, expected ${file.digest}`, {
    details: { key: file.key },
  })
}

/** A release is checked by making its delta packs again, for which the releases that they start from must be there. */
function neededByDeltas(
  published: readonly PublishedRelease[],
  decisions: readonly RetentionDecision[],
): ReadonlyMap<string, string> {
  const kept = new Set(decisions.filter(({ decision }) => decision === 'keep').map(({ version }) => version))
  const needed = new Map<string, string>()
  for (const { record } of published.filter(({ listed }) => kept.has(listed.version))) {
    const deltas = record.components.flatMap(({ artifacts }) => artifacts.filter(isDelta))
    for (const { from } of deltas) needed.set(from, `the delta pack of ${record.version} starts from it`)
  }
  return needed
}

async function readRecords(
  target: TargetWriter,
  { application, releases }: ReleaseIndex,
  { signal, emit }: FlowTools,
): Promise<readonly PublishedRelease[]> {
  const read = new Map<string, PublishedRelease>()
  await eachInParallel(releases, { parallelism: target.parallelism, stop: () => {} }, async listed => {
    signal.throwIfAborted()
    read.set(listed.version, { listed, record: await readRecord(target, application, listed) })
    const progress = { what: listed.version, unit: 'files', done: read.size, total: releases.length } as const
    emit({ kind: 'progress', step: 'read the records', ...progress })
  })
  return releases.map(({ version }) => read.get(version)!)
}

function tellDecisions({ application, decisions }: PruneResult, { emit }: FlowTools): void {
  if (decisions.length === 0) return
  emit({
    kind: 'table',
    title: `Releases of ${application}`,
    columns: ['Version', 'Decision', 'Because'],
    rows: decisions.map(({ version, decision, because }) => [version, decision, because]),
  })
}

function closingMessage({ application, applied, decisions, files, freedBytes }: PruneResult): string {
  const count = decisions.filter(({ decision }) => decision === 'remove').length
  if (count === 0) return `nothing of ${application} is old enough to go`
  const what = `${count} ${count === 1 ? 'release' : 'releases'} of ${application}, ${files} files, ${formatBytes(freedBytes)}`
  return applied ? `removed ${what}` : `would remove ${what}; nothing was changed: run it with --apply to remove them`
}
