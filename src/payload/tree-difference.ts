import fs from 'node:fs'

/** An entry that a tree is to have: of a manifest, or of a list of what else may be there. */
export type ExpectedEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | ExpectedFile
  | { readonly type: 'symlink'; readonly path: string; readonly linkTarget: string }

/** A file that a tree is to have. */
export interface ExpectedFile {
  readonly type: 'file'
  readonly path: string
  readonly mode: number
  readonly sizeBytes: number
  readonly digest: string
}

/**
 * In what an entry differs. `type`: something else stands there. `target`: the link leads elsewhere. `owner`: it belongs to another user,
 * who could change it. `extra`: nobody put it there; a folder stands for all below it.
 */
export const differenceKinds = ['missing', 'type', 'mode', 'owner', 'content', 'target', 'extra'] as const

/** One of {@link differenceKinds}. */
export type DifferenceKind = (typeof differenceKinds)[number]

/** One difference of a tree from what it is to be. `expected` and `found` are for people, and may be empty. */
export interface TreeDifference {
  readonly path: string
  readonly kind: DifferenceKind
  readonly expected: string
  readonly found: string
}

/** What of a file's state is compared: nothing is known of a path that is not there. */
export type EntryStat = Pick<fs.Stats, 'mode' | 'uid' | 'size'>

/** Compare type, mode and owner of what stands at a path with what is expected there. */
export function shapeDifferences(
  entry: ExpectedEntry,
  stat: EntryStat,
  ownerId: number | undefined,
): readonly TreeDifference[] {
  const difference = (kind: DifferenceKind, expected: string, found: string) => ({
    path: entry.path,
    kind,
    expected,
    found,
  })
  if (typeOf(stat.mode) !== entry.type) return [difference('type', entry.type, describeEntry(stat))]
  const found: TreeDifference[] = []
  if (entry.type !== 'symlink' && (stat.mode & 0o7777) !== entry.mode) {
    found.push(difference('mode', octal(entry.mode), octal(stat.mode & 0o7777)))
  }
  if (ownerId !== undefined && stat.uid !== ownerId) found.push(difference('owner', String(ownerId), String(stat.uid)))
  return found
}

/** Name what stands at a path, with what makes it dangerous. */
export function describeEntry({ mode, uid }: EntryStat): string {
  const type = typeOf(mode)
  return type === 'symlink' ? type : `${type}, mode ${octal(mode & 0o7777)}, owner ${uid}`
}

/** A mode as people write it. */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

const types: Readonly<Record<number, string>> = {
  [fs.constants.S_IFREG]: 'file',
  [fs.constants.S_IFDIR]: 'directory',
  [fs.constants.S_IFLNK]: 'symlink',
  [fs.constants.S_IFIFO]: 'pipe',
  [fs.constants.S_IFSOCK]: 'socket',
  [fs.constants.S_IFCHR]: 'character device',
  [fs.constants.S_IFBLK]: 'block device',
}

function typeOf(mode: number): string {
  return types[mode & fs.constants.S_IFMT] ?? 'unknown'
}
