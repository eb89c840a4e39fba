import { compareBytes } from '../core/relative-path.ts'
import { type TarEntry, tarEndBytes, tarMemberBytes, writeTarHeader } from '../payload/tar.ts'

/** A file made in memory; `path` has no leading `./`. */
export interface SmallFile {
  readonly path: string
  readonly mode: number
  readonly bytes: Uint8Array
}

/** Name the members of a small tar: files and the folders above them that are not there yet, in byte order. */
export function smallTarMembers(files: readonly SmallFile[], existingFolders: ReadonlySet<string>): TarEntry[] {
  const folders = new Set(files.flatMap(file => foldersAbove(file.path)).filter(name => !existingFolders.has(name)))
  const members: TarEntry[] = [...folders].map(name => ({ type: 'directory', name, mode: 0o755 }))
  for (const { path, mode, bytes } of files) {
    members.push({ type: 'file', name: `./${path}`, mode, sizeBytes: bytes.byteLength })
  }
  return members.sort((a, b) => compareBytes(a.name, b.name))
}

/** Write a small tar in memory, without its end. */
export function smallTar(files: readonly SmallFile[], members: readonly TarEntry[], mtimeSeconds: number): Buffer {
  const contents = new Map(files.map(file => [`./${file.path}`, file.bytes]))
  const tar = Buffer.alloc(members.reduce((sum, member) => sum + tarMemberBytes(member), 0))
  let at = 0
  for (const member of members) {
    const start = writeTarHeader(tar, at, member, mtimeSeconds)
    if (member.type === 'file') tar.set(contents.get(member.name)!, start)
    at += tarMemberBytes(member)
  }
  return tar
}

/** The end of a tar. */
export const tarEnd = Buffer.alloc(tarEndBytes)

function foldersAbove(path: string): string[] {
  const names = path.split('/').slice(0, -1)
  return ['./', ...names.map((_, index) => `./${names.slice(0, index + 1).join('/')}/`)]
}
