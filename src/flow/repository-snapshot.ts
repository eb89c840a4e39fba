import { keysOfSnapshot, parseSnapshotId, snapshotId } from '../repository/dated.ts'
import type { Ledger } from '../repository/ledger.ts'
import type { RepositoryView } from '../repository/state.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher, type PublisherOptions, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What the commands about dated snapshots tell. */
export interface SnapshotResult {
  /** The snapshot that was taken or dropped. */
  readonly id?: string
  /** Those that there are now, oldest first. */
  readonly ids: readonly string[]
}

/** List the dated snapshots of a repository. Errors: those of opening a repository. */
export async function listSnapshots(options: PublisherOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const publisher = await openPublisher(options, await findClone(options, tools))
  const { ledger } = await viewOf(publisher)
  if (ledger.snapshots.length > 0) {
    tools.emit({
      kind: 'table',
      title: `Snapshots of ${publisher.place}`,
      columns: ['Snapshot', 'Suites'],
      rows: ledger.snapshots.map(({ id, files }) => [id, suitesOf(files).join(' ')]),
    })
  }
  const message = `snapshots: ${ledger.snapshots.length}`
  tell({ command: 'snapshot', startedMs, changed: false, message, result: { ids: idsOf(ledger) } }, tools)
}

/**
 * Keep the suites as they are now under a date. One that is there already stays as it is.
 *
 * Errors: SNAPSHOT_ID, those of publishing.
 */
export async function takeSnapshot(
  options: PublisherOptions & { readonly id?: string | undefined },
  tools: FlowTools,
): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const id = options.id === undefined ? snapshotId(tools.clock.nowMs()) : parseSnapshotId(options.id)
  const publisher = await openPublisher(options, await findClone(options, tools))
  const edit = async ({ ledger }: RepositoryView) =>
    idsOf(ledger).includes(id) ? undefined : { indexes: new Map(), snapshots: { keep: id } }
  const { view, publication } = await publishChange({ publisher, command: 'release snapshot', edit }, tools)
  const changed = publication !== undefined
  const ids = changed ? [...idsOf(view.ledger), id].toSorted() : idsOf(view.ledger)
  const message = changed ? `the suites are kept as ${id}: apt --snapshot ${id}` : `the snapshot ${id} is there already`
  tell({ command: 'snapshot', startedMs, changed, message, result: { id, ids } }, tools)
}

/** Drop a dated snapshot and what is there for it alone. Errors: SNAPSHOT_ID, those of publishing. */
export async function dropSnapshot(
  options: PublisherOptions & { readonly id: string },
  tools: FlowTools,
): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const id = parseSnapshotId(options.id)
  const publisher = await openPublisher(options, await findClone(options, tools))
  const edit = async ({ ledger }: RepositoryView) => {
    const snapshot = ledger.snapshots.find(each => each.id === id)
    if (snapshot === undefined) return undefined
    return { indexes: new Map(), snapshots: { drop: [id] }, obsolete: keysOfSnapshot(ledger, snapshot) }
  }
  const { view, publication } = await publishChange({ publisher, command: 'release snapshot', edit }, tools)
  const changed = publication !== undefined
  const ids = idsOf(view.ledger).filter(each => each !== id)
  const message = changed
    ? `the snapshot ${id} is dropped`
    : `there is no snapshot ${id}${ids.length === 0 ? '' : `, but ${ids.join(', ')}`}`
  tell({ command: 'snapshot', startedMs, changed, message, result: { id, ids } }, tools)
}

const idsOf = ({ snapshots }: Ledger): readonly string[] => snapshots.map(({ id }) => id)

function suitesOf(files: readonly { readonly key: string }[]): readonly string[] {
  return [...new Set(files.map(({ key }) => key.split('/')[1] ?? ''))]
}

function tell(
  done: {
    readonly command: string
    readonly startedMs: number
    readonly changed: boolean
    readonly message: string
    readonly result: SnapshotResult
  },
  { emit, clock }: FlowTools,
): void {
  const { startedMs, ...rest } = done
  emit({ kind: 'run-done', ...rest, durationMs: clock.elapsedMs() - startedMs })
}
