import { ReleaseError } from '../core/error.ts'
import { known } from '../core/step.ts'
import { type HeadMove, headMoves } from '../repository/channels.ts'
import type { MovedRelease } from '../repository/outlets/outlet.ts'
import { isOutlet } from '../repository/outlets/place.ts'
import { movedVersions, standingOf } from '../repository/outlets/standing.ts'
import { applicationsOf, type RepositoryView, readRecord } from '../repository/state.ts'
import type { ReleaseIndex } from '../trust/layout.ts'
import { type ApplicationOptions, chooseApplication } from './chosen-application.ts'
import { attemptsAt, failuresText, type PlaceFailure } from './each-place.ts'
import { publishChange } from './publish-change.ts'
import { type Clone, findClone, openPublisher, type Publisher } from './publisher.ts'
import type { FlowTools } from './tools.ts'
import { moveAtOutlets } from './upload-outlet.ts'
import { readUploadSettings } from './upload-settings.ts'

/** Which release a command is about. */
export interface ReleaseOptions extends ApplicationOptions {
  readonly version: string
}

/** A list of releases as it is to be, and what to say of it. */
export interface Edited {
  /** The list that was given when nothing changes. */
  readonly index: ReleaseIndex
  readonly message: string
}

/** What a command did to a release. */
export interface EditResult {
  readonly application: string
  readonly version: string
  /** The channels that offer another release now. */
  readonly moves: readonly HeadMove[]
}

/** A command that changes what a list of releases says of one of them. */
export interface ReleaseEdit {
  readonly command: string
  /** Decide what the list is to be: again from the start when somebody else published meanwhile. */
  readonly decide: (index: ReleaseIndex, channels: readonly string[]) => Edited
}

/**
 * Change what the list of an application's releases says of one, and publish that everywhere at once.
 *
 * Shape: in every repository that the recipe publishes to, one after the other, then at its outlets; a repository that is named stands
 * for all of them. Post: a second run finds nothing to do. Errors: those of the edit, of choosing the application and of publishing;
 * CHANGE_PARTIAL when some of several places failed: the others have the change.
 */
export async function editRelease(options: ReleaseOptions, edit: ReleaseEdit, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const { command } = edit
  tools.emit({ kind: 'run-started', command, subject: options.version, steps: [] })
  const edited = await editEverywhere(options, edit, tools)
  const told = mostTelling(edited)
  tools.emit({
    kind: 'run-done',
    command,
    changed: isChanged(told),
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${told.application} ${options.version} ${told.message}`,
    result: { application: told.application, version: options.version, moves: told.moves } satisfies EditResult,
  })
}

/** A release that must not be offered any more is withdrawn wherever that is possible, whatever place is out of reach. */
async function editEverywhere(
  options: ReleaseOptions,
  edit: ReleaseEdit,
  tools: FlowTools,
): Promise<readonly EditedRepository[]> {
  const clone = await findClone(options, tools)
  const targets = options.repository === undefined ? (await readUploadSettings(options.cwd, clone)).targets : []
  const [outlets, repositories] = [targets.filter(isOutlet), targets.filter(place => !isOutlet(place))]
  const places = repositories.length === 0 ? [options.repository] : repositories
  const edited: EditedRepository[] = []
  const { failures, attempt } = attemptsAt(places.length + outlets.length, tools)
  for (const place of places) {
    await attempt(place ?? 'the repository', async () => {
      const publisher = await openPublisher({ ...options, repository: place }, clone)
      edited.push(await editRepository(publisher, { options, clone, edit }, tools))
    })
  }
  // What all places refuse is refused for one reason.
  if (edited.length === 0) throw known(failures[0]).error
  const told = mostTelling(edited)
  tellMoves(told, tools)
  const moved = outlets.length === 0 ? [] : await movedReleases(told, options.version)
  for (const place of outlets) {
    await attempt(place, () => moveAtOutlets({ ...options, places: [place] }, moved, tools))
  }
  if (failures.length > 0) throw partialError(told, options.version, { edit, edited, failures })
  return edited
}

const isChanged = ({ before, index }: EditedRepository): boolean => index !== before

/** A second run finds only what was left to do: that is what it tells. */
function mostTelling(edited: readonly EditedRepository[]): EditedRepository {
  return known(edited.find(isChanged) ?? edited[0])
}

function partialError(
  { application }: EditedRepository,
  version: string,
  {
    edit,
    edited,
    failures,
  }: {
    readonly edit: ReleaseEdit
    readonly edited: readonly EditedRepository[]
    readonly failures: readonly PlaceFailure[]
  },
): ReleaseError {
  const changed = edited.map(({ view }) => view.target.name)
  return new ReleaseError(
    'CHANGE_PARTIAL',
    `${edit.command} ${application} ${version} failed at ${failuresText(failures)}; it is done at ${changed.join(', ')}`,
    { cause: failures[0]?.error, details: { failed: failures.map(({ place }) => place), changed } },
  )
}

/** What an edit came to in one repository. */
interface EditedRepository extends Edited {
  readonly view: RepositoryView
  readonly application: string
  readonly before: ReleaseIndex
  readonly moves: readonly HeadMove[]
}

async function editRepository(
  publisher: Publisher,
  wanted: { readonly options: ReleaseOptions; readonly clone: Clone | undefined; readonly edit: ReleaseEdit },
  tools: FlowTools,
): Promise<EditedRepository> {
  const { options, clone, edit } = wanted
  let decided: EditedRepository | undefined
  const decide = async (view: RepositoryView): Promise<EditedRepository> => {
    const application = chooseApplication(options, clone, applicationsOf(view))
    const before = await view.index(application)
    const { channels } = view.description
    const edited = edit.decide(before, channels)
    return { view, application, ...edited, before, moves: headMoves(before, edited.index, channels) }
  }
  await publishChange(
    {
      publisher,
      command: `release ${edit.command}`,
      edit: async view => {
        decided = await decide(view)
        const { application, before, index } = decided
        return index === before ? undefined : { indexes: new Map([[application, index]]) }
      },
    },
    tools,
  )
  if (decided === undefined) throw new Error('publishChange never asked what to change')
  return decided
}

/** The release itself is told of in any case: an earlier run may have been killed before it came to the outlets. */
async function movedReleases(
  { view, application, before, index }: EditedRepository,
  version: string,
): Promise<readonly MovedRelease[]> {
  const { channels } = view.description
  const versions = new Set([...movedVersions(before, index, channels), version])
  return await Promise.all(
    index.releases
      .filter(listed => versions.has(listed.version))
      .map(async listed => ({
        record: await readRecord(view.target, application, listed),
        standing: standingOf(index, listed.version, channels),
      })),
  )
}

function tellMoves({ application, moves }: EditedRepository, { emit }: FlowTools): void {
  const empty = moves.filter(move => move.after === undefined).map(move => move.channel)
  if (empty.length > 0) {
    const message = `${empty.join(', ')} offers no release of ${application} any more`
    emit({ kind: 'warning', code: 'CHANNEL_EMPTY', message })
  }
  if (moves.length === 0) return
  emit({
    kind: 'table',
    title: '',
    columns: ['Channel', 'Before', 'Now'],
    rows: moves.map(({ channel, before = 'none', after = 'none' }) => [channel, before, after]),
  })
}
