import fs from 'node:fs'
import path from 'node:path'
import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import { assertUnpackable } from '../envelope/unpack.ts'
import { artifactsOf } from '../repository/artifacts.ts'
import type { RepositoryChange } from '../repository/change.ts'
import { channelsUpTo, defaultChannels, withListed } from '../repository/channels.ts'
import { assertUnclaimed } from '../repository/claims.ts'
import type { ReadyRelease } from '../repository/dist.ts'
import { digestOfDocument, type Phase } from '../repository/document.ts'
import { signEvidence } from '../repository/evidence.ts'
import { listedRelease } from '../repository/listing.ts'
import type { PublishOp, PublishPlan } from '../repository/plan.ts'
import {
  appendReceipt,
  dropGenerated,
  dropPlan,
  generatedFile,
  loadPlan,
  storePlan,
  uploadFolder,
} from '../repository/plan-folder.ts'
import {
  applyPhase,
  assertNotOvertaken,
  isAdding,
  opsOf,
  standingOf,
  sweep,
  verifyPublished,
} from '../repository/publish.ts'
import type { RepositoryView } from '../repository/state.ts'
import type { Lease } from '../repository/target.ts'
import type { RateLimit } from '../sys/rate-limit.ts'
import { applicationRole } from '../trust/layout.ts'
import { isOvertaken, leaseWaitMs, prepareChange } from './publish-change.ts'
import { type Clone, openPublisher, type Publisher, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'
import { TransferProgress } from './transfer-progress.ts'
import type { UploadOptions } from './upload.ts'
import type { UploadCounts } from './upload-report.ts'
import { pushTag } from './upload-tag.ts'

/** A release on its way to one vendor repository. */
export interface RepositoryUpload {
  readonly options: UploadOptions
  readonly tools: FlowTools
  readonly clone: Clone | undefined
  readonly release: ReadyRelease
  /** A folder or an address; what the clone is set up with when absent. */
  readonly place: string | undefined
  readonly bandwidth: RateLimit | undefined
  readonly counts: UploadCounts
  publisher?: Publisher
  view?: RepositoryView
  lease?: Lease
  plan?: PublishPlan
  /** What the plan generated, when it was made just now: from memory it need not be read again. */
  generated?: ReadonlyMap<Digest, Buffer>
  /** The signed provenance, as it is published. */
  envelope?: { readonly name: string; readonly bytes: Buffer }
  /** The channels that the release goes to. */
  channels?: readonly string[]
  /** The repository lists the release already, in the same bytes. */
  isPublished?: boolean
}

/** A plan that was not finished within a day is made anew: its metadata would be short of its lifetime. */
const planLifetimeMs = 86_400_000
/** How often a publication is planned anew because somebody else was faster. */
const maxAttempts = 5

const preparation: readonly Step<RepositoryUpload, unknown>[] = [
  { name: 'open the repository', required: true, run: openRepository },
  // Everything is made and signed before the first write.
  { name: 'plan', required: false, run: plan },
]

const publication: readonly Step<RepositoryUpload, unknown>[] = [
  // Names that nobody else has: others may publish meanwhile.
  { name: 'publish blobs', required: false, run: publishBlobs },
  // From here on nobody else publishes.
  { name: 'keep others out', required: false, run: takeLease },
  { name: 'publish indexes', required: false, run: state => applyPlanned(state, 'indexes') },
  { name: 'publish metadata', required: false, run: state => applyPlanned(state, 'metadata') },
  // What the pointers will name is there, byte for byte, and unpacks.
  { name: 'read back', required: false, run: readBack },
  // A remote that refuses the tag must stop the release before anybody can see it.
  { name: 'push the tag', required: false, run: pushReleaseTag },
  // The release becomes visible; timestamp.json is the last write.
  { name: 'move the pointers', required: false, run: movePointers },
  { name: 'sweep', required: false, run: sweepObsolete },
]

/** The names of the steps of {@link uploadToRepository}, in their order. */
export function repositoryStepNames(planOnly: boolean): readonly string[] {
  return (planOnly ? preparation : [...preparation, ...publication]).map(step => step.name)
}

/**
 * Publish a release in one vendor repository.
 *
 * When somebody else publishes in the meantime, the publication is planned again for what the repository is then; what was uploaded stays.
 * Errors: REPOSITORY_CONFLICT, REPOSITORY_CHANGED (others were faster again and again), those of the steps.
 */
export async function uploadToRepository(state: RepositoryUpload): Promise<void> {
  const { emit, clock } = state.tools
  const steps = state.options.planOnly ? preparation : [...preparation, ...publication]
  for (let attempt = 1; ; attempt += 1) {
    try {
      // Planning takes longer than publishing: who was overtaken once keeps others out while it plans, or might be for ever.
      if (attempt > 1) state.lease = await leaseOf(state)
      await runSteps(steps, state, { emit, nowMs: clock.elapsedMs })
      return
    } catch (caught) {
      if (!isOvertaken(caught) || attempt === maxAttempts) throw caught
      dropPlan(folderOf(state))
      delete state.plan
      delete state.generated
      emit({ kind: 'note', message: 'somebody else published meanwhile; planning again' })
    } finally {
      await state.lease?.release()
      delete state.lease
    }
  }
}

const folderOf = ({ release, publisher }: RepositoryUpload) => uploadFolder(release.folder, known(publisher).place)

async function openRepository(state: RepositoryUpload): Promise<Outcome<string>> {
  const { options, release, place } = state
  const publisher = await openPublisher(
    place === undefined ? options : { ...options, repository: place },
    state.clone,
    { bandwidth: state.bandwidth },
  )
  const view = await viewOf(publisher)
  const { name, version } = release.record
  const index = await view.index(name)
  const published = index.releases.find(listed => listed.version === version)?.record.digest
  if (published !== undefined && published !== release.digest) {
    throw new ReleaseError(
      'REPOSITORY_CONFLICT',
      `${name} ${version} is published in ${publisher.place} with the record ${published}, this one is ${release.digest}`,
      { details: { application: name, version, found: published, expected: release.digest } },
    )
  }
  Object.assign(state, { publisher, view, isPublished: published !== undefined })
  return done(publisher.place)
}

async function plan(state: RepositoryUpload): Promise<Outcome<string>> {
  const { release, options, tools } = state
  const publisher = known(state.publisher)
  if (state.isPublished) return alreadyPublished(state)
  const nowMs = tools.clock.nowMs()
  const change = await releaseChange(state)
  const stored = loadPlan(folderOf(state), release.digest)
  const isFresh = stored !== undefined && nowMs - stored.madeAtMs < planLifetimeMs
  if (isFresh && sameChannels(stored, state) && (await standingOf(stored, publisher.target)) === 'open') {
    state.plan = stored
    return done('going on with the plan of an upload that did not end')
  }
  const prepared = await prepareChange(
    { publisher, view: known(state.view), change, planOnly: options.planOnly },
    tools,
  )
  state.plan = {
    schema: 1,
    application: release.record.name,
    version: release.record.version,
    recordDigest: release.digest,
    channels: known(state.channels),
    madeAtMs: nowMs,
    ...prepared.publication,
  }
  state.generated = new Map(prepared.documents.map(document => [digestOfDocument(document), document.bytes]))
  if (!options.planOnly) storePlan(folderOf(state), state.plan, prepared.documents)
  return done(`${state.plan.phases.reduce((sum, { ops }) => sum + ops.length, 0)} operations`)
}

const sameChannels = (stored: PublishPlan, state: RepositoryUpload) =>
  JSON.stringify(stored.channels) === JSON.stringify(state.channels)

/** What publishing a release changes: it is listed, in its channels, with the signed evidence of how it was made. */
async function releaseChange(state: RepositoryUpload): Promise<RepositoryChange> {
  const { release, options, tools } = state
  const { record } = release
  const publisher = known(state.publisher)
  const view = known(state.view)
  const { channels, lifetimesDays } = view.description
  publisher.ensureApplications([record.name], { store: !options.planOnly, view })
  const signing = publisher.signing({ nowMs: tools.clock.nowMs(), lifetimesDays })
  const evidence = signEvidence(release, signing.signers(applicationRole(record.name)))
  const { provenance } = evidence
  if (provenance !== undefined) state.envelope = { name: provenance.name, bytes: provenance.envelope }
  const listed = listedRelease(record, release.bytes, provenance)
  const index = await view.index(record.name)
  assertUnclaimed(listed, index, view.ledger)
  state.channels =
    options.channel === undefined
      ? defaultChannels(listed, channels)
      : channelsUpTo({ channel: options.channel, channels })
  const after = withListed(index, listed, state.channels)
  return { indexes: new Map([[record.name, after]]), added: { release, evidence } }
}

async function publishBlobs(state: RepositoryUpload): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  return applyOps(state, 'blobs', opsOf(state.plan, 'blobs').filter(isAdding))
}

function leaseOf({ publisher, options, tools }: RepositoryUpload): Promise<Lease> {
  const { waitMs = leaseWaitMs } = options
  return known(publisher).target.lease('release upload', { waitMs, signal: tools.signal })
}

async function takeLease(state: RepositoryUpload): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  const { target } = known(state.publisher)
  state.lease ??= await leaseOf(state)
  await assertNotOvertaken(state.plan, target)
  // What a killed upload left under names of this release is replaced while nobody else can publish it.
  const replacing = opsOf(state.plan, 'blobs').filter(op => !isAdding(op))
  if (replacing.length > 0) await applyOps(state, 'blobs', replacing)
  return done(target.name)
}

async function applyPlanned(state: RepositoryUpload, phase: Phase): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  state.lease?.assertHeld()
  return applyOps(state, phase, opsOf(state.plan, phase))
}

const stepNames: Readonly<Record<Phase, string>> = {
  blobs: 'publish blobs',
  indexes: 'publish indexes',
  metadata: 'publish metadata',
  pointer: 'move the pointers',
}

async function applyOps(state: RepositoryUpload, phase: Phase, ops: readonly PublishOp[]): Promise<Outcome<string>> {
  const { counts, tools } = state
  const folder = folderOf(state)
  const progress = new TransferProgress(ops)
  const report = (what: string) =>
    tools.emit({
      kind: 'progress',
      step: stepNames[phase],
      what,
      unit: 'bytes',
      done: progress.doneBytes,
      total: progress.totalBytes,
    })
  await applyPhase(phase, ops, {
    target: known(state.publisher).target,
    signal: tools.signal,
    openSource: op => openSource(state, op),
    onBytes: (op, doneBytes) => {
      progress.move(op.key, doneBytes)
      report(op.key)
    },
    onOp: (_, op, outcome) => {
      counts[outcome] += 1
      if (outcome === 'written') counts.writtenBytes += op.sizeBytes
      appendReceipt(folder, { schema: 1, phase, key: op.key, digest: op.digest, outcome })
      progress.move(op.key, op.sizeBytes)
      report(op.key)
    },
  })
  return done(`${ops.length} operations, ${formatBytes(progress.totalBytes)}`)
}

async function readBack(state: RepositoryUpload): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  const { release, tools } = state
  let doneBytes = 0
  await verifyPublished(state.plan, known(state.publisher).target, {
    signal: tools.signal,
    onKey: (key, sizeBytes) => {
      doneBytes += sizeBytes
      tools.emit({ kind: 'progress', step: 'read back', what: key, unit: 'bytes', done: doneBytes })
    },
  })
  // The package in dist has the digest that was just read back, so what is true of its bytes is true of the published ones.
  const debs = artifactsOf(release.record, 'deb')
  for (const deb of debs) await assertUnpackable(path.join(release.folder, deb.name))
  const also = debs.length === 0 ? '' : `; dpkg can unpack ${debs.map(deb => deb.package).join(', ')}`
  return done(`${formatBytes(doneBytes)} read back as they were written${also}`)
}

async function pushReleaseTag(state: RepositoryUpload): Promise<Outcome<string>> {
  const { record } = state.release
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

async function movePointers(state: RepositoryUpload): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  const publisher = known(state.publisher)
  await assertNotOvertaken(state.plan, publisher.target)
  const outcome = await applyPlanned(state, 'pointer')
  publisher.keys.rememberTimestamp(publisher.place, known(state.view).tuf.timestamp.version + 1)
  return outcome
}

async function sweepObsolete(state: RepositoryUpload): Promise<Outcome<string>> {
  if (state.plan === undefined) return alreadyPublished(state)
  await sweep(state.plan, known(state.publisher).target)
  dropGenerated(folderOf(state))
  return done(`${state.plan.sweep.length} keys that nobody follows any more`)
}

function alreadyPublished(state: RepositoryUpload): Outcome<string> {
  const { name, version } = state.release.record
  return skipped('ALREADY_PUBLISHED', `${name} ${version} is published, with the same record`)
}

const pieceBytes = 1024 * 1024

function openSource(state: RepositoryUpload, op: PublishOp): AsyncIterable<Uint8Array> {
  const bytes = op.source.kind === 'generated' ? state.generated?.get(op.digest) : undefined
  if (bytes !== undefined) return inPieces(bytes)
  const file =
    op.source.kind === 'file'
      ? path.join(state.release.folder, op.source.path)
      : generatedFile(folderOf(state), op.digest)
  return fs.createReadStream(file, { highWaterMark: pieceBytes })
}

/** As a file is read, so that a limit to the bandwidth finds something to wait between. */
async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}
