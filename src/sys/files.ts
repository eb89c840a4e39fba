import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { execute } from './exec.ts'

const fsync = promisify(fs.fsync)

/** Read a text file, or undefined when it does not exist. Errors: FILE_IO for anything else. */
export function readTextIfExists(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return undefined
    throw toReleaseError(caught)
  }
}

/** List the names in a folder, sorted; none when it does not exist. */
export function listFiles(folder: string): readonly string[] {
  try {
    return fs.readdirSync(folder).sort()
  } catch (caught) {
    if (isErrno(caught, 'ENOENT')) return []
    throw toReleaseError(caught)
  }
}

/** Make a folder, with those above it; nothing happens when it is there. */
export function makeFolder(folder: string, options: { readonly mode?: number } = {}): void {
  try {
    fs.mkdirSync(folder, { recursive: true, ...options })
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

/** Remove a file; nothing happens when it is not there. */
export function removeFile(file: string): void {
  try {
    fs.rmSync(file, { force: true })
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

/**
 * Open a file to read it; undefined when there is none.
 *
 * Errors: FILE_IO, also for what is there instead of a file: a folder would fail without its name, a pipe would be waited for.
 */
export function openIfExists(file: string): number | undefined {
  const descriptor = tryOpen(file)
  if (descriptor === undefined || fs.fstatSync(descriptor).isFile()) return descriptor
  fs.closeSync(descriptor)
  throw new ReleaseError('FILE_IO', `${file} is no file`, {
    hint: 'find out who put something else there, and remove that',
    details: { path: file },
  })
}

function tryOpen(file: string): number | undefined {
  try {
    return fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return undefined
    throw toReleaseError(caught)
  }
}

/** Read the whole of a file. Errors: FILE_IO. */
export function readFile(file: string): Buffer {
  try {
    return fs.readFileSync(file)
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

/** Read and parse a JSON document. Errors: DOCUMENT_INVALID when it is missing or not JSON. */
export function readJson(file: string): unknown {
  const text = readTextIfExists(file)
  if (text === undefined)
    throw new ReleaseError('DOCUMENT_INVALID', `${file} does not exist`, { details: { path: file } })
  return parseJson(text, file)
}

/** Parse JSON that came from `place`. Errors: DOCUMENT_INVALID. */
export function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text)
  } catch (caught) {
    throw new ReleaseError('DOCUMENT_INVALID', `${place} is not JSON: ${(caught as Error).message}`, {
      cause: caught,
      details: { path: place },
    })
  }
}

/**
 * Replace a file in one step: readers see the old bytes or the new ones.
 *
 * Post: with `durable` (the default) the new bytes and the name survive power loss.
 * Crash: at worst a `.NAME.XXXX.tmp` beside it, which nothing reads.
 * Source: rename(2), fsync(2); the order write, fsync, rename, fsync(folder).
 */
export function writeFileAtomic(
  file: string,
  bytes: Uint8Array | string,
  options: { readonly mode?: number; readonly durable?: boolean } = {},
): void {
  const folder = path.dirname(file)
  const temporary = path.join(folder, `.${path.basename(file)}.${randomBytes(4).toString('hex')}.tmp`)
  try {
    const descriptor = fs.openSync(temporary, 'wx', options.mode ?? 0o644)
    try {
      fs.writeFileSync(descriptor, bytes)
      if (options.durable !== false) fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
    fs.renameSync(temporary, file)
    if (options.durable !== false) syncFolder(folder)
  } catch (caught) {
    fs.rmSync(temporary, { force: true })
    throw toReleaseError(caught)
  }
}

/** Remove what killed calls of {@link writeFileAtomic} left beside a file. Pre: nobody is writing it. */
export function removeTemporaries(file: string): void {
  const folder = path.dirname(file)
  const isTemporary = (name: string) => name.startsWith(`.${path.basename(file)}.`) && name.endsWith('.tmp')
  for (const name of listFiles(folder).filter(isTemporary)) removeFile(path.join(folder, name))
}

/** Make the names in a folder durable. Source: fsync(2), "an explicit fsync() on a file descriptor for the directory". */
export function syncFolder(folder: string): void {
  const descriptor = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

/**
 * Make the bytes of many files, or the names in many folders, durable. What is not there any more needs nothing.
 *
 * All at once, for a file system writes down together what waits together. Source: fsync(2).
 */
export async function syncAll(places: Iterable<string>): Promise<void> {
  await Promise.all(Array.from(places, syncPlace))
}

async function syncPlace(place: string): Promise<void> {
  let descriptor: number
  try {
    descriptor = fs.openSync(place, fs.constants.O_RDONLY)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT')) return
    throw toReleaseError(caught)
  }
  try {
    await fsync(descriptor)
  } catch (caught) {
    throw toReleaseError(caught)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Point a symbolic link at a target in one step. Post: durable. Source: symlink(2), rename(2). */
export function replaceSymlink(link: string, target: string): void {
  const temporary = path.join(path.dirname(link), `.${path.basename(link)}.${randomBytes(4).toString('hex')}.tmp`)
  try {
    fs.symlinkSync(target, temporary)
    fs.renameSync(temporary, link)
    syncFolder(path.dirname(link))
  } catch (caught) {
    fs.rmSync(temporary, { force: true })
    throw toReleaseError(caught)
  }
}

/** Read where a symbolic link points, or undefined when there is no such link. */
export function readLinkIfExists(link: string): string | undefined {
  try {
    return fs.readlinkSync(link)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'EINVAL', 'ENOTDIR')) return undefined
    throw toReleaseError(caught)
  }
}

/**
 * Make a whole tree durable with one system call for its file system, instead of an fsync per file.
 *
 * Source: syncfs(2) through coreutils' `sync -f`, for Node has no syncfs.
 */
export async function syncFileSystem(folder: string): Promise<void> {
  await execute(['sync', '-f', folder], { timeoutMs: 600_000 })
}

/** Remove a tree, read-only folders included; nothing happens when it is not there. */
export function removeTree(folder: string): void {
  try {
    fs.rmSync(folder, { recursive: true, force: true })
  } catch (caught) {
    if (!isErrno(caught, 'EACCES', 'EPERM', 'ENOTEMPTY')) throw toReleaseError(caught)
    makeWritable(folder)
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function makeWritable(folder: string): void {
  fs.chmodSync(folder, 0o700)
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(path.join(folder, entry.name))
  }
}
