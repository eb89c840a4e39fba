import { compareBytes } from '../core/relative-path.ts'
import { type TarEntry, tarEndBytes, tarMemberBytes, writeTarHeader } from '../payload/tar.ts'

/** A file made in memory; `path` has no leading `./`. */
export interface SmallFile {
  readonly path: string
  readonly mode: number
  readonly bytes: Uint8Array
}

/** What a small tar can hold. */
export type SmallEntry =
  | ({ readonly type: 'file' } & SmallFile)
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'symlink'; readonly path: string; readonly linkTarget: string }

/** A member of a small tar, with its content when it is a file. */
export interface SmallMember {
  readonly entry: TarEntry
  readonly bytes?: Uint8Array
}

/**
 * Name the members of a small tar: entries and the folders above them that are not there yet, in byte order, links last.
 *
 * Source: dpkg-deb(1): a link that is unpacked last is in nobody's way.
 */
export function smallTarMembers(
  entries: readonly SmallEntry[],
  existingFolders: ReadonlySet<string> = new Set(),
): SmallMember[] {
  const members = new Map<string, SmallMember>()
  for (const name of entries.flatMap(entry => foldersAbove(entry.path))) {
    if (!existingFolders.has(name)) members.set(name, { entry: { type: 'directory', name, mode: 0o755 } })
  }
  for (const entry of entries) {
    const member = memberOf(entry)
    if (entry.type !== 'directory' || !existingFolders.has(member.entry.name)) members.set(member.entry.name, member)
  }
  const rank = ({ entry }: SmallMember) => (entry.type === 'symlink' ? 1 : 0)
  return [...members.values()].sort((a, b) => rank(a) - rank(b) || compareBytes(a.entry.name, b.entry.name))
}

/** Write a small tar in memory, without its end. */
export function smallTar(members: readonly SmallMember[], mtimeSeconds: number): Buffer {
  const tar = Buffer.alloc(members.reduce((sum, { entry }) => sum + tarMemberBytes(entry), 0))
  let at = 0
  for (const { entry, bytes } of members) {
    const start = writeTarHeader(tar, at, entry, mtimeSeconds)
    if (bytes !== undefined) tar.set(bytes, start)
    at += tarMemberBytes(entry)
  }
  return tar
}

/** The end of a tar. */
export const tarEnd = Buffer.alloc(tarEndBytes)

function memberOf(entry: SmallEntry): SmallMember {
  const name = `./${entry.path}`
  switch (entry.type) {
    case 'directory':
      return { entry: { type: 'directory', name: `${name}/`, mode: entry.mode } }
    case 'symlink':
      return { entry: { type: 'symlink', name, linkTarget: entry.linkTarget } }
    case 'file':
      return {
        entry: { type: 'file', name, mode: entry.mode, sizeBytes: entry.bytes.byteLength },
        bytes: entry.bytes,
      }
  }
}

function foldersAbove(path: string): string[] {
  const names = path.split('/').slice(0, -1)
  return ['./', ...names.map((_, index) => `./${names.slice(0, index + 1).join('/')}/`)]
}
