import fs from 'node:fs'
import path from 'node:path'
import { isErrno } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import type { Representation } from './conditional.ts'

/** A regular file that was opened for one answer: who gets it closes it. */
export interface OpenFile extends Representation {
  readonly kind: 'file'
  readonly descriptor: number
  readonly close: () => void
}

/** What a request's path names, as far as it can be told without looking. */
export type Address =
  | { readonly kind: 'malformed' }
  | {
      readonly kind: 'key'
      /** A relative path, empty for the root; not yet checked. */
      readonly key: string
      /** It ends in a slash: the page of a folder is meant. */
      readonly isFolder: boolean
    }

/** Read the path of a request's target. Source: RFC 9112 §3.2 (forms of the target), RFC 3986 §2.1 (escapes). */
export function parseAddress(pathname: string): Address {
  const decoded = decode(pathname)
  if (decoded === undefined || !decoded.startsWith('/')) return { kind: 'malformed' }
  const isFolder = decoded.endsWith('/')
  return { kind: 'key', key: decoded.slice(1, isFolder && decoded.length > 1 ? -1 : undefined), isFolder }
}

/** Two hundred bytes for each of so many files. */
const mostKnown = 20_000

/** What nobody is shown, and what is there no more, are the same to a client. */
const missingErrors = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG', 'ENXIO'] as const

/**
 * A folder whose files may be shown to everybody: no hidden names, and symbolic links only where they stay inside.
 *
 * Files are replaced by renaming, so that what makes the ETag (inode, size, time of the last write) never stands for two contents.
 */
export class ServedFolder {
  readonly root: string
  /** The ETags of files that were found to be inside, by their keys: as long as the same file is there, its links need not be followed again. */
  readonly #inside = new Map<string, string>()

  constructor(root: string) {
    this.root = fs.realpathSync(root)
  }

  /** Open a file, tell that the key is a folder, or that there is nothing to be shown. Errors: those of the system (EMFILE, EIO). */
  open(key: string): OpenFile | { readonly kind: 'folder' | 'missing' } {
    if (!isShown(key)) return { kind: 'missing' }
    try {
      return this.#openKnown(key) ?? this.#openNew(key)
    } catch (caught) {
      if (isErrno(caught, ...missingErrors)) return { kind: 'missing' }
      throw caught
    }
  }

  /** Open the file that was found to be inside before; undefined when another one, or a link, may be there. */
  #openKnown(key: string): OpenFile | undefined {
    const etag = this.#inside.get(key)
    const file = etag === undefined ? undefined : tryOpen(path.join(this.root, key))
    if (file === undefined || file.etag === etag) return file
    file.close()
    return undefined
  }

  #openNew(key: string): OpenFile | { readonly kind: 'folder' | 'missing' } {
    const place = path.join(this.root, key)
    const real = fs.realpathSync.native(place)
    if (!isInside(this.root, real)) return { kind: 'missing' }
    const file = openReal(real)
    if (file.kind === 'file' && real === place) {
      if (this.#inside.size >= mostKnown) this.#inside.clear()
      this.#inside.set(key, file.etag)
    }
    return file
  }

  /** Read a small file as it is now; undefined when there is none, or it is larger than that. */
  read(key: string, maxBytes: number): Buffer | undefined {
    const file = this.open(key)
    if (file.kind !== 'file') return undefined
    try {
      return file.sizeBytes > maxBytes ? undefined : readPiece(file.descriptor, 0, file.sizeBytes)
    } finally {
      file.close()
    }
  }

  /** List the names in a folder that may be shown, in no order. */
  list(key: string): readonly string[] {
    try {
      const names = fs.readdirSync(path.join(this.root, key))
      return names.filter(name => !name.startsWith('.'))
    } catch (caught) {
      if (isErrno(caught, ...missingErrors)) return []
      throw caught
    }
  }
}

/** Read a few bytes at once. Errors: those of the system; a file that became shorter is an `Error`. */
export function readPiece(descriptor: number, start: number, sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes)
  fillFrom(descriptor, bytes, start)
  return bytes
}

/** Fill a buffer at once from a place of a file. Errors: those of {@link readPiece}. */
export function fillFrom(descriptor: number, bytes: Buffer, start: number): void {
  const sizeBytes = bytes.byteLength
  for (let done = 0; done < sizeBytes; ) {
    const count = fs.readSync(descriptor, bytes, done, sizeBytes - done, start + done)
    if (count === 0) throw new Error(`the file ends ${sizeBytes - done} bytes early`)
    done += count
  }
}

function decode(pathname: string): string | undefined {
  if (!pathname.includes('%')) return pathname
  try {
    return decodeURIComponent(pathname)
  } catch {
    return undefined
  }
}

function isShown(key: string): boolean {
  return key === '' || (isRelativePath(key) && !key.startsWith('.') && !key.includes('/.'))
}

/** A link into a hidden folder counts as leaving. */
function isInside(root: string, real: string): boolean {
  if (real === root) return true
  return real.startsWith(`${root}/`) && !real.slice(root.length).includes('/.')
}

function openReal(file: string): OpenFile | { readonly kind: 'folder' | 'missing' } {
  // A pipe must not be waited for.
  const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
  const close = () => fs.closeSync(descriptor)
  try {
    const stat = fs.fstatSync(descriptor, { bigint: true })
    if (stat.isFile()) return { kind: 'file', descriptor, close, ...representationOf(stat) }
    close()
    return { kind: stat.isDirectory() ? 'folder' : 'missing' }
  } catch (caught) {
    close()
    throw caught
  }
}

function tryOpen(file: string): OpenFile | undefined {
  try {
    const opened = openReal(file)
    return opened.kind === 'file' ? opened : undefined
  } catch (caught) {
    if (isErrno(caught, ...missingErrors)) return undefined
    throw caught
  }
}

function representationOf(stat: fs.BigIntStats): Representation {
  return {
    etag: `"${stat.ino.toString(36)}-${stat.size.toString(36)}-${stat.mtimeNs.toString(36)}"`,
    modified: new Date(Math.floor(Number(stat.mtimeMs) / 1000) * 1000),
    sizeBytes: Number(stat.size),
  }
}
