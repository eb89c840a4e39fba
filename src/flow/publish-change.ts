import { ReleaseError } from '../core/error.ts'
import { known } from '../core/step.ts'
import type { RepositoryChange } from '../repository/change.ts'
import { type Document, digestOfDocument, type Phase, phases } from '../repository/document.ts'
import { trustedAptKeys } from '../repository/keys/apt-keys.ts'
import type { Publication, PublishOp } from '../repository/plan.ts'
import { type PreparedPublication, preparePublication } from '../repository/publication.ts'
import { applyPhase, assertNotOvertaken, opsOf, sweep, verifyPublished } from '../repository/publish.ts'
import type { RepositoryView } from '../repository/state.ts'
import type { Lease, WriteOutcome } from '../repository/target.ts'
import { packageFiles } from './package-files.ts'
import { type Publisher, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** How long a publisher waits for another one to end. */
export const leaseWaitMs = 120_000
/** How often a publication is planned anew because somebody else was faster. */
const maxAttempts = 5

/** A change that was published, or would have been. */
export interface PublishedChange {
  /** The repository as it was. */
  readonly view: RepositoryView
  /** Absent when there was nothing to do. */
  readonly publication?: Publication
  readonly writtenBytes: number
}

/**
 * Change a repository, all of it or nothing as far as readers see.
 *
 * `edit` looks at the repository and says what is to change; undefined when nothing is. When somebody else publishes in the
 * meantime, it is asked again about the repository as it is then. Nothing is written when `planOnly` is set.
 * Errors: those of `edit`, REPOSITORY_CHANGED (others were faster again and again), LOCKED, KEY_*, those of the target.
 * Crash: readers saw the old state or the new one; the command is run again.
 */
export async function publishChange(
  options: {
    readonly publisher: Publisher
    /** As the lease names its holder. */
    readonly command: string
    readonly edit: (view: RepositoryView) => Promise<RepositoryChange | undefined>
    readonly planOnly?: boolean
  },
  tools: FlowTools,
): Promise<PublishedChange> {
  for (let attempt = 1; ; attempt += 1) {
    // Planning takes longer than publishing: who was overtaken once keeps others out while it plans, or might be for ever.
    const { target } = options.publisher
    const lease =
      attempt === 1 ? undefined : await target.lease(options.command, { waitMs: leaseWaitMs, signal: tools.signal })
    try {
      return await planAndPublish({ ...options, lease }, tools)
    } catch (caught) {
      if (!isOvertaken(caught) || attempt === maxAttempts) throw caught
      tools.emit({ kind: 'note', message: 'somebody else published meanwhile; planning again' })
    } finally {
      await lease?.release()
    }
  }
}

async function planAndPublish(
  options: Parameters<typeof publishChange>[0] & { readonly lease: Lease | undefined },
  tools: FlowTools,
): Promise<PublishedChange> {
  const { publisher, command, edit, planOnly = false, lease } = options
  const view = await viewOf(publisher)
  const change = await edit(view)
  if (change === undefined) return { view, writtenBytes: 0 }
  const prepared = await prepareChange({ publisher, view, change, planOnly }, tools)
  if (planOnly) return { view, publication: prepared.publication, writtenBytes: 0 }
  const writtenBytes = await publishPrepared({ publisher, view, command, prepared, lease }, tools)
  return { view, publication: prepared.publication, writtenBytes }
}

/** Make a publication of a change; an application that is new gets its keys. Errors: those of preparePublication. */
export async function prepareChange(
  options: {
    readonly publisher: Publisher
    readonly view: RepositoryView
    readonly change: RepositoryChange
    /** Nothing is written, keys included. */
    readonly planOnly: boolean
  },
  tools: FlowTools,
): Promise<PreparedPublication> {
  const { publisher, view, change, planOnly } = options
  const { lifetimesDays, aptKey } = change.description ?? view.description
  const { root, signedTargets } = change.authority ?? {}
  // Targets that were signed elsewhere have delegated the application already.
  if (signedTargets === undefined) publisher.ensureApplications([...change.indexes.keys()], { store: !planOnly, view })
  return await preparePublication(view, change, {
    signing: publisher.signing({ nowMs: tools.clock.nowMs(), lifetimesDays }),
    aptKeys: await trustedAptKeys(publisher.keys.apt(), aptKey),
    rootBytes: root ?? view.tuf.rootBytes,
    filesOf: (record, deb) => packageFiles({ record, deb, target: publisher.target, added: change.added?.release }),
  })
}

/** Whether a publication failed because the repository is another one by now. */
export function isOvertaken(caught: unknown): boolean {
  return caught instanceof ReleaseError && caught.code === 'REPOSITORY_CHANGED'
}

/**
 * Apply all phases of a publication that is in memory. Post: `writtenBytes` went to the target.
 *
 * Errors: REPOSITORY_CHANGED, LOCKED, those of the target.
 */
export async function publishPrepared(
  options: {
    readonly publisher: Publisher
    /** What the publication follows. */
    readonly view: RepositoryView
    readonly command: string
    readonly prepared: PreparedPublication
    /** Taken here when absent; given back in either case. */
    readonly lease?: Lease | undefined
  },
  { signal }: Pick<FlowTools, 'signal'>,
): Promise<number> {
  const { publisher, view, command } = options
  const { target, keys, place } = publisher
  const { publication, documents } = options.prepared
  const bytes = bytesByDigest(documents)
  let writtenBytes = 0
  const onOp = (_phase: Phase, op: PublishOp, outcome: WriteOutcome) => {
    if (outcome === 'written') writtenBytes += op.sizeBytes
  }
  const publishing = { target, openSource: (op: PublishOp) => inMemory(op, bytes), onOp, signal }
  const lease = options.lease ?? (await target.lease(command, { waitMs: leaseWaitMs, signal }))
  try {
    await assertNotOvertaken(publication, target)
    for (const phase of phases) {
      if (phase === 'pointer') await verifyPublished(publication, target, { signal })
      lease.assertHeld()
      await applyPhase(phase, opsOf(publication, phase), publishing)
    }
    keys.rememberTimestamp(place, view.tuf.timestamp.version + 1)
    await sweep(publication, target)
  } finally {
    await lease.release()
  }
  return writtenBytes
}

function bytesByDigest(documents: readonly Document[]): ReadonlyMap<string, Buffer> {
  return new Map(documents.map(document => [digestOfDocument(document), document.bytes]))
}

async function* inMemory(op: PublishOp, bytes: ReadonlyMap<string, Buffer>): AsyncGenerator<Uint8Array> {
  yield known(bytes.get(op.digest))
}
