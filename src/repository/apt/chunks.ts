import { hash } from 'node:crypto'
import { countUntil } from '../../core/sorted.ts'

/**
 * A sorted list of records as one text, cut into chunks.
 *
 * A chunk begins where a record's own name says so, by a hash of it, and nowhere else. So a list is cut in one way only, however it
 * came about, and a record that comes or goes changes the chunk it is in, at most one more, and no other.
 */
export interface RecordList<Key> {
  /** What ends each record, and is part of it. */
  readonly terminator: string
  readonly keyOf: (record: string) => Key
  /** A total order: 0 only for the same record. */
  readonly compare: (a: Key, b: Key) => number
  /** What tells the record from others, as one text. */
  readonly nameOf: (key: Key) => string
  /** How many records a chunk has on average; a power of two up to 65536. */
  readonly recordsPerChunk: number
}

/** Records that are kept and compressed as one. */
export interface Chunk {
  readonly plain: Buffer
  /** Which chunk of the list before has the same text. */
  readonly source?: number
}

/** A record's next text, made from the one before; undefined where there is none. */
export interface Edit<Key> {
  readonly key: Key
  readonly apply: (before: string | undefined) => string | undefined
}

/**
 * Apply edits to a list. Only the chunks that have an edited record are read.
 *
 * Pre: edits are sorted by key, no key is there twice. Post: what {@link cutRecords} makes of the same records.
 */
export function editChunks<Key>(
  before: readonly Buffer[],
  edits: readonly Edit<Key>[],
  list: RecordList<Key>,
): readonly Chunk[] {
  const firstKey = firstKeys(before, list)
  const after: Chunk[] = []
  let [edit, source] = [0, 0]
  const keepUntil = (end: number): void => {
    for (; source < end; source += 1) after.push({ plain: before[source]!, source })
  }
  while (edit < edits.length) {
    const start = edit
    // What is before all records goes to the first chunk.
    const at = Math.max(
      countUntil(before.length, middle => list.compare(firstKey(middle), edits[start]!.key) <= 0) - 1,
      0,
    )
    keepUntil(at)
    const next = at + 1 < before.length ? firstKey(at + 1) : undefined
    do edit += 1
    while (edit < edits.length && (next === undefined || list.compare(edits[edit]!.key, next) < 0))
    appendRecords(after, editRecords(before[at], edits.slice(start, edit), list), {
      list,
      plain: before[at],
      source: at,
    })
    source = at + 1
  }
  keepUntil(before.length)
  return after
}

/** Cut records that are in order. */
export function cutRecords<Key>(records: readonly string[], list: RecordList<Key>): readonly Buffer[] {
  const chunks: Chunk[] = []
  appendRecords(chunks, records, { list, plain: undefined, source: 0 })
  return chunks.map(chunk => chunk.plain)
}

/** Cut a text into records. */
export function splitRecords<Key>(text: string, list: RecordList<Key>): readonly string[] {
  return text
    .split(list.terminator)
    .slice(0, -1)
    .map(record => record + list.terminator)
}

/** Find records, reading only chunks that `mayHold` them: it is told a chunk's first key and the next one's. */
export function findRecords<Key>(
  chunks: readonly Buffer[],
  list: RecordList<Key>,
  mayHold: (first: Key, next: Key | undefined) => boolean,
): readonly string[] {
  const firstKey = firstKeys(chunks, list)
  return chunks.flatMap((chunk, at) => {
    const next = at + 1 < chunks.length ? firstKey(at + 1) : undefined
    return mayHold(firstKey(at), next) ? splitRecords(chunk.toString(), list) : []
  })
}

/** Read the key of a chunk's first record, each once. */
function firstKeys<Key>(chunks: readonly Buffer[], list: RecordList<Key>): (at: number) => Key {
  const known = new Map<number, Key>()
  return at => {
    const chunk = chunks[at]!
    const key = known.get(at) ?? list.keyOf(chunk.toString('utf8', 0, chunk.indexOf(list.terminator) + 1))
    known.set(at, key)
    return key
  }
}

function editRecords<Key>(
  plain: Buffer | undefined,
  edits: readonly Edit<Key>[],
  list: RecordList<Key>,
): readonly string[] {
  const before = plain === undefined ? [] : splitRecords(plain.toString(), list)
  const after: string[] = []
  let at = 0
  for (const { key, apply } of edits) {
    while (at < before.length && list.compare(list.keyOf(before[at]!), key) < 0) after.push(before[at++]!)
    const found = at < before.length && list.compare(list.keyOf(before[at]!), key) === 0
    const record = apply(found ? before[at++] : undefined)
    if (record !== undefined) after.push(record)
  }
  return [...after, ...before.slice(at)]
}

/** Cut records and put them behind the chunks so far; those before the first cut belong to the last of these. */
function appendRecords<Key>(
  chunks: Chunk[],
  records: readonly string[],
  old: { readonly list: RecordList<Key>; readonly plain: Buffer | undefined; readonly source: number },
): void {
  const { list } = old
  let start = 0
  for (let end = 1; end <= records.length; end += 1) {
    if (end < records.length && !beginsChunk(records[end]!, list)) continue
    const plain = Buffer.from(records.slice(start, end).join(''))
    const last = chunks.at(-1)
    if (start === 0 && last !== undefined && !beginsChunk(records[0]!, list)) {
      chunks[chunks.length - 1] = { plain: Buffer.concat([last.plain, plain]) }
    } else {
      chunks.push(old.plain?.equals(plain) === true ? { plain, source: old.source } : { plain })
    }
    start = end
  }
}

function beginsChunk<Key>(record: string, list: RecordList<Key>): boolean {
  const name = list.nameOf(list.keyOf(record))
  return hash('sha256', name, 'buffer').readUInt16BE(0) % list.recordsPerChunk === 0
}
