import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { poolKey } from '../trust/layout.ts'
import { releaseFileNames, type SuiteState } from './apt/state.ts'
import type { DatedSnapshot, Ledger } from './ledger.ts'

const maxIndexBytes = 1024 * 1024 * 1024

/** The key of a file of a suite as it was at the time of a snapshot. */
export const datedReleaseKey = (id: string, suite: string, name: string): string =>
  `snapshot/${id}/dists/${suite}/${name}`

/** Name a snapshot of a time, as apt's users write it. Shape: `YYYYMMDDTHHMMSSZ`. */
export function snapshotId(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

/** Accept the name of a snapshot. Errors: SNAPSHOT_ID. */
export function parseSnapshotId(text: string): string {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  const timeMs = match === null ? Number.NaN : Date.parse(text.replace(/^(....)(..)(..)T(..)(..)/, '$1-$2-$3T$4:$5:'))
  // Not every row of digits is a date: the 31st of February would become another one.
  if (!Number.isNaN(timeMs) && snapshotId(timeMs) === text) return text
  throw new ReleaseError('SNAPSHOT_ID', `not the name of a snapshot: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'write a time in UTC as 20261121T074500Z',
    details: { id: text },
  })
}

/**
 * Name the files that are there for a snapshot alone: the Release files under its date, and indexes that neither a suite nor another
 * snapshot names.
 */
export function keysOfSnapshot({ snapshots, suites }: Ledger, { id, files }: DatedSnapshot): readonly string[] {
  const others = snapshots.filter(each => each.id !== id).flatMap(each => each.files.map(({ key }) => key))
  const needed = new Set(others)
  const current = new Set(Object.values(suites).flatMap(digestsOf))
  const released = new Set(files.map(({ key }) => key.split('/')[1]!))
  return [
    ...[...released].flatMap(suite => releaseFileNames.map(name => datedReleaseKey(id, suite, name))),
    ...files.filter(({ key, digest }) => !needed.has(key) && !current.has(digest)).map(({ key }) => key),
  ]
}

function digestsOf({ indexes }: SuiteState): readonly Digest[] {
  const generations = Object.values(indexes).flatMap(index => index.generations)
  return generations.flatMap(generation => Object.values(generation).map(({ digest }) => digest))
}

/**
 * Read which releases of an application an index of apt lists.
 *
 * An index in a form that cannot be read here is passed over: its other forms list the same packages. Errors: REPOSITORY_DAMAGED.
 */
export function versionsListed(index: Buffer, application: string, key: string): ReadonlySet<string> {
  const prefix = `Filename: ${poolKey(application, '', '').slice(0, -1)}`
  const lines = plainText(index, key)
    .split('\n')
    .filter(line => line.startsWith(prefix))
  return new Set(lines.map(line => line.slice(prefix.length).split('/', 1)[0]!))
}

const readers: readonly { readonly magic: string; readonly read: (bytes: Buffer) => Buffer }[] = [
  { magic: '1f8b', read: bytes => gunzipSync(bytes, { maxOutputLength: maxIndexBytes }) },
  { magic: '28b52ffd', read: bytes => zstdDecompressSync(bytes, { maxOutputLength: maxIndexBytes }) },
  // xz, which Node does not read.
  { magic: 'fd377a585a00', read: () => Buffer.alloc(0) },
]

function plainText(index: Buffer, key: string): string {
  const reader = readers.find(({ magic }) => index.subarray(0, magic.length / 2).toString('hex') === magic)
  try {
    return (reader?.read(index) ?? index).toString('utf8')
  } catch (caught) {
    throw new ReleaseError('REPOSITORY_DAMAGED', `${key} cannot be unpacked`, { cause: caught, details: { key } })
  }
}
