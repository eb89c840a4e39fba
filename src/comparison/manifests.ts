import type { Digest } from '../core/digest.ts'
import type { FileEntry, PayloadManifest, Segment } from '../payload/manifest.ts'
import type { Difference, Pair } from './difference.ts'

/** How an entry of a payload differs. */
export type EntryChange =
  | { readonly kind: 'added'; readonly path: string; readonly rebuilt: FileEntry }
  | { readonly kind: 'removed'; readonly path: string; readonly released: FileEntry }
  /** The same file with other bytes, and perhaps another mode. */
  | { readonly kind: 'content'; readonly path: string; readonly pair: Pair<ManifestFile> }
  /** The same bytes; another mode, type or target. */
  | { readonly kind: 'form'; readonly path: string; readonly pair: Pair<FileEntry> }

/** A file of a manifest. */
export type ManifestFile = FileEntry & { readonly type: 'file' }

/** How two payloads differ as far as their manifests tell. */
export interface ManifestComparison {
  readonly entries: readonly EntryChange[]
  readonly tarIsEqual: boolean
  /** Indexes of segments that are not the same compressed bytes; undefined when they are cut in other places. */
  readonly segments: readonly number[] | undefined
  readonly encoder: Pair<string>
}

/** Compare two manifests: entries, tar and segments. */
export function compareManifests({ released, rebuilt }: Pair<PayloadManifest>): ManifestComparison {
  return {
    entries: compareEntries(released.files, rebuilt.files),
    tarIsEqual: released.tar.digest === rebuilt.tar.digest,
    segments: compareSegments(released.segments, rebuilt.segments),
    encoder: { released: encoderText(released), rebuilt: encoderText(rebuilt) },
  }
}

/** Word a change that needs no look into the file; `why` is what is known of its folder. */
export function entryDifference(change: Exclude<EntryChange, { readonly kind: 'content' }>, why: string): Difference {
  const where = change.path
  switch (change.kind) {
    case 'added':
      return { where, released: 'absent', rebuilt: describe(change.rebuilt), why }
    case 'removed':
      return { where, released: describe(change.released), rebuilt: 'absent', why }
    case 'form':
      return formDifference(where, change.pair, why)
  }
}

/** Word what differs when all entries are equal: the order of the tar, or how it is compressed. Undefined when nothing does. */
export function encodingDifference(comparison: ManifestComparison): Difference | undefined {
  const { entries, tarIsEqual, segments, encoder } = comparison
  if (entries.length > 0 || (tarIsEqual && segments?.length === 0)) return undefined
  if (!tarIsEqual)
    return {
      where: 'tar',
      released: 'equal files',
      rebuilt: 'another tar of them',
      why: 'another version of Cutover writes it in another way, or the commit has another time',
    }
  const where = segments === undefined ? 'segments' : `segment ${segments.slice(0, 5).join(', ')}`
  const more = segments !== undefined && segments.length > 5 ? ` and ${segments.length - 5} more` : ''
  return { where: `${where}${more}`, ...encoder, why: encoderReason(encoder) }
}

function encoderReason({ released, rebuilt }: Pair<string>): string {
  const equal = "the payload's files and tar are equal; its segments differ because the release was compressed"
  return released === rebuilt
    ? `${equal} otherwise, though ${released} is named in both: by another version of Cutover, or it was changed afterwards`
    : `${equal} with ${released} and this is ${rebuilt}`
}

function encoderText({ codec }: PayloadManifest): string {
  return `${codec.encoder}, level ${codec.level}`
}

function compareEntries(released: readonly FileEntry[], rebuilt: readonly FileEntry[]): readonly EntryChange[] {
  const after = new Map(rebuilt.map(entry => [entry.path, entry]))
  const before = new Set(released.map(entry => entry.path))
  const there = released.flatMap((entry): readonly EntryChange[] => {
    const other = after.get(entry.path)
    if (other === undefined) return [{ kind: 'removed', path: entry.path, released: entry }]
    return compareEntry(entry, other)
  })
  const added = rebuilt.filter(entry => !before.has(entry.path))
  return [...there, ...added.map(entry => ({ kind: 'added' as const, path: entry.path, rebuilt: entry }))]
}

function compareEntry(released: FileEntry, rebuilt: FileEntry): readonly EntryChange[] {
  const { path } = released
  if (released.type === 'file' && rebuilt.type === 'file' && released.digest !== rebuilt.digest) {
    const content = { kind: 'content' as const, path, pair: { released, rebuilt } }
    return released.mode === rebuilt.mode ? [content] : [content, { kind: 'form', path, pair: { released, rebuilt } }]
  }
  return describe(released) === describe(rebuilt) ? [] : [{ kind: 'form', path, pair: { released, rebuilt } }]
}

function formDifference(where: string, { released, rebuilt }: Pair<FileEntry>, why: string): Difference {
  const isMode = released.type === rebuilt.type && released.type !== 'symlink'
  const reason = isMode ? 'the build sets another mode: it runs with umask 022, as every build of a release does' : why
  return { where, released: describe(released), rebuilt: describe(rebuilt), why: reason }
}

/** Name the segments that differ. Those of a payload that is cut in other places cannot be set against each other. */
function compareSegments(released: readonly Segment[], rebuilt: readonly Segment[]): readonly number[] | undefined {
  const cuts = (segments: readonly Segment[]) => segments.map(segment => segment.tarOffset).join()
  if (cuts(released) !== cuts(rebuilt)) return undefined
  const digests: readonly Digest[] = rebuilt.map(segment => segment.digest)
  return released.filter(segment => segment.digest !== digests[segment.index]).map(segment => segment.index)
}

function describe(entry: FileEntry): string {
  switch (entry.type) {
    case 'directory':
      return `folder, mode ${entry.mode.toString(8)}`
    case 'file':
      return `file of ${entry.sizeBytes} bytes, mode ${entry.mode.toString(8)}`
    case 'symlink':
      return `link to ${entry.linkTarget}`
  }
}
