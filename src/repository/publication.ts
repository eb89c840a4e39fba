import { type Digest, digestOf } from '../core/digest.ts'
import { eachInParallel } from '../sys/parallel.ts'
import { applicationRole, targetKey } from '../trust/layout.ts'
import type { RepositoryChange } from './change.ts'
import { type Document, immutable, pointer } from './document.ts'
import {
  applicationTargets,
  descriptionTarget,
  recordDocument,
  renderClientFiles,
  renderFoundation,
  renderFront,
  renderListing,
  renderRoot,
  withdrawnKeys,
} from './documents.ts'
import { renderEvidence } from './evidence.ts'
import { type ApplicationSummary, type Ledger, ledgerBytes } from './ledger.ts'
import { keysToHead, type Publication, planPublication } from './plan.ts'
import { makePages, withdrawnPages } from './publication-pages.ts'
import { makeSnapshots, makeSuites } from './publication-suites.ts'
import type { RepositoryView } from './state.ts'
import { summarise } from './summary.ts'
import type { TargetReader } from './target.ts'
import { type NewTarget, nextMetadata } from './tuf/metadata.ts'
import { freeVersions, metadataKey, type NextVersion, readRole } from './tuf/state.ts'
import { openWork, type PublicationTools, type Work } from './work.ts'

/** A publication with the bytes that it generated. */
export interface PreparedPublication {
  readonly publication: Publication
  readonly documents: readonly Document[]
}

/** How many keys are asked for at once: each is a short request at most. */
const headsAtOnce = 16

/** How many publications back a signed document is kept for readers that are in the middle of following it. */
const retiredPublications = 3

/**
 * Make everything that a publication writes, signed, and plan the writes.
 *
 * Shape: the work follows the change: only applications, suites and pages that it touches are read and made.
 * Errors: KEY_*, PACKAGE_INVALID, REPOSITORY_DAMAGED, TRUST_*.
 */
export async function preparePublication(
  view: RepositoryView,
  change: RepositoryChange,
  tools: PublicationTools,
): Promise<PreparedPublication> {
  const work = await openWork(view, change, tools)
  const suites = await makeSuites(work)
  const dated = await makeSnapshots(work, suites.states)
  const ledgerBase = { ...work.view.ledger, ...summaries(work), suites: suites.states, snapshots: dated.snapshots }
  const rootFingerprint = digestOf(tools.rootBytes)
  const clientFiles = work.shown.flatMap(({ after }) => renderClientFiles(after, ledgerBase))
  const clientFilesBefore = work.shown.flatMap(({ before }) => renderClientFiles(before, view.ledger))
  const listings = work.shown.flatMap(({ after }) =>
    renderListing(work.description, after, ledgerBase, rootFingerprint),
  )
  const targets = await makeTargets(work)
  // What was replaced once may be back: a channel that is rolled back says again what it said.
  const live = new Set(targets.documents.map(({ key }) => key))
  const retired = [...view.ledger.retired, targets.replaced].map(keys => keys.filter(key => !live.has(key)))
  const foundation = work.isFoundation ? renderFoundation(work.description, ledgerBase) : []
  const foundationBefore = work.isFoundation ? renderFoundation(view.description, view.ledger) : []
  const gone = [
    ...withdrawnKeys([...clientFilesBefore, ...foundationBefore], [...clientFiles, ...foundation]),
    ...withdrawnPages(work),
    ...(change.obsolete ?? []),
  ]
  const outdated = retired.slice(0, -retiredPublications).flat()
  const ledger: Ledger = {
    ...ledgerBase,
    retired: retired.slice(-retiredPublications),
    obsolete: [...new Set([...gone, ...outdated, ...suites.obsolete])].toSorted(),
  }
  const abandoned: string[] = []
  const metadata = await nextMetadata(
    view.tuf,
    { applications: targets.applications, ...targets.top, ledger: ledgerBytes(ledger), ...change.authority },
    tools.signing,
    notingSkipped(freeVersions(view.target), abandoned),
  )
  const documents = [
    ...suites.documents,
    ...dated.documents,
    ...clientFiles,
    ...listings,
    ...(await makePages(work)),
    ...addedDocuments(change),
    ...renderFront(work.description, ledger, rootFingerprint),
    ...foundation,
    ...(work.isNew ? renderRoot(tools.rootBytes, view.tuf.root.signed.version) : []),
    ...targets.documents,
    ...metadata.map(file =>
      file.immutable
        ? immutable('metadata', file.key, file.bytes, 'application/json')
        : pointer(file.key, file.bytes, 'application/json'),
    ),
  ]
  return plan(work, documents, [...view.ledger.obsolete, ...ledger.obsolete, ...abandoned])
}

/**
 * Note the keys whose numbers are passed over: somebody wrote them and never moved the pointers to them. When this publication moves its
 * own, nobody will any more.
 */
function notingSkipped(next: NextVersion, skipped: string[]): NextVersion {
  return async (names, current) => {
    const version = await next(names, current)
    for (let at = current + 1; at < version; at += 1) skipped.push(...names.map(name => metadataKey(name, at)))
    return version
  }
}

function summaries({ view, change, changes, description }: Work): Pick<Ledger, 'applications'> {
  const { added } = change
  const made = changes.map(({ after }): [string, ApplicationSummary] => {
    const { application } = after
    const isNewest = added !== undefined && after.releases.at(-1)?.record.digest === added.release.digest
    const before = view.ledger.applications[application]
    const summary = isNewest ? added.release.record.summary : undefined
    return [application, summarise(after, description.channels, { before, summary })]
  })
  return { applications: { ...view.ledger.applications, ...Object.fromEntries(made) } }
}

interface MadeTargets {
  readonly applications: ReadonlyMap<string, readonly NewTarget[]>
  readonly top: { readonly topTargets?: readonly NewTarget[] }
  readonly documents: readonly Document[]
  /** Keys of what these take the place of. */
  readonly replaced: readonly string[]
}

async function makeTargets(work: Work): Promise<MadeTargets> {
  const { view, change, description, isNew } = work
  const applications = new Map<string, readonly NewTarget[]>()
  const documents: Document[] = []
  const replaced: string[] = []
  const { version } = view.tuf.snapshot
  if (version > 0) replaced.push(metadataKey('snapshot', version), metadataKey('ledger', version))
  for (const { after } of work.changes) {
    const made = applicationTargets(after, description.channels)
    applications.set(
      after.application,
      made.map(({ target }) => target),
    )
    documents.push(...made.map(({ document }) => document))
    const role = applicationRole(after.application)
    const before = await readRole(view.target, view.tuf, role)
    if (before.version > 0) replaced.push(metadataKey(role, before.version))
    const keys = new Set(made.map(({ document }) => document.key))
    const old = [...before.targets].map(([path, { digest }]) => targetKey(path, digest))
    replaced.push(...old.filter(key => !keys.has(key)))
  }
  if (!isNew && change.description === undefined) return { applications, top: {}, documents, replaced }
  const described = descriptionTarget(description)
  return {
    applications,
    top: { topTargets: [described.target] },
    documents: [...documents, described.document],
    replaced,
  }
}

function addedDocuments({ added }: RepositoryChange): readonly Document[] {
  if (added === undefined) return []
  const { release, evidence } = added
  const signed = evidence.provenance === undefined ? [] : renderEvidence(release.record, evidence.provenance)
  return [recordDocument(release.record, release.bytes), ...signed]
}

async function plan(
  work: Work,
  documents: readonly Document[],
  sweep: readonly string[],
): Promise<PreparedPublication> {
  const { view, change } = work
  const files = change.added?.release.files ?? []
  const current = await headAll(view.target, keysToHead(files, documents))
  const written = new Set([...files, ...documents].map(({ key }) => key))
  const publication = planPublication({
    base: view.tuf.timestamp.digest,
    files,
    documents,
    current,
    sweep: [...new Set(sweep)].filter(key => !written.has(key)),
  })
  return { publication, documents }
}

async function headAll(target: TargetReader, keys: readonly string[]): Promise<ReadonlyMap<string, Digest>> {
  const found = new Map<string, Digest>()
  await eachInParallel(keys, { parallelism: headsAtOnce, stop: () => {} }, async key => {
    const stored = await target.head(key)
    if (stored !== undefined) found.set(key, stored.digest)
  })
  return found
}
