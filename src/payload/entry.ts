import { compareBytes, isRelativePath } from '../core/relative-path.ts'
import type { TarEntry } from './tar.ts'

/** What a tree to be packed and a manifest say alike of an entry. `path` is relative to the payload's root. */
export type PayloadEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly sizeBytes: number }
  | { readonly type: 'symlink'; readonly path: string; readonly linkTarget: string }

/**
 * Judge the entries of a payload one after the other: paths that stay inside, each once, in order (symbolic links last, else
 * by the bytes of the path), below folders that were listed before, with permission bits only.
 *
 * That an entry's folder is listed as a folder is what keeps writing from ever going through a symbolic link.
 */
export class EntryOrder {
  readonly #folders = new Set<string>()
  readonly #seen = new Set<string>()
  #previous: PayloadEntry | undefined

  /** Say what is wrong with the next entry, or nothing. */
  problem(entry: PayloadEntry): string | undefined {
    const problem = this.#problem(entry)
    if (entry.type === 'directory') this.#folders.add(entry.path)
    this.#seen.add(entry.path)
    this.#previous = entry
    return problem
  }

  #problem(entry: PayloadEntry): string | undefined {
    if (!isRelativePath(entry.path)) return 'it is not a relative path'
    if (this.#seen.has(entry.path)) return 'it is there twice'
    const slash = entry.path.lastIndexOf('/')
    if (slash >= 0 && !this.#folders.has(entry.path.slice(0, slash))) return 'its folder is not listed before it'
    if (this.#previous !== undefined && compareEntries(this.#previous, entry) > 0) return 'it is out of order'
    if (entry.type !== 'symlink' && (entry.mode & ~0o777) !== 0) return `its mode is ${entry.mode.toString(8)}`
    return undefined
  }
}

/**
 * Say why a symbolic link may not be in a payload, or nothing when it may.
 *
 * A target is relative and stays below the payload's root; `..` stands only at its front. So what it says is what the
 * system resolves: the folders above a link are real ones, while `name/..` could pass through another link.
 */
export function linkProblem(path: string, linkTarget: string): string | undefined {
  if (linkTarget === '') return 'its target is empty'
  if (linkTarget.startsWith('/')) return 'its target is absolute'
  if (/[\u0000-\u001f\u007f]/.test(linkTarget)) return 'its target holds a control character'
  if (Buffer.byteLength(linkTarget) > 4095) return 'its target is longer than 4095 bytes'
  let climbsLeft = path.split('/').length - 1
  let named = false
  for (const name of linkTarget.split('/')) {
    if (name === '' || name === '.') continue
    if (name !== '..') {
      named = true
      continue
    }
    if (named) return 'its target holds .. after a name'
    climbsLeft -= 1
    if (climbsLeft < 0) return 'its target is outside the payload'
  }
  return undefined
}

/** The folders from the file system's root down to the payload's, as tar members. */
export function rootFolders(root: string): TarEntry[] {
  const names = root.split('/')
  const folders = ['./', ...names.map((_, index) => `./${names.slice(0, index + 1).join('/')}/`)]
  return folders.map(name => ({ type: 'directory', name, mode: 0o755 }))
}

/** The tar member of an entry of the payload that lives at `root`. */
export function tarEntryOf(root: string, entry: PayloadEntry): TarEntry {
  const name = `./${root}/${entry.path}`
  switch (entry.type) {
    case 'directory':
      return { type: 'directory', name: `${name}/`, mode: entry.mode }
    case 'file':
      return { type: 'file', name, mode: entry.mode, sizeBytes: entry.sizeBytes }
    case 'symlink':
      return { type: 'symlink', name, linkTarget: entry.linkTarget }
  }
}

function compareEntries(a: PayloadEntry, b: PayloadEntry): number {
  return Number(a.type === 'symlink') - Number(b.type === 'symlink') || compareBytes(a.path, b.path)
}
