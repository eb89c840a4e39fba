import fs from 'node:fs'
import { promisify } from 'node:util'
import { Digester, digestOf } from '../../core/digest.ts'
import { toReleaseError } from '../../core/error.ts'
import { openIfExists } from '../../sys/files.ts'
import type { StoredObject } from '../target.ts'
import { nothingThere, tooLarge } from './conflict.ts'

const pieceBytes = 1024 * 1024
const read = promisify(fs.read)

/** A key of a folder, and the file that holds its bytes. */
export interface KeyedFile {
  readonly root: string
  readonly key: string
  readonly file: string
}

/** From here on it pays to remember a digest. */
const largeBytes = 64 * 1024
/** Longer than the tick that file systems take their times by: what is written twice within one looks unchanged. */
const settledMs = 100

/** Digests of large files that have not changed since, by what tells that: an index has several names, and is asked for again and again. */
const known = new Map<string, Promise<StoredObject>>()

/** Digest a file; undefined when there is none. Errors: FILE_IO. */
export async function digestFile(file: string): Promise<StoredObject | undefined> {
  const descriptor = openIfExists(file)
  if (descriptor === undefined) return undefined
  try {
    const stat = fs.fstatSync(descriptor, { bigint: true })
    if (stat.size < largeBytes) return digestWhole(descriptor)
    const identity = identityOf(stat)
    const digesting = known.get(identity)
    if (digesting !== undefined) return await digesting
    return await remember(identity, digestOpen(descriptor), Date.now() - Number(stat.mtimeMs) >= settledMs)
  } catch (caught) {
    throw toReleaseError(caught)
  } finally {
    fs.closeSync(descriptor)
  }
}

/**
 * Remember what was written to a file. Pre: nobody else knows the file yet, and nobody writes to it again: under another name it is the
 * same bytes. Whoever wants to know that they arrived reads them.
 */
export function rememberWritten(descriptor: number, written: StoredObject): void {
  if (written.sizeBytes < largeBytes) return
  known.set(identityOf(fs.fstatSync(descriptor, { bigint: true })), Promise.resolve(written))
}

function identityOf({ dev, ino, size, mtimeNs }: fs.BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs}`
}

/** Names that are asked for at once share one reading, whether its outcome stays known or not. */
async function remember(identity: string, digesting: Promise<StoredObject>, isSettled: boolean): Promise<StoredObject> {
  known.set(identity, digesting)
  let isKept = false
  try {
    const digested = await digesting
    isKept = isSettled
    return digested
  } finally {
    if (!isKept) known.delete(identity)
  }
}

function digestWhole(descriptor: number): StoredObject {
  const bytes = fs.readFileSync(descriptor)
  return { sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
}

async function digestOpen(descriptor: number): Promise<StoredObject> {
  const digester = new Digester()
  // One buffer for all pieces: large indexes would fill the memory with garbage.
  const buffer = Buffer.allocUnsafe(pieceBytes)
  for (let readBytes = -1; readBytes !== 0; ) {
    readBytes = (await read(descriptor, buffer, 0, pieceBytes, null)).bytesRead
    digester.update(buffer.subarray(0, readBytes))
  }
  return { sizeBytes: digester.sizeBytes, digest: digester.digest() }
}

/** Read a whole file; undefined when there is none. Errors: REPOSITORY_DAMAGED beyond `maxBytes`, FILE_IO. */
export function readBounded({ root, key, file }: KeyedFile, maxBytes: number): Buffer | undefined {
  const descriptor = openIfExists(file)
  if (descriptor === undefined) return undefined
  try {
    if (fs.fstatSync(descriptor).size > maxBytes) throw tooLarge(root, key, maxBytes)
    return fs.readFileSync(descriptor)
  } catch (caught) {
    throw toReleaseError(caught)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Read a file piece by piece, the one that is there now even when it is replaced meanwhile. Errors: REPOSITORY_DAMAGED, FILE_IO. */
export async function* readPieces({ root, key, file }: KeyedFile, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const descriptor = openIfExists(file)
  if (descriptor === undefined) throw nothingThere(root, key)
  try {
    for await (const piece of pieces(descriptor)) {
      signal?.throwIfAborted()
      yield piece
    }
  } finally {
    fs.closeSync(descriptor)
  }
}

/** A small file in one call: a stream costs more than its bytes. */
async function* pieces(descriptor: number): AsyncGenerator<Uint8Array> {
  try {
    if (fs.fstatSync(descriptor).size <= pieceBytes) yield fs.readFileSync(descriptor)
    else yield* fs.createReadStream('', { fd: descriptor, autoClose: false, highWaterMark: pieceBytes })
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
