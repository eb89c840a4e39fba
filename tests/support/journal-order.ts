import type { JournalRecord } from '../../src/prefix/journal-record.ts'
import { type Change, type RecordedDisk, rootInode } from './recorded-disk.ts'

/** What is not of a change: the journal itself, what is known of the repository, and what comes and goes with processes. */
const outside = /^\/(journal|run|trust|cache)(\/|$)/

/** The kinds of records behind which files may be changed: something is being done or taken back, or releases removed. */
const announcing: ReadonlySet<JournalRecord['kind']> = new Set(['intent', 'undo', 'undone', 'prune'])

/**
 * Name the changes of files that no record on the disk had announced when they were made.
 *
 * From the recorded calls alone: a record counts from the sync behind its write on.
 */
export function effectsWithoutIntent(disk: RecordedDisk): readonly string[] {
  const order = new JournalOrder(disk)
  return disk.changes.flatMap(change => {
    const place = placeOf(disk, change)
    if (order.take(change, place) || place === undefined || outside.test(place)) return []
    return order.announced === undefined || !announcing.has(order.announced)
      ? [`${place} (${change.kind}) after ${order.announced ?? 'nothing'}`]
      : []
  })
}

class JournalOrder {
  #written: string
  /** The last record that is on the disk. */
  announced: JournalRecord['kind'] | undefined

  constructor(disk: RecordedDisk) {
    const journal = [...disk.inodes.keys()].find(inode => isJournal(disk.pathOf(inode)))
    this.#written = String(disk.bytes.get(journal ?? rootInode) ?? '')
  }

  /** Learn of a change. Post: true when it is one of the journal. */
  take(change: Change, place: string | undefined): boolean {
    if (place === undefined || !isJournal(place)) return false
    if (change.kind === 'write') this.#written += change.bytes.toString()
    if (change.kind === 'sync') this.announced = lastKind(this.#written)
    return true
  }
}

function lastKind(journal: string): JournalRecord['kind'] | undefined {
  const line = journal.trimEnd().split('\n').at(-1)
  return line === undefined || line === '' ? undefined : (JSON.parse(line.slice(9)) as JournalRecord).kind
}

const isJournal = (place: string) => place === '/journal/journal.ndjson'

function placeOf(disk: RecordedDisk, change: Change): string | undefined {
  switch (change.kind) {
    case 'names':
      return change.set.map(({ folder, name }) => `${disk.pathOf(folder)}/${name}`)[0]
    case 'write':
    case 'truncate':
    case 'mode':
      return disk.pathOf(change.inode)
    case 'sync':
      return isJournal(disk.pathOf(change.inode)) ? disk.pathOf(change.inode) : undefined
    case 'sync-all':
    case 'told':
      return undefined
  }
}
