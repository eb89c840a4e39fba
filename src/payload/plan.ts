import { ReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import type { Tree, TreeEntry } from '../core/tree.ts'
import { chunkBytes } from './chunk.ts'
import { EntryOrder, linkProblem, rootFolders, tarEntryOf } from './entry.ts'
import { type TarEntry, tarMemberBytes } from './tar.ts'

/** A member of the payload's tar: a folder above the root, or what the tree says. */
export interface PlannedEntry {
  readonly tar: TarEntry
  /** Absent for the root's own folders, which the manifest does not list. */
  readonly entry?: TreeEntry
}

/** What goes into one segment (`whole`), or one file that is cut into several by its content. */
export type PlannedGroup =
  | { readonly kind: 'whole'; readonly entries: readonly PlannedEntry[]; readonly tarSizeBytes: number }
  | { readonly kind: 'large'; readonly entry: PlannedEntry; readonly tarSizeBytes: number }

/**
 * Lay out the tar of a tree and cut it into groups, from names and sizes alone.
 *
 * A group starts at the shallowest folder between 2 and 6 MiB after the start of the one before: so a folder's files stay
 * together, and a file more or less moves the cuts near it only.
 * Errors: PAYLOAD_ENTRY (order, duplicates, a folder that is not listed, a mode), PAYLOAD_LINK.
 */
export function planGroups(tree: Tree): PlannedGroup[] {
  assertTree(tree)
  const planned = [...rootEntries(tree.root), ...tree.entries.map(entry => plannedEntry(tree.root, entry))]
  const groups: PlannedGroup[] = []
  let start = 0
  while (start < planned.length) {
    const first = planned[start]!
    if (isLarge(first)) {
      groups.push({ kind: 'large', entry: first, tarSizeBytes: tarMemberBytes(first.tar) })
      start += 1
      continue
    }
    const end = groupEnd(planned, start)
    const entries = planned.slice(start, end)
    groups.push({
      kind: 'whole',
      entries,
      tarSizeBytes: entries.reduce((sum, each) => sum + tarMemberBytes(each.tar), 0),
    })
    start = end
  }
  return groups
}

function rootEntries(root: string): PlannedEntry[] {
  return rootFolders(root).map(tar => ({ tar }))
}

function plannedEntry(root: string, entry: TreeEntry): PlannedEntry {
  return { tar: tarEntryOf(root, entry), entry }
}

function isLarge(planned: PlannedEntry): boolean {
  return tarMemberBytes(planned.tar) > chunkBytes.max
}

/** Find where the group that starts at `start` ends: before the best place in its window, or where the tree or a large file does. */
function groupEnd(planned: readonly PlannedEntry[], start: number): number {
  let sizeBytes = 0
  let best: number | undefined
  for (let index = start; index < planned.length; index += 1) {
    const candidate = planned[index]!
    if (index > start && isLarge(candidate)) return index
    if (sizeBytes >= chunkBytes.min && (best === undefined || isBetterStart(candidate, planned[best]!))) best = index
    sizeBytes += tarMemberBytes(candidate.tar)
    if (sizeBytes > chunkBytes.max) return best ?? Math.max(index, start + 1)
  }
  return planned.length
}

/** Folders before files, shallow before deep, then by a hash of the name: an order that does not depend on what stands around. */
function isBetterStart(a: PlannedEntry, b: PlannedEntry): boolean {
  const byType = Number(a.tar.type !== 'directory') - Number(b.tar.type !== 'directory')
  if (byType !== 0) return byType < 0
  const byDepth = depth(a.tar.name) - depth(b.tar.name)
  if (byDepth !== 0) return byDepth < 0
  return nameHash(a.tar.name) < nameHash(b.tar.name)
}

function depth(name: string): number {
  return name.split('/').length
}

/** FNV-1a, 32 bits. */
function nameHash(name: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

function assertTree(tree: Tree): void {
  if (!isRelativePath(tree.root)) throw entryError(tree.root, 'the root is not a relative path')
  const order = new EntryOrder()
  for (const entry of tree.entries) {
    const problem = order.problem(entry)
    if (problem !== undefined) throw entryError(entry.path, problem)
    if (entry.type === 'symlink') assertLink(entry)
  }
}

function assertLink(entry: TreeEntry & { readonly type: 'symlink' }): void {
  const problem = linkProblem(entry.path, entry.linkTarget)
  if (problem === undefined) return
  throw new ReleaseError('PAYLOAD_LINK', `${entry.path} → ${entry.linkTarget} cannot be packed: ${problem}`, {
    details: { path: entry.path, linkTarget: entry.linkTarget },
  })
}

function entryError(path: string, problem: string): ReleaseError {
  return new ReleaseError('PAYLOAD_ENTRY', `${path} cannot be packed: ${problem}`, { details: { path } })
}
