import { type HeadMove, headMoves } from '../repository/channels.ts'
import { applicationsOf, type RepositoryView } from '../repository/state.ts'
import type { ReleaseIndex } from '../trust/layout.ts'
import { type ApplicationOptions, chooseApplication } from './chosen-application.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher } from './publisher.ts'
import type { FlowTools } from './tools.ts'

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
 * Post: a second run finds nothing to do. Errors: those of the edit, of choosing the application and of publishing.
 */
export async function editRelease(options: ReleaseOptions, edit: ReleaseEdit, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const { command } = edit
  tools.emit({ kind: 'run-started', command, subject: options.version, steps: [] })
  const clone = await findClone(options, tools)
  const publisher = await openPublisher(options, clone)
  const decide = async (view: RepositoryView) => {
    const application = chooseApplication(options, clone, applicationsOf(view))
    const before = await view.index(application)
    const { channels } = view.description
    const edited = edit.decide(before, channels)
    return { application, ...edited, before, moves: headMoves(before, edited.index, channels) }
  }
  let decided: Awaited<ReturnType<typeof decide>> | undefined
  await publishChange(
    {
      publisher,
      command: `release ${command}`,
      edit: async view => {
        decided = await decide(view)
        const { application, before, index } = decided
        return index === before ? undefined : { indexes: new Map([[application, index]]) }
      },
    },
    tools,
  )
  if (decided === undefined) throw new Error('publishChange never asked what to change')
  const { application, before, index, moves, message } = decided
  tellMoves(application, moves, tools)
  const result: EditResult = { application, version: options.version, moves }
  tools.emit({
    kind: 'run-done',
    command,
    changed: index !== before,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${application} ${options.version} ${message}`,
    result,
  })
}

function tellMoves(application: string, moves: readonly HeadMove[], { emit }: FlowTools): void {
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
