import { crc32 } from 'node:zlib'
import { canonicalJson } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'

/**
 * How an operation is taken back: not at all because what it leaves harms nobody, exactly, or never (`forward-only`: from then on
 * there is only forward).
 */
export type UndoKind = 'none' | 'exact' | 'forward-only'

/** An operation as the journal plans it. */
export interface JournaledOp {
  readonly name: string
  readonly undo: UndoKind
  /** Once it was done, no version before this one can run on the data. Says nothing for `forward-only`, which does so at any rate. */
  readonly raisesFloor?: boolean
}

/** The commands that change a prefix, each in a transaction of its own. */
export type ChangeCommand = 'install' | 'rollback' | 'migrate'

/** The epochs of stored data that a version can read, and the one that it writes. */
export interface StateFormat {
  readonly reads: readonly number[]
  readonly writes: number
}

/** What a journal record says. */
export type JournalEntry =
  | {
      readonly kind: 'begin'
      readonly command: ChangeCommand
      readonly version: string
      /** The version that was active; undefined before the first. */
      readonly from: string | undefined
      readonly recordDigest: string
      readonly by: string
      /** The operations to come, in order: what a recovery goes by. */
      readonly ops: readonly JournaledOp[]
      /** Undefined where the recipe of the version says nothing of it. */
      readonly stateFormat?: StateFormat | undefined
    }
  | { readonly kind: 'intent'; readonly op: string }
  | { readonly kind: 'done'; readonly op: string; readonly note?: string | undefined }
  /** The decision to go back, before the first operation is undone; the error that led to it. */
  | { readonly kind: 'undo'; readonly code: string; readonly reason: string }
  | { readonly kind: 'undone'; readonly op: string }
  | { readonly kind: 'commit'; readonly version: string }
  | { readonly kind: 'abort'; readonly version: string; readonly code: string; readonly reason: string }
  /** Releases that nothing needs any more, before their folders are removed; stands between transactions. */
  | { readonly kind: 'prune'; readonly versions: readonly string[] }

/**
 * One line of the journal. Intent is written before an effect, done after it; see prefix/journal.ts.
 *
 * Units: `at` in milliseconds since 1970. `txn` numbers the installations and rollbacks of the prefix from 1; a record between
 * two of them carries the number of the last.
 */
export type JournalRecord = {
  readonly schema: 1
  readonly seq: number
  readonly txn: number
  readonly at: number
} & JournalEntry

/** What a journal file holds. */
export interface ParsedJournal {
  readonly records: readonly JournalRecord[]
  /** The length of the intact lines: where the next line goes. What follows is a torn line. */
  readonly sizeBytes: number
}

/** Write a record as a line: the CRC-32 of its canonical JSON in hex, a space, the JSON, a newline. */
export function journalLine(record: JournalRecord): Buffer {
  const json = canonicalJson(record)
  return Buffer.from(`${checksum(json)} ${json}\n`)
}

/**
 * Read a journal that is stored at `place`.
 *
 * Post: a last line that is not whole is left out, for a write that was interrupted looks like this. Errors: JOURNAL_DAMAGED
 * (such a line has others behind it, or was never one of ours), JOURNAL_SEQUENCE (a sequence number is missing or repeated), DOCUMENT_NEWER.
 */
export function parseJournal(bytes: Buffer, place: string): ParsedJournal {
  const records: JournalRecord[] = []
  let start = 0
  while (start < bytes.byteLength) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.byteLength : newline
    const record = newline < 0 ? undefined : parseLine(bytes.toString('utf8', start, end))
    if (record === undefined) {
      if (end + 1 < bytes.byteLength || !isTorn(bytes.subarray(start))) throw damaged(place, records.length + 1)
      break
    }
    checkRecord(record, records.length + 1, place)
    records.push(record)
    start = end + 1
  }
  return { records, sizeBytes: start }
}

/** Whether bytes can be what is left of a line of ours: it begins like one, or with zeros where the disk had got nothing yet. */
function isTorn(bytes: Buffer): boolean {
  const begin = bytes.toString('latin1', 0, 10)
  return Array.from(begin).every((character, at) => character === '\0' || lineBegin[at]!.test(character))
}

const lineBegin: readonly RegExp[] = [...Array.from({ length: 8 }, () => /[0-9a-f]/), / /, /\{/]

function parseLine(line: string): JournalRecord | undefined {
  const json = line.slice(9)
  if (line[8] !== ' ' || checksum(json) !== line.slice(0, 8)) return undefined
  // The checksum holds, so this is what we wrote.
  return JSON.parse(json) as JournalRecord
}

function checkRecord(record: JournalRecord, line: number, place: string): void {
  if (record.schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${record.schema} in line ${line}, expected 1`, {
      details: { path: place, line },
    })
  }
  if (record.seq !== line) {
    throw new ReleaseError('JOURNAL_SEQUENCE', `${place} has record ${record.seq} in line ${line}, expected ${line}`, {
      details: { path: place, line, found: record.seq },
    })
  }
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0')
}

function damaged(place: string, line: number): ReleaseError {
  return new ReleaseError(
    'JOURNAL_DAMAGED',
    `${place} is damaged in line ${line}, which is no line of ours that was cut off`,
    {
      details: { path: place, line },
    },
  )
}
