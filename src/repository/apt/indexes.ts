import type { RepositoryDescription } from '../../trust/layout.ts'
import type { Edit, RecordList } from './chunks.ts'
import type { IndexForm } from './forms.ts'
import { emptyIndex, type MadeIndex, type OpenIndex, openIndex, type ReadIndexFile } from './index-files.ts'
import type { AptPackage, AptPackageKey, IndexGeneration } from './state.ts'

/** The indexes of a suite as they are, and what shall change in them. */
export interface IndexChange {
  readonly settings: RepositoryDescription['apt']
  readonly components: readonly string[]
  /** With `all` among them. */
  readonly architectures: readonly string[]
  readonly added: readonly AptPackage[]
  readonly removed: readonly AptPackageKey[]
  /** The newest files of an index. */
  readonly presentOf: (path: string) => IndexGeneration | undefined
  /** Whether the indexes are made of what is added alone. */
  readonly rebuild: boolean
  readonly reader: (path: string) => ReadIndexFile
  /** What was made for other suites, by what it was made of. */
  readonly shared: Map<string, Promise<MadeIndex>>
}

/** Read an index by its path; one that is not there, or shall be made anew, is empty. Errors: REPOSITORY_DAMAGED. */
export async function openPresent<Key>(
  change: IndexChange,
  path: string,
  options: { readonly list: RecordList<Key>; readonly forms: readonly IndexForm[] },
): Promise<OpenIndex> {
  const present = change.presentOf(path)
  if (present === undefined || change.rebuild) return emptyIndex
  return openIndex(present, options.forms, { list: options.list, read: change.reader(path), place: path })
}

/** The part of a change that is about one component, and one architecture of it. */
export function partOf(
  change: IndexChange,
  component: string,
  architecture: string,
): { readonly added: readonly AptPackage[]; readonly removed: readonly AptPackageKey[] } {
  const isIts = (entry: AptPackageKey): boolean => entry.component === component && entry.architecture === architecture
  return { added: change.added.filter(isIts), removed: change.removed.filter(isIts) }
}

/** Put two sorted lists of edits together. Pre: no key is in both. */
export function mergeEdits<Key>(
  a: readonly Edit<Key>[],
  b: readonly Edit<Key>[],
  compare: (a: Key, b: Key) => number,
): readonly Edit<Key>[] {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a
  return [...a, ...b].sort((left, right) => compare(left.key, right.key))
}
