import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { execute } from './exec.ts'
import { hasProcess } from './process.ts'

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

/** Whom a file belongs to. */
export interface FileOwner {
  readonly uid: number
  readonly gid: number
}

/**
 * Replace a file in one step: readers see the old bytes or the new ones.
 *
 * Post: with `durable` (the default) the new bytes and the name survive power loss, and what killed calls left beside it is gone.
 * Crash: at worst a temporary beside it, which nothing reads; see {@link removeTemporaries}.
 * Source: rename(2), fsync(2); the order write, fsync, rename, fsync(folder).
 */
export function writeFileAtomic(
  file: string,
  bytes: Uint8Array | string,
  options: { readonly mode?: number; readonly durable?: boolean; readonly owner?: FileOwner | undefined } = {},
): void {
  const isDurable = options.durable !== false
  replaceByRename(file, isDurable, temporary => {
    const descriptor = fs.openSync(temporary, 'wx', options.mode ?? 0o644)
    try {
      // A mode that was asked for is given whatever the umask says, and before the name is there.
      if (options.mode !== undefined) fs.fchmodSync(descriptor, options.mode)
      if (options.owner !== undefined) fs.fchownSync(descriptor, options.owner.uid, options.owner.gid)
      fs.writeFileSync(descriptor, bytes)
      if (isDurable) fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
  })
}

/** Point a symbolic link at a target in one step. Post: durable. Source: symlink(2), rename(2). */
export function replaceSymlink(link: string, target: string): void {
  replaceByRename(link, true, temporary => fs.symlinkSync(target, temporary))
}

function replaceByRename(file: string, isDurable: boolean, make: (temporary: string) => void): void {
  const temporary = temporaryOf(file)
  try {
    if (isDurable) removeTemporaries(file)
    make(temporary)
    fs.renameSync(temporary, file)
    if (isDurable) syncFolder(path.dirname(file))
  } catch (caught) {
    fs.rmSync(temporary, { force: true })
    throw toReleaseError(caught)
  }
}

/** Which machine a temporary is of: process ids mean nothing on another one that shares the folder. */
const machine = crc32(os.hostname()).toString(16)

/** `.NAME.MACHINE-PID-XXXX.tmp`: its name says who writes it, so that others know when nobody does any more. */
function temporaryOf(file: string): string {
  const own = `${machine}-${process.pid}-${randomBytes(4).toString('hex')}`
  return path.join(path.dirname(file), `.${path.basename(file)}.${own}.tmp`)
}

/** Remove what killed calls of {@link writeFileAtomic} and {@link replaceSymlink} left beside a file. */
export function removeTemporaries(file: string): void {
  const prefix = `.${path.basename(file)}.`
  for (const name of listFiles(path.dirname(file))) {
    if (!name.startsWith(prefix)) continue
    const [, madeOn, pid] = /^([0-9a-f]+)-(\d+)-[0-9a-f]+\.tmp$/.exec(name.slice(prefix.length)) ?? []
    // One that had our own number, as happens in containers, is gone.
    const isLeft = Number(pid) === process.pid || !hasProcess(Number(pid))
    if (madeOn === machine && isLeft) removeFile(path.join(path.dirname(file), name))
  }
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
    // No mode keeps root from it; and what root gives a mode to by its path may have become a link to something else.
    const isClosed = process.geteuid!() !== 0 && isErrno(caught, 'EACCES', 'EPERM', 'ENOTEMPTY')
    if (!isClosed) throw toReleaseError(caught)
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
