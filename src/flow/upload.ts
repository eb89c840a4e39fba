import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import { newestCut, type ReadyRelease, readCut } from '../repository/dist.ts'
import type { Phase } from '../repository/document.ts'
import type { PublishOp, PublishPlan } from '../repository/plan.ts'
import { appendReceipt, generatedFile, loadPlan, storePlan } from '../repository/plan-folder.ts'
import { keysOfNewApplications, preparePublication } from '../repository/publication.ts'
import { applyPhase, assertNotOvertaken, opsOf, standingOf, verifyPublished } from '../repository/publish.ts'
import { type RepositoryState, readRepository } from '../repository/state.ts'
import type { Lock } from '../sys/lock.ts'
import { recordTarget } from '../trust/layout.ts'
import {
  type Clone,
  distFolderOf,
  findClone,
  openPublisher,
  type Publisher,
  type PublisherOptions,
} from './publisher.ts'
import type { FlowTools } from './tools.ts'
import { reportUpload, type UploadCounts } from './upload-report.ts'
import { assertTagged, pushTag } from './upload-tag.ts'

/** What to publish, and where. */
export interface UploadOptions extends PublisherOptions {
  /** The newest release in `dist` when absent. */
  readonly version?: string | undefined
  /** Where releases were cut to; `dist` in the clone when absent. */
  readonly distFolder?: string | undefined
  /** The git remote that the tag is pushed to, when the clone has it. */
  readonly remote: string
  /** Only show what would be written. */
  readonly planOnly: boolean
}

interface UploadState {
  readonly options: UploadOptions
  readonly tools: FlowTools
  readonly counts: UploadCounts
  clone?: Clone | undefined
  release?: ReadyRelease
  publisher?: Publisher
  lock?: Lock
  repository?: RepositoryState
  plan?: PublishPlan
  /** The repository lists the release already, in the same bytes. */
  isPublished?: boolean
}

/** A plan that was not finished within a day is made anew: its metadata would be short of its lifetime. */
const planLifetimeMs = 86_400_000

const preparation: readonly Step<UploadState, unknown>[] = [
  // Nothing is published that is not exactly what was cut.
  { name: 'read the release', required: true, run: readRelease },
  // A tag means that the release passed everything; snapshots have none.
  { name: 'check the tag', required: false, run: checkTag },
  // From here on nobody else publishes.
  { name: 'open the repository', required: true, run: openRepository },
  // Everything is made and signed before the first write.
  { name: 'plan', required: false, run: plan },
]

const publication: readonly Step<UploadState, unknown>[] = [
  { name: 'publish blobs', required: false, run: state => applyPlanned(state, 'blobs') },
  { name: 'publish indexes', required: false, run: state => applyPlanned(state, 'indexes') },
  { name: 'publish metadata', required: false, run: state => applyPlanned(state, 'metadata') },
  // What the pointers will name is there, byte for byte.
  { name: 'read back', required: false, run: readBack },
  // A remote that refuses the tag must stop the release before anybody can see it.
  { name: 'push the tag', required: false, run: pushReleaseTag },
  // The release becomes visible; timestamp.json is the last write.
  { name: 'move the pointers', required: false, run: movePointers },
]

/**
 * Publish a release to a vendor repository.
 *
 * Post: readers saw the state before or the one after, and `result` is an UploadResult (upload-report.ts). Crash: run again, it goes on with the
 * plan in `dist/VERSION/upload`. Errors: those of its steps.
 */
export async function upload(options: UploadOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const steps = options.planOnly ? preparation : [...preparation, ...publication]
  const state: UploadState = { options, tools, counts: { written: 0, linked: 0, unchanged: 0, writtenBytes: 0 } }
  tools.emit({
    kind: 'run-started',
    command: 'upload',
    subject: options.version ?? 'the newest release',
    steps: steps.map(step => step.name),
  })
  try {
    await runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  } finally {
    state.lock?.release()
  }
  const { record } = known(state.release)
  reportUpload(
    {
      record,
      repository: known(state.publisher).folder,
      plan: state.plan,
      planOnly: options.planOnly,
      counts: state.counts,
      durationMs: tools.clock.elapsedMs() - startedMs,
    },
    tools.emit,
  )
}

async function readRelease(state: UploadState): Promise<Outcome<string>> {
  const { options, tools } = state
  state.clone = await findClone(options, tools)
  const distFolder = distFolderOf(options, state.clone)
  const version = options.version ?? newestCut(distFolder)
  state.release = await readCut(distFolder, version, (what, done, total) => {
    tools.signal.throwIfAborted()
    tools.emit({ kind: 'progress', step: 'read the release', what, unit: 'files', done, total })
  })
  const sizeBytes = state.release.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  return done(`${state.release.record.name} ${version}, ${state.release.files.length} files, ${formatBytes(sizeBytes)}`)
}

async function checkTag(state: UploadState): Promise<Outcome<string>> {
  const { record } = known(state.release)
  if (record.tag === undefined) return skipped('SNAPSHOT', `${record.version} is a snapshot, which has no tag`)
  if (state.clone === undefined) {
    throw new ReleaseError('SOURCE_NOT_GIT', `${state.options.cwd} is not in the repository that has ${record.tag}`)
  }
  await assertTagged(state.clone, record, record.tag)
  return done(record.tag)
}

async function openRepository(state: UploadState): Promise<Outcome<string>> {
  const release = known(state.release)
  const publisher = await openPublisher(state.options, state.clone)
  state.publisher = publisher
  if (!state.options.planOnly) state.lock = await publisher.target.lock('release upload')
  state.repository = await readRepository(publisher.target, publisher.trustedRoot)
  const { name, version } = release.record
  const published = state.repository.recordDigests.get(recordTarget(name, version))
  if (published !== undefined && published !== release.digest) {
    throw new ReleaseError(
      'REPOSITORY_CONFLICT',
      `${name} ${version} is published in ${publisher.folder} with the record ${published}, this one is ${release.digest}`,
      { details: { application: name, version, found: published, expected: release.digest } },
    )
  }
  state.isPublished = published !== undefined
  return done(publisher.folder)
}

async function plan(state: UploadState): Promise<Outcome<string>> {
  if (state.isPublished) return alreadyPublished(state)
  const release = known(state.release)
  const publisher = known(state.publisher)
  const nowMs = state.tools.clock.nowMs()
  const stored = loadPlan(release.folder, release.digest)
  const isFresh = stored !== undefined && nowMs - stored.madeAtMs < planLifetimeMs
  if (isFresh && (await standingOf(stored, publisher.target)) === 'open') {
    state.plan = stored
    return done('going on with the plan of an upload that did not end')
  }
  const { record } = release
  const { tuf } = known(state.repository)
  const newKeys = keysOfNewApplications(tuf, [record.name], {
    keys: publisher.keys,
    store: !state.options.planOnly,
  })
  const prepared = await preparePublication(
    known(state.repository),
    { release, applications: [] },
    { ...publisher, newKeys, nowMs },
  )
  state.plan = {
    schema: 1,
    application: record.name,
    version: record.version,
    recordDigest: release.digest,
    madeAtMs: nowMs,
    ...prepared.publication,
  }
  if (!state.options.planOnly) storePlan(release.folder, state.plan, prepared.documents)
  return done(`${state.plan.phases.reduce((sum, { ops }) => sum + ops.length, 0)} operations`)
}

async function applyPlanned(state: UploadState, phase: Phase): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  const release = known(state.release)
  const ops = opsOf(state.plan, phase)
  let count = 0
  await applyPhase(state.plan, phase, {
    target: known(state.publisher).target,
    signal: state.tools.signal,
    openSource: op => openSource(release, op),
    onOp: (_, op, outcome) => {
      count += 1
      state.counts[outcome] += 1
      if (outcome === 'written') state.counts.writtenBytes += op.sizeBytes
      appendReceipt(release.folder, { schema: 1, phase, key: op.key, digest: op.digest, outcome })
      const step = phase === 'pointer' ? 'move the pointers' : `publish ${phase}`
      state.tools.emit({ kind: 'progress', step, what: op.key, unit: 'operations', done: count, total: ops.length })
    },
  })
  return done(`${ops.length} operations`)
}

async function readBack(state: UploadState): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  await verifyPublished(state.plan, known(state.publisher).target)
  return done('everything reads back as it was written')
}

async function pushReleaseTag(state: UploadState): Promise<Outcome<string>> {
  const { record } = known(state.release)
  if (state.plan === undefined) return alreadyPublished(state)
  if (record.tag === undefined) return skipped('SNAPSHOT', 'a snapshot has no tag')
  await assertNotOvertaken(state.plan, known(state.publisher).target)
  const { remote } = state.options
  const pushed = await pushTag(known(state.clone), record.tag, remote)
  switch (pushed.kind) {
    case 'no-remote':
      return skipped('NO_REMOTE', `this clone has no remote ${remote}`)
    case 'present':
      return done(`${remote} has ${record.tag} already`)
    case 'pushed':
      return done(`${record.tag}${pushed.branch === undefined ? '' : ` and ${pushed.branch}`} to ${remote}`)
  }
}

async function movePointers(state: UploadState): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  await assertNotOvertaken(state.plan, known(state.publisher).target)
  return applyPlanned(state, 'pointer')
}

function alreadyPublished(state: UploadState): Outcome<string> {
  const { name, version } = known(state.release).record
  return skipped('ALREADY_PUBLISHED', `${name} ${version} is published, with the same record`)
}

function openSource(release: ReadyRelease, op: PublishOp): AsyncIterable<Uint8Array> {
  const file =
    op.source.kind === 'file' ? path.join(release.folder, op.source.path) : generatedFile(release.folder, op.digest)
  return fs.createReadStream(file, { highWaterMark: 1024 * 1024 })
}
