import { ReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import type { Tree, TreeEntry } from '../core/tree.ts'
import { chunkBytes } from './chunk.ts'
import { EntryOrder, linkProblem, rootFolders, tarEntryOf } from './entry.ts'
import { type TarEntry, tarHeaderBytes, tarMemberBytes } from './tar.ts'

/** A member of the payload's tar; for a file, the absolute path of its content. Plain data: it is sent to threads. */
export interface PlannedMember {
  readonly tar: TarEntry
  readonly source?: string
}

/** A file of which several segments are made. */
export type PlannedFile = PlannedMember & { readonly tar: { readonly type: 'file' }; readonly source: string }

/** What goes into one segment (`whole`), or one file that is cut into several by its content. */
export type PlannedGroup =
  | { readonly kind: 'whole'; readonly members: readonly PlannedMember[]; readonly tarSizeBytes: number }
  | { readonly kind: 'large'; readonly file: PlannedFile; readonly tarSizeBytes: number }

/**
 * Lay out the tar of a tree and cut it into groups, from names and sizes alone.
 *
 * A group starts at the shallowest folder within `chunkBytes.min` and `.max` after the start of the one before: so a folder's
 * files stay together, and a file more or less moves the cuts near it only.
 * Errors: PAYLOAD_ENTRY (order, duplicates, a folder that is not listed, a mode), PAYLOAD_LINK.
 */
export function planGroups(tree: Tree): PlannedGroup[] {
  assertTree(tree)
  const planned = [
    ...rootFolders(tree.root).map(tar => ({ tar })),
    ...tree.entries.map(e => plannedMember(tree.root, e)),
  ]
  const sizes = planned.map(member => tarMemberBytes(member.tar))
  const groups: PlannedGroup[] = []
  let start = 0
  while (start < planned.length) {
    const end = groupEnd(planned, sizes, start)
    const tarSizeBytes = sizes.slice(start, end).reduce((sum, sizeBytes) => sum + sizeBytes, 0)
    groups.push(
      isLarge(tarSizeBytes)
        ? { kind: 'large', file: planned[start] as PlannedFile, tarSizeBytes }
        : { kind: 'whole', members: planned.slice(start, end), tarSizeBytes },
    )
    start = end
  }
  return groups
}

/** Say of each file, in order, where its content starts in the tar. */
export function contentOffsets(groups: readonly PlannedGroup[]): number[] {
  const offsets: number[] = []
  let tarOffset = 0
  for (const group of groups) {
    for (const { tar } of group.kind === 'large' ? [group.file] : group.members) {
      if (tar.type === 'file') offsets.push(tarOffset + tarHeaderBytes(tar))
      tarOffset += tarMemberBytes(tar)
    }
  }
  return offsets
}

function plannedMember(root: string, entry: TreeEntry): PlannedMember {
  const tar = tarEntryOf(root, entry)
  return entry.type === 'file' ? { tar, source: entry.source } : { tar }
}

function isLarge(tarSizeBytes: number): boolean {
  return tarSizeBytes > chunkBytes.max
}

/** Find where the group that starts at `start` ends: before the best place in its window, or where the tree or a large file does. */
function groupEnd(planned: readonly PlannedMember[], sizes: readonly number[], start: number): number {
  let sizeBytes = 0
  let best: number | undefined
  for (let index = start; index < planned.length; index += 1) {
    const memberBytes = sizes[index]!
    if (index > start && isLarge(memberBytes)) return index
    if (sizeBytes >= chunkBytes.min && (best === undefined || isBetterStart(planned[index]!, planned[best]!)))
      best = index
    sizeBytes += memberBytes
    if (isLarge(sizeBytes)) return best ?? Math.max(index, start + 1)
  }
  return planned.length
}

/** Folders before files, shallow before deep, then by a hash of the name: an order that does not depend on what stands around. */
function isBetterStart(a: PlannedMember, b: PlannedMember): boolean {
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
