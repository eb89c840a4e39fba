import { compareBytes } from '../core/relative-path.ts'
import type { ReleaseIndex } from '../trust/layout.ts'
import { emptyIndex } from '../trust/release-index.ts'
import { renderDatedSnapshot } from './apt/snapshot.ts'
import type { SuiteState } from './apt/state.ts'
import { nextSuite, type SuiteChange, suiteKeys } from './apt/suite.ts'
import type { Document } from './document.ts'
import type { DatedSnapshot } from './ledger.ts'
import { readStored } from './state.ts'
import { packageReader, suitePackages } from './suites.ts'
import type { Work } from './work.ts'

/** The suites of apt after a publication. */
export interface MadeSuites {
  readonly states: Readonly<Record<string, SuiteState>>
  readonly documents: readonly Document[]
  readonly obsolete: readonly string[]
}

/** Make the suites that a publication changes, and let the others be. Errors: PACKAGE_INVALID, REPOSITORY_DAMAGED. */
export async function makeSuites(work: Work): Promise<MadeSuites> {
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
  const shared: SuiteChange['shared'] = new Map()
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
  made.obsolete.push(...withdrawnSuites(work))
  return { states, ...made }
}

/** Everything of the suites whose channel is no more. */
function withdrawnSuites({ view, description }: Work): readonly string[] {
  return Object.entries(view.ledger.suites)
    .filter(([suite]) => !description.channels.includes(suite))
    .flatMap(([suite, state]) => suiteKeys(suite, state))
}

/** The by-hash files that dated snapshots hold after this publication. */
function keptFiles({ view, change }: Work): ReadonlySet<string> {
  const dropped = new Set(change.snapshots?.drop)
  return new Set(
    view.ledger.snapshots.filter(({ id }) => !dropped.has(id)).flatMap(({ files }) => files.map(({ key }) => key)),
  )
}

/** Keep the suites under a date, and drop others. Errors: REPOSITORY_DAMAGED. */
export async function makeSnapshots(
  { view, change }: Work,
  suites: Readonly<Record<string, SuiteState>>,
): Promise<{ readonly documents: readonly Document[]; readonly snapshots: readonly DatedSnapshot[] }> {
  const dropped = new Set(change.snapshots?.drop)
  const staying = view.ledger.snapshots.filter(({ id }) => !dropped.has(id))
  const id = change.snapshots?.keep
  if (id === undefined) return { documents: [], snapshots: staying }
  const read = (key: string, maxBytes: number) => readStored(view.target, key, maxBytes)
  const { documents, snapshot } = await renderDatedSnapshot(id, suites, read)
  const snapshots = [...staying.filter(each => each.id !== id), snapshot]
  return { documents, snapshots: snapshots.toSorted((a, b) => compareBytes(a.id, b.id)) }
}
