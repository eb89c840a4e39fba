import path from 'node:path'
import { type ErrorDetails, ReleaseError } from '../core/error.ts'
import type { ServiceStatus } from '../core/service-status.ts'
import { listFiles, makeFolder, parseJson, readTextIfExists, removeFile, writeFileAtomic } from '../sys/files.ts'
import type { ChangeCommand } from './journal-record.ts'
import type { PrefixPaths } from './layout.ts'

/** How many failures a prefix remembers in full; of older ones the journal tells. */
const keepFailures = 20
const longestText = 4000
const longestLine = 500

/**
 * What was known when a change failed, and would be gone once it is taken back.
 *
 * Shape: `journal/failures/TXN.json`. Units: `at` in milliseconds since 1970. Holds no secrets: {@link keepFailure} takes them out.
 */
export interface FailureRecord {
  readonly schema: 1
  readonly txn: number
  readonly at: number
  readonly command: ChangeCommand
  readonly version: string
  readonly from: string | undefined
  readonly by: string
  /** The operation that failed; undefined when it was none of them. */
  readonly op: string | undefined
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly details: ErrorDetails
  /** The messages of what led to it, nearest first. */
  readonly causes: readonly string[]
  /** What ran at that moment. */
  readonly services: readonly ServiceStatus[]
  readonly logs: readonly LogTail[]
}

/** The last lines that a service wrote. */
export interface LogTail {
  readonly service: string
  readonly file: string
  readonly lines: readonly string[]
}

/** Write down a failure. Post: bounded in size, without secrets, and the oldest ones beyond twenty are gone. Errors: FILE_*. */
export function keepFailure(paths: PrefixPaths, record: FailureRecord, redact: (text: string) => string): void {
  const folder = failuresFolder(paths)
  const cleaned = (value: unknown) => (typeof value === 'string' ? shorten(redact(value), longestText) : value)
  const logs = record.logs.map(log => ({ ...log, lines: log.lines.map(line => shorten(redact(line), longestLine)) }))
  const text = JSON.stringify({ ...record, logs }, (_, value) => cleaned(value), 2)
  makeFolder(folder, { mode: 0o750 })
  writeFileAtomic(path.join(folder, `${record.txn}.json`), `${text}\n`, { mode: 0o640 })
  for (const txn of keptFailures(folder).slice(keepFailures)) removeFile(path.join(folder, `${txn}.json`))
}

/** Read what is known of a failure; undefined where nothing was written down. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER, FILE_IO. */
export function readFailure(paths: PrefixPaths, txn: number): FailureRecord | undefined {
  const file = path.join(failuresFolder(paths), `${txn}.json`)
  const text = readTextIfExists(file)
  return text === undefined ? undefined : parseFailure(text, file)
}

/** Read a failure that is stored at `place`. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function parseFailure(text: string, place: string): FailureRecord {
  const value = parseJson(text, place) as Partial<FailureRecord> | null
  const { schema } = { ...value }
  if (typeof schema === 'number' && schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${schema}, expected 1`, { details: { path: place } })
  }
  if (schema === 1 && [value?.causes, value?.services, value?.logs].every(Array.isArray)) return value as FailureRecord
  throw new ReleaseError('DOCUMENT_INVALID', `${place} is not the record of a failure`, { details: { path: place } })
}

function shorten(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** The transactions with a record, newest first. */
function keptFailures(folder: string): readonly number[] {
  const names = listFiles(folder).filter(name => /^\d+\.json$/.test(name))
  return names.map(name => Number.parseInt(name, 10)).toSorted((a, b) => b - a)
}

const failuresFolder = (paths: PrefixPaths) => path.join(path.dirname(paths.journal), 'failures')
