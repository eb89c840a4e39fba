import type { ReleaseRecord } from '../payload/release-record.ts'
import type { RepositoryDescription } from '../trust/layout.ts'
import type { RepositoryChange } from './change.ts'
import type { AptKeyFile } from './keys/key-file.ts'
import { type RepositoryView, readRecord } from './state.ts'
import type { FilesOf, IndexChange, RecordOf } from './suites.ts'
import type { Signing } from './tuf/metadata.ts'

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

/** What the parts of a publication work on. */
export interface Work {
  readonly view: RepositoryView
  readonly change: RepositoryChange
  readonly tools: PublicationTools
  readonly description: RepositoryDescription
  /** The applications whose files are made and signed anew. */
  readonly changes: readonly IndexChange[]
  /** Those whose lists and pages are made anew: all of them when every page says something else. */
  readonly shown: readonly IndexChange[]
  readonly recordOf: RecordOf
  readonly isNew: boolean
  /** The files that depend on settings alone are made, too. */
  readonly isFoundation: boolean
  /** Everything is made from nothing. */
  readonly isRebuild: boolean
  /** Every page says something else: where the repository is, or which root to trust. */
  readonly isOtherSite: boolean
}

/** Find out what a change touches, and read the lists of releases that it changes. Errors: those of the view. */
export async function openWork(view: RepositoryView, change: RepositoryChange, tools: PublicationTools): Promise<Work> {
  const isNew = view.tuf.timestamp.version === 0
  const description = change.description ?? view.description
  const isRebuild = change.rebuild === true || hasOtherSuites(view.description, description)
  const isOtherSite = description.url !== view.description.url || !tools.rootBytes.equals(view.tuf.rootBytes)
  const touched = [...change.indexes.keys()]
  const all = [...touched, ...Object.keys(view.ledger.applications)]
  const names = isRebuild ? all : touched
  const isAddingApplication = touched.some(name => view.ledger.applications[name] === undefined)
  const isFoundation = isNew || isRebuild || change.description !== undefined || isAddingApplication
  return {
    view,
    change,
    tools,
    description,
    changes: await indexChanges(view, change, names),
    shown: await indexChanges(view, change, isOtherSite ? all : names),
    recordOf: recordsOf(view, change),
    isNew,
    isFoundation,
    isRebuild,
    isOtherSite,
  }
}

async function indexChanges(
  view: RepositoryView,
  change: RepositoryChange,
  names: readonly string[],
): Promise<readonly IndexChange[]> {
  const changes: IndexChange[] = []
  for (const name of [...new Set(names)].toSorted()) {
    const before = await view.index(name)
    changes.push({ before, after: change.indexes.get(name) ?? before })
  }
  return changes
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
