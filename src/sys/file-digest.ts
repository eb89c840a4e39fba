import fs from 'node:fs'
import { type Digest, Digester, digestOf } from '../core/digest.ts'
import { toReleaseError } from '../core/error.ts'
import { openIfExists } from './files.ts'

/** What a file was found to be. */
export interface FileDigest {
  readonly sizeBytes: number
  readonly digest: Digest
}

/** One for all files, for a buffer of its own costs more than a small file does. */
const room = Buffer.allocUnsafe(1024 * 1024)

/** Digest a file without giving anybody else a turn; undefined when there is none. Errors: FILE_IO. */
export function digestFileSync(file: string): FileDigest | undefined {
  const descriptor = openIfExists(file)
  if (descriptor === undefined) return undefined
  try {
    return digestDescriptor(descriptor)
  } catch (caught) {
    throw toReleaseError(caught)
  } finally {
    fs.closeSync(descriptor)
  }
}

function digestDescriptor(descriptor: number): FileDigest {
  const first = fs.readSync(descriptor, room)
  if (first < room.byteLength) return { sizeBytes: first, digest: digestOf(room.subarray(0, first)) }
  const digester = new Digester().update(room)
  for (;;) {
    const sizeBytes = fs.readSync(descriptor, room)
    if (sizeBytes === 0) return { sizeBytes: digester.sizeBytes, digest: digester.digest() }
    digester.update(room.subarray(0, sizeBytes))
  }
}
