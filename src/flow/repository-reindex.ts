import { ReleaseError } from '../core/error.ts'
import { formatBytes } from '../core/quantity.ts'
import type { RepositoryChange } from '../repository/change.ts'
import type { Publication, PublishOp } from '../repository/plan.ts'
import { opsOf } from '../repository/publish.ts'
import type { RepositoryView } from '../repository/state.ts'
import { timestampKey } from '../repository/tuf/state.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher, type PublisherOptions } from './publisher.ts'
import { type CheckedFiles, checkFiles, type Damage } from './reindex-check.ts'
import type { FlowTools } from './tools.ts'

/** What to make anew. */
export interface ReindexOptions extends PublisherOptions {
  /** Compare only. */
  readonly checkOnly: boolean
}

/** What was compared, and what was made anew. */
export interface ReindexResult {
  readonly releases: number
  readonly files: number
  readonly sizeBytes: number
  /** Indexes and pages that were not what the records make of them. */
  readonly outdated: readonly string[]
}

/**
 * Make every index and page anew from the signed records, after every file that these name was digested.
 *
 * Post: a repository with damaged files is left as it is. Errors: REPOSITORY_DAMAGED with the keys of all damaged files, or where
 * nothing is to be made of all outdated indexes, in `details.damaged`; those of publishing.
 */
export async function reindexRepository(options: ReindexOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  tools.emit({ kind: 'run-started', command: 'reindex', subject: '', steps: [] })
  const publisher = await openPublisher(options, await findClone(options, tools))
  let checked: CheckedFiles | undefined
  // Files that were sound are not digested again because somebody else published meanwhile: whoever did has read back what is new.
  const edit = async (view: RepositoryView): Promise<RepositoryChange> => {
    checked ??= await checkFiles(view, publisher, tools)
    if (checked.damage.length > 0) throw damaged(publisher.place, checked.damage, tools)
    return { indexes: new Map(), rebuild: true, records: checked.records }
  }
  const change = { publisher, command: 'release reindex', edit, planOnly: options.checkOnly }
  const { publication } = await publishChange(change, tools)
  if (publication === undefined || checked === undefined) throw new Error('a reindex always has something to publish')
  const { releases, files, sizeBytes } = checked
  const outdated = outdatedKeys(publication)
  if (outdated.length > 0) tellOutdated(outdated, tools)
  if (options.checkOnly && outdated.length > 0) throw outdatedError(publisher.place, outdated)
  const what = `${releases} releases, ${files} files, ${formatBytes(sizeBytes)} are what was signed`
  const indexes = outdated.length === 0 ? 'every index says so' : `${outdated.length} made anew did not say so`
  tools.emit({
    kind: 'run-done',
    command: 'reindex',
    changed: !options.checkOnly,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${what}; ${indexes}`,
    result: { releases, files, sizeBytes, outdated } satisfies ReindexResult,
  })
}

/** Pointers that say something else than what is there; what has a date or a signature always does. */
function outdatedKeys(publication: Publication): readonly string[] {
  const isDated = ({ key }: PublishOp) =>
    key === timestampKey || /^dists\/.*\/(InRelease|Release|Release\.gpg)$/.test(key)
  return opsOf(publication, 'pointer')
    .filter(op => !isDated(op) && op.replaces !== op.digest)
    .map(({ key }) => key)
}

/** Another version of this tool may make every page another one. */
const mostOutdatedShown = 20

function tellOutdated(outdated: readonly string[], { emit }: FlowTools): void {
  const shown = outdated.slice(0, mostOutdatedShown)
  emit({
    kind: 'table',
    title: `Outdated or altered indexes${shown.length < outdated.length ? `, the first of ${outdated.length}` : ''}`,
    columns: ['File'],
    rows: shown.map(key => [key]),
  })
}

function outdatedError(place: string, outdated: readonly string[]): ReleaseError {
  const [first, ...others] = outdated
  const more = others.length === 0 ? '' : `, nor are ${others.length} others`
  return new ReleaseError('REPOSITORY_DAMAGED', `${first} in ${place} is not what the records make of it${more}`, {
    hint: 'make all indexes anew: release reindex',
    details: { path: place, damaged: outdated },
  })
}

function damaged(place: string, damage: readonly Damage[], { emit }: FlowTools): ReleaseError {
  emit({
    kind: 'table',
    title: `Damaged files of ${place}`,
    columns: ['File', 'Found', 'Expected'],
    rows: damage.map(({ key, found = 'missing', expected }) => [key, found, expected]),
  })
  const [first] = damage
  const others = damage.length === 1 ? '' : `, and ${damage.length - 1} others`
  return new ReleaseError(
    'REPOSITORY_DAMAGED',
    `${first?.key} is ${first?.found ?? 'missing'} in ${place}, expected ${first?.expected}${others}`,
    {
      hint: 'put the files back from a mirror, or from the dist folder that they were published from; then run it again',
      details: { path: place, damaged: damage.map(({ key }) => key) },
    },
  )
}
