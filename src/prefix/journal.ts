import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import type { Clock } from '../sys/clock.ts'
import { syncFolder } from '../sys/files.ts'
import { type JournalEntry, type JournalRecord, journalLine, parseJournal } from './journal-record.ts'

/**
 * The journal of a prefix, open for appending: what is being done to it, and its history.
 *
 * File operations are synchronous: nothing else of the process may happen between a record and its effect.
 */
export interface Journal extends Disposable {
  readonly records: readonly JournalRecord[]
  /**
   * Append one record and make it durable.
   *
   * Post: the record survives power loss. Errors: JOURNAL_FULL (no space; nothing appended), FILE_IO.
   * Crash: a torn last line, which the next {@link openJournal} cuts off; earlier lines are never rewritten.
   * Source: write(2), fsync(2).
   */
  readonly append: (txn: number, entry: JournalEntry) => JournalRecord
  readonly close: () => void
}

/** Read the records of a journal; none when there is no file. Errors: JOURNAL_DAMAGED, JOURNAL_SEQUENCE, DOCUMENT_NEWER, FILE_IO. */
export function readJournal(file: string): readonly JournalRecord[] {
  const bytes = readIfExists(file)
  return bytes === undefined ? [] : parseJournal(bytes, file).records
}

/**
 * Open a journal for appending, making it when it is not there.
 *
 * Pre: the lock of the prefix is held. Post: a torn last line is cut off. Errors: those of {@link readJournal}.
 */
export function openJournal(file: string, clock: Clock): Journal {
  const bytes = readIfExists(file) ?? createJournal(file)
  const parsed = parseJournal(bytes, file)
  const records = [...parsed.records]
  let sizeBytes = parsed.sizeBytes
  const descriptor = attempt(() => fs.openSync(file, 'r+'))
  if (bytes.byteLength > sizeBytes) truncate(descriptor, sizeBytes)
  const append = (txn: number, entry: JournalEntry): JournalRecord => {
    const record: JournalRecord = { schema: 1, seq: records.length + 1, txn, at: clock.nowMs(), ...entry }
    const line = journalLine(record)
    try {
      writeAll(descriptor, line, sizeBytes)
      fs.fsyncSync(descriptor)
    } catch (caught) {
      throw appendError(caught, file, () => truncate(descriptor, sizeBytes))
    }
    sizeBytes += line.byteLength
    records.push(record)
    return record
  }
  const close = () => fs.closeSync(descriptor)
  return { records, append, close, [Symbol.dispose]: close }
}

function createJournal(file: string): Buffer {
  attempt(() => {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.closeSync(fs.openSync(file, 'a', 0o640))
    syncFolder(path.dirname(file))
  })
  return Buffer.alloc(0)
}

function readIfExists(file: string): Buffer | undefined {
  try {
    return fs.readFileSync(file)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return undefined
    throw toReleaseError(caught)
  }
}

function writeAll(descriptor: number, line: Buffer, position: number): void {
  for (let written = 0; written < line.byteLength; ) {
    written += fs.writeSync(descriptor, line, written, line.byteLength - written, position + written)
  }
}

function truncate(descriptor: number, sizeBytes: number): void {
  attempt(() => {
    fs.ftruncateSync(descriptor, sizeBytes)
    fs.fsyncSync(descriptor)
  })
}

function appendError(caught: unknown, file: string, restore: () => void): ReleaseError {
  restore()
  if (!isErrno(caught, 'ENOSPC', 'EDQUOT')) return toReleaseError(caught)
  return new ReleaseError('JOURNAL_FULL', `${file} cannot be appended to: ${caught.code}`, {
    cause: caught,
    details: { errno: caught.code, path: file },
  })
}

function attempt<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
