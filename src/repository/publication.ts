import { type Digest, digestOf } from '../core/digest.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import {
  applicationRole,
  type ListedRelease,
  type ReleaseIndex,
  type RepositoryDescription,
  targetKey,
} from '../trust/layout.ts'
import { emptyIndex } from '../trust/release-index.ts'
import { renderDatedSnapshot } from './apt/snapshot.ts'
import type { SuiteState } from './apt/state.ts'
import { nextSuite } from './apt/suite.ts'
import type { RepositoryChange } from './change.ts'
import { channelsOf } from './channels.ts'
import { type Document, immutable, pointer } from './document.ts'
import {
  applicationTargets,
  descriptionTarget,
  recordDocument,
  renderFoundation,
  renderFront,
  renderListings,
  renderRoot,
  withdrawnKeys,
} from './documents.ts'
import { readEvidence, renderEvidence } from './evidence.ts'
import type { AptKeyFile } from './keys/key-file.ts'
import { type ApplicationSummary, type DatedSnapshot, type Ledger, ledgerBytes } from './ledger.ts'
import { releasePage } from './pages/keys.ts'
import { renderRelease } from './pages/release.ts'
import { keysToHead, type Publication, planPublication } from './plan.ts'
import { type RepositoryView, readRecord, readStored } from './state.ts'
import { type FilesOf, type IndexChange, packageReader, type RecordOf, suitePackages } from './suites.ts'
import { summarise } from './summary.ts'
import type { TargetReader } from './target.ts'
import { type NewTarget, nextMetadata, type Signing } from './tuf/metadata.ts'
import { freeVersions, metadataKey, type NextVersion, readRole } from './tuf/state.ts'

/** A publication with the bytes that it generated. */
export interface PreparedPublication {
  readonly publication: Publication
  readonly documents: readonly Document[]
}

/** Who signs a publication, and what it needs besides the repository. */
export interface PublicationTools {
  readonly signing: Signing
  /** All sign apt's Release files. */
  readonly aptKeys: readonly AptKeyFile[]
  /** The root that is current: its digest is what people compare. */
  readonly rootBytes: Buffer
  /** Given where suites list the files of packages. */
  readonly filesOf?: FilesOf
}

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
  const listingsOf = (index: ReleaseIndex, ledger: Ledger) =>
    renderListings(work.description, index, ledger, rootFingerprint)
  const listings = work.changes.flatMap(({ after }) => listingsOf(after, ledgerBase))
  const listingsBefore = work.changes.flatMap(({ before }) => listingsOf(before, view.ledger))
  const targets = await makeTargets(work)
  // What was replaced once may be back: a channel that is rolled back says again what it said.
  const live = new Set(targets.documents.map(({ key }) => key))
  const retired = [...view.ledger.retired, targets.replaced].map(keys => keys.filter(key => !live.has(key)))
  const gone = [...withdrawnKeys(listingsBefore, listings), ...withdrawnPages(work), ...(change.obsolete ?? [])]
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
    ...listings,
    ...(await makePages(work)),
    ...addedDocuments(change),
    ...renderFront(work.description, ledger, rootFingerprint),
    ...(work.isFoundation ? renderFoundation(work.description, ledger) : []),
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

/** What the parts of a publication work on. */
interface Work {
  readonly view: RepositoryView
  readonly change: RepositoryChange
  readonly tools: PublicationTools
  readonly description: RepositoryDescription
  /** The applications whose files are made anew. */
  readonly changes: readonly IndexChange[]
  readonly recordOf: RecordOf
  readonly isNew: boolean
  /** The files that depend on settings alone are made, too. */
  readonly isFoundation: boolean
  /** Everything is made from nothing. */
  readonly isRebuild: boolean
}

async function openWork(view: RepositoryView, change: RepositoryChange, tools: PublicationTools): Promise<Work> {
  const isNew = view.tuf.timestamp.version === 0
  const description = change.description ?? view.description
  const isRebuild = change.rebuild === true || hasOtherSuites(view.description, description)
  const names = [...new Set([...change.indexes.keys(), ...(isRebuild ? Object.keys(view.ledger.applications) : [])])]
  const changes: IndexChange[] = []
  for (const name of names.toSorted()) {
    const before = await view.index(name)
    changes.push({ before, after: change.indexes.get(name) ?? before })
  }
  const isAddingApplication = names.some(name => view.ledger.applications[name] === undefined)
  const isFoundation = isNew || isRebuild || change.description !== undefined || isAddingApplication
  return {
    view,
    change,
    tools,
    description,
    changes,
    recordOf: recordsOf(view, change),
    isNew,
    isFoundation,
    isRebuild,
  }
}

/** Whether settings change what every suite lists, so that none can go on from what it was. */
function hasOtherSuites(before: RepositoryDescription, after: RepositoryDescription): boolean {
  const shape = ({ channels, apt }: RepositoryDescription) =>
    JSON.stringify([channels, apt.components, apt.compressions, apt.contents])
  return shape(before) !== shape(after)
}

function recordsOf(view: RepositoryView, { added, records }: RepositoryChange): RecordOf {
  const known = new Map<string, Promise<ReleaseRecord>>()
  return (application, listed) => {
    const { digest } = listed.record
    const atHand = added?.release.digest === digest ? added.release.record : records?.get(digest)
    if (atHand !== undefined) return Promise.resolve(atHand)
    const record = known.get(listed.record.digest) ?? readRecord(view.target, application, listed)
    known.set(listed.record.digest, record)
    return record
  }
}

interface MadeSuites {
  readonly states: Readonly<Record<string, SuiteState>>
  readonly documents: readonly Document[]
  readonly obsolete: readonly string[]
}

async function makeSuites(work: Work): Promise<MadeSuites> {
  const { view, change, tools, description, isRebuild } = work
  const states: Record<string, SuiteState> = {}
  const made: { documents: Document[]; obsolete: string[] } = { documents: [], obsolete: [] }
  const from = (index: ReleaseIndex) => (isRebuild ? emptyIndex(index.application) : index)
  const changes = work.changes.map(({ before, after }) => ({ before: from(before), after }))
  const packagesOf = packageReader({
    components: description.apt.components,
    recordOf: work.recordOf,
    filesOf: description.apt.contents ? tools.filesOf : undefined,
  })
  const shared = new Map()
  for (const suite of description.channels) {
    const before = view.ledger.suites[suite]
    const packages = await suitePackages(suite, changes, { components: description.apt.components, packagesOf })
    // Release files say some of the settings.
    const isReworded = change.resign === true || change.description !== undefined
    const isTouched = packages.added.length + packages.removed.length > 0 || isRebuild || isReworded
    if (before !== undefined && !isTouched) {
      states[suite] = before
      continue
    }
    const next = await nextSuite({
      suite,
      description,
      before,
      ...packages,
      rebuild: isRebuild,
      read: (key, maxBytes) => readStored(view.target, key, maxBytes),
      keys: tools.aptKeys,
      nowMs: tools.signing.nowMs,
      kept: keptFiles(work),
      shared,
    })
    states[suite] = next.state
    made.documents.push(...next.documents)
    made.obsolete.push(...next.obsolete)
  }
  return { states, ...made }
}

/** The by-hash files that dated snapshots hold after this publication. */
function keptFiles({ view, change }: Work): ReadonlySet<string> {
  const dropped = new Set(change.snapshots?.drop)
  return new Set(
    view.ledger.snapshots.filter(({ id }) => !dropped.has(id)).flatMap(({ files }) => files.map(({ key }) => key)),
  )
}

async function makeSnapshots(
  { view, change }: Work,
  suites: Readonly<Record<string, SuiteState>>,
): Promise<{ readonly documents: readonly Document[]; readonly snapshots: readonly DatedSnapshot[] }> {
  const dropped = new Set(change.snapshots?.drop)
  const staying = view.ledger.snapshots.filter(({ id }) => !dropped.has(id))
  const id = change.snapshots?.keep
  if (id === undefined) return { documents: [], snapshots: staying }
  const read = (key: string, maxBytes: number) => readStored(view.target, key, maxBytes)
  const { documents, snapshot } = await renderDatedSnapshot(id, suites, read)
  return { documents, snapshots: [...staying.filter(each => each.id !== id), snapshot] }
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

/** Make the page of every release that is another one now, or stands in other channels. */
async function makePages({
  view,
  change,
  changes,
  description,
  recordOf,
  isRebuild,
  tools,
}: Work): Promise<readonly Document[]> {
  const rootFingerprint = digestOf(tools.rootBytes)
  const pages: Document[] = []
  for (const { before, after } of changes) {
    for (const listed of after.releases) {
      if (!isRebuild && standing(before, listed.version) === standing(after, listed.version)) continue
      const record = await recordOf(after.application, listed)
      const isAdded = change.added?.release.digest === listed.record.digest
      const evidence = isAdded ? change.added.evidence : await readEvidence(view.target, record, listed)
      pages.push(renderRelease(description, record, { evidence, index: after, rootFingerprint }))
    }
  }
  return pages
}

/** Everything that a release's page says and its record does not. */
function standing(index: ReleaseIndex, version: string): string {
  const listed = index.releases.find(release => release.version === version)
  return JSON.stringify([listed, channelsOf(index, version)])
}

function withdrawnPages({ changes }: Work): readonly string[] {
  return changes.flatMap(({ before, after }) => {
    const staying = new Set(after.releases.map(({ version }) => version))
    return before.releases
      .filter((listed: ListedRelease) => !staying.has(listed.version))
      .map(({ version }) => releasePage(after.application, version))
  })
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
  const known = await Promise.all(keys.map(async key => [key, await target.head(key)] as const))
  for (const [key, stored] of known) if (stored !== undefined) found.set(key, stored.digest)
  return found
}
