import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { type Digest, Digester } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { tarEndBytes, tarHeaderBytes, tarPadded, writeTarHeader } from '../payload/tar.ts'
import { removeFile, syncFolder } from '../sys/files.ts'
import type { BundleFile } from './bundle.ts'
import type { StoredObject, TargetReader } from './target.ts'

/** What a bundle is written with. */
export interface BundleWriting {
  readonly files: readonly BundleFile[]
  /** Where files come from whose bytes are not at hand. */
  readonly target: TargetReader
  /** The time that all members get, in seconds since 1970. */
  readonly mtimeSeconds: number
  /** Told after each piece how many bytes of content have been written. */
  readonly onProgress: (key: string, doneBytes: number) => void
  readonly signal: AbortSignal
}

/** A bundle that has not got its name yet. */
export interface WrittenBundle extends StoredObject, Disposable {
  /** Where it is until then. */
  readonly temporary: string
  /** Give it its name, in place of what had it before. Post: durable. */
  readonly complete: () => void
}

/**
 * Write a bundle beside the place where it is to be: a tar of plain files, the same bytes for the same files.
 *
 * Post: every file has the digest that it must have; whoever disposes of an incomplete bundle removes it.
 * Errors: TRUST_MISMATCH (the repository has other bytes), REPOSITORY_DAMAGED (it lacks one), FILE_IO, FILE_NO_SPACE.
 * Crash: at worst a `.NAME.XXXX.tmp` beside it, which nothing reads.
 */
export async function writeBundle(file: string, writing: BundleWriting): Promise<WrittenBundle> {
  const name = `.${path.basename(file)}.${randomBytes(4).toString('hex')}.tmp`
  const temporary = path.join(path.dirname(file), name)
  try {
    const stored = await writeTemporary(temporary, writing)
    return {
      ...stored,
      temporary,
      complete: () => putInPlace(temporary, file),
      [Symbol.dispose]: () => removeFile(temporary),
    }
  } catch (caught) {
    removeFile(temporary)
    throw toReleaseError(caught)
  }
}

async function writeTemporary(temporary: string, writing: BundleWriting): Promise<StoredObject> {
  const descriptor = fs.openSync(temporary, 'wx', 0o644)
  try {
    const digester = new Digester()
    for await (const piece of tarOf(writing)) {
      writing.signal.throwIfAborted()
      digester.update(piece)
      writeAll(descriptor, piece)
    }
    fs.fsyncSync(descriptor)
    return { sizeBytes: digester.sizeBytes, digest: digester.digest() }
  } finally {
    fs.closeSync(descriptor)
  }
}

async function* tarOf(writing: BundleWriting): AsyncGenerator<Uint8Array> {
  let doneBytes = 0
  for (const file of writing.files) {
    const entry = { type: 'file', name: file.key, mode: 0o644, sizeBytes: file.sizeBytes } as const
    const header = Buffer.alloc(tarHeaderBytes(entry))
    writeTarHeader(header, 0, entry, writing.mtimeSeconds)
    yield header
    for await (const piece of verifiedContent(file, writing)) {
      yield piece
      doneBytes += piece.byteLength
      writing.onProgress(file.key, doneBytes)
    }
    yield Buffer.alloc(tarPadded(file.sizeBytes) - file.sizeBytes)
  }
  yield Buffer.alloc(tarEndBytes)
}

async function* verifiedContent(file: BundleFile, { target, signal }: BundleWriting): AsyncGenerator<Uint8Array> {
  if (file.bytes !== undefined) {
    yield file.bytes
    return
  }
  const digester = new Digester()
  for await (const piece of target.read(file.key, signal)) {
    digester.update(piece)
    if (digester.sizeBytes > file.sizeBytes) throw otherBytes(target, file, `more than ${file.sizeBytes} bytes`)
    yield piece
  }
  const found: Digest = digester.digest()
  if (found !== file.digest) throw otherBytes(target, file, found)
}

function otherBytes({ name }: TargetReader, { key, digest }: BundleFile, found: string): ReleaseError {
  return new ReleaseError('TRUST_MISMATCH', `${key} in ${name} has ${found}, expected ${digest}`, {
    hint: 'look at its storage: `release reindex` tells what differs',
    details: { key, found, expected: digest },
  })
}

function writeAll(descriptor: number, piece: Uint8Array): void {
  let at = 0
  while (at < piece.byteLength) at += fs.writeSync(descriptor, piece, at)
}

function putInPlace(temporary: string, file: string): void {
  try {
    fs.renameSync(temporary, file)
    syncFolder(path.dirname(file))
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
