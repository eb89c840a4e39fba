import { hash } from 'node:crypto'
import fs from 'node:fs'
import { Digester } from '../core/digest.ts'
import { isErrno, toReleaseError } from '../core/error.ts'
import { type ExpectedFile, shapeDifferences, type TreeDifference } from './tree-difference.ts'

/** One for all files, for a buffer of its own costs more than a small file does. */
const room = Buffer.allocUnsafeSlow(1024 * 1024)

/**
 * Compare a file with what it is to be: type, mode, owner, every byte.
 *
 * Post: what became a link or a pipe is neither followed nor waited for. Errors: FILE_IO.
 */
export function fileDifferences(
  name: string,
  file: ExpectedFile,
  ownerId: number | undefined,
): readonly TreeDifference[] {
  try {
    return openedDifferences(name, file, ownerId)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return [missing(file)]
    // A link, a socket, or a mode that keeps us out: then that is what differs.
    if (!isErrno(caught, 'ELOOP', 'ENXIO', 'EACCES')) throw toReleaseError(caught)
    return unopenedDifferences(name, file, ownerId)
  }
}

function openedDifferences(name: string, file: ExpectedFile, ownerId: number | undefined): readonly TreeDifference[] {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  const descriptor = fs.openSync(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const stat = fs.fstatSync(descriptor)
    const shape = shapeDifferences(file, stat, ownerId)
    if (!stat.isFile()) return shape
    if (stat.size !== file.sizeBytes) {
      return [...shape, changed(file, `${file.sizeBytes} bytes`, `${stat.size} bytes`)]
    }
    const found = contentDigest(descriptor, file.sizeBytes)
    return found === file.digest ? shape : [...shape, changed(file, file.digest, found)]
  } finally {
    fs.closeSync(descriptor)
  }
}

function unopenedDifferences(name: string, file: ExpectedFile, ownerId: number | undefined): readonly TreeDifference[] {
  const stat = fs.lstatSync(name, { throwIfNoEntry: false })
  if (stat === undefined) return [missing(file)]
  const shape = shapeDifferences(file, stat, ownerId)
  return stat.isFile() ? [...shape, changed(file, file.digest, 'not readable')] : shape
}

/** Most files are read in one go. Whoever makes one longer meanwhile is told by the digest of what was read. */
function contentDigest(descriptor: number, sizeBytes: number): string {
  const first = fs.readSync(descriptor, room)
  if (first === sizeBytes && first < room.byteLength) {
    return `sha256:${hash('sha256', room.subarray(0, first), 'hex')}`
  }
  const digester = new Digester().update(room.subarray(0, first))
  for (;;) {
    const readBytes = fs.readSync(descriptor, room)
    if (readBytes === 0) return digester.digest()
    digester.update(room.subarray(0, readBytes))
  }
}

function missing({ path }: ExpectedFile): TreeDifference {
  return { path, kind: 'missing', expected: 'file', found: '' }
}

function changed({ path }: ExpectedFile, expected: string, found: string): TreeDifference {
  return { path, kind: 'content', expected, found }
}
