import fs from 'node:fs'
import { type Digest, Digester, digestOf } from '../core/digest.ts'
import { isErrno, toReleaseError } from '../core/error.ts'
import type { PayloadFile } from './payload-file.ts'

/**
 * How a file that is on this machine gets to another place: as a second name of the same file, as a copy (which shares storage where the
 * file system can), or away from where it is.
 */
export type PlacingWay = 'link' | 'copy' | 'move'

/** A file of a payload and where its content should be. */
export interface LocalFile {
  readonly file: Pick<PayloadFile, 'path' | 'mode' | 'sizeBytes' | 'digest'>
  readonly from: string
  readonly way: PlacingWay
}

export interface PlacingOptions {
  /** The payload's root; the folders of its files are there. */
  readonly folder: string
  readonly mtimeSeconds: number
}

/** Up to this size a file is read, digested and written in one go; beyond it is cloned where the file system can. */
const smallFileBytes = 4 * 1024 * 1024
/** One for all files of a thread, for a buffer of its own costs more than a small file does. */
const room = Buffer.allocUnsafeSlow(smallFileBytes + 1)
const readFlags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK

/**
 * Put a file in its place, and verify what is there then.
 *
 * Post: the way that was gone, and the place has a file with the digest and mode of the manifest, owned by us; or undefined, and nothing is
 * there: the local file is gone or is another one. A copy has the time of the release; a link has that of the release that it comes from. What
 * cannot be linked (another mode or owner, another file system, too many names) is copied. Errors: FILE_IO, FILE_NO_SPACE.
 */
export function placeLocalFile(local: LocalFile, options: PlacingOptions): PlacingWay | undefined {
  const to = `${options.folder}/${local.file.path}`
  try {
    if (local.way === 'link' && linkVerified(local, to)) return 'link'
    if (local.way === 'move') return moveVerified(local, to, options) ? 'move' : undefined
    return copyVerified(local, to, options) ? 'copy' : undefined
  } catch (caught) {
    // Of a symbolic link there may be a second name now.
    fs.rmSync(to, { recursive: true, force: true })
    if (isErrno(caught, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EACCES')) return undefined
    throw toReleaseError(caught)
  }
}

/** The name is made first: what is verified is what stays, whatever happens to the old name meanwhile. */
function linkVerified({ file, from }: LocalFile, to: string): boolean {
  try {
    fs.linkSync(from, to)
  } catch (caught) {
    if (isErrno(caught, 'EXDEV', 'EMLINK', 'EPERM')) return false
    throw caught
  }
  const isSame = withOpen(to, (descriptor, stat) => isOurs(stat, file.mode) && hasContent(descriptor, stat, file))
  if (isSame !== true) fs.unlinkSync(to)
  return isSame === true
}

function moveVerified({ file, from }: LocalFile, to: string, { mtimeSeconds }: PlacingOptions): boolean {
  fs.renameSync(from, to)
  const isMoved = withOpen(to, (descriptor, stat) => {
    // What has another name belongs to another release as well.
    if (stat.nlink > 1 || stat.uid !== process.geteuid!() || !hasContent(descriptor, stat, file)) return false
    fs.fchmodSync(descriptor, file.mode)
    fs.futimesSync(descriptor, mtimeSeconds, mtimeSeconds)
    return true
  })
  if (isMoved !== true) fs.rmSync(to, { recursive: true, force: true })
  return isMoved === true
}

function copyVerified(local: LocalFile, to: string, options: PlacingOptions): boolean {
  return local.file.sizeBytes <= smallFileBytes ? copySmall(local, to, options) : copyLarge(local, to, options)
}

function copySmall({ file, from }: LocalFile, to: string, { mtimeSeconds }: PlacingOptions): boolean {
  const content = withOpen(from, descriptor => room.subarray(0, readInto(descriptor, room)))
  if (content === undefined || content.byteLength !== file.sizeBytes || digestOf(content) !== file.digest) return false
  const descriptor = fs.openSync(to, 'wx', file.mode)
  try {
    for (let written = 0; written < content.byteLength; ) written += fs.writeSync(descriptor, content, written)
    fs.fchmodSync(descriptor, file.mode)
    fs.futimesSync(descriptor, mtimeSeconds, mtimeSeconds)
  } finally {
    fs.closeSync(descriptor)
  }
  return true
}

function copyLarge({ file, from }: LocalFile, to: string, { mtimeSeconds }: PlacingOptions): boolean {
  if (!fs.lstatSync(from).isFile()) return false
  fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE | fs.constants.COPYFILE_EXCL)
  const isSame = withOpen(to, (descriptor, stat) => {
    fs.fchmodSync(descriptor, file.mode)
    fs.futimesSync(descriptor, mtimeSeconds, mtimeSeconds)
    return hasContent(descriptor, stat, file)
  })
  if (isSame !== true) fs.unlinkSync(to)
  return isSame === true
}

/** Look at a file; undefined when it is none. */
function withOpen<T>(name: string, look: (descriptor: number, stat: fs.Stats) => T): T | undefined {
  const descriptor = fs.openSync(name, readFlags)
  try {
    const stat = fs.fstatSync(descriptor)
    return stat.isFile() ? look(descriptor, stat) : undefined
  } finally {
    fs.closeSync(descriptor)
  }
}

function isOurs(stat: fs.Stats, mode: number): boolean {
  return stat.uid === process.geteuid!() && (stat.mode & 0o7777) === mode
}

function hasContent(descriptor: number, stat: fs.Stats, file: LocalFile['file']): boolean {
  if (stat.size !== file.sizeBytes) return false
  const first = readInto(descriptor, room)
  if (first < room.byteLength) return first === file.sizeBytes && digestOf(room.subarray(0, first)) === file.digest
  return restDigest(descriptor, new Digester().update(room)) === file.digest
}

function restDigest(descriptor: number, digester: Digester): Digest {
  for (;;) {
    const readBytes = fs.readSync(descriptor, room, 0, room.byteLength, null)
    if (readBytes === 0) return digester.digest()
    digester.update(room.subarray(0, readBytes))
  }
}

/** Read from where a file stands, as far as the buffer goes. */
function readInto(descriptor: number, buffer: Buffer): number {
  let filled = 0
  while (filled < buffer.byteLength) {
    const readBytes = fs.readSync(descriptor, buffer, filled, buffer.byteLength - filled, null)
    if (readBytes === 0) break
    filled += readBytes
  }
  return filled
}
