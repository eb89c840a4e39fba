import fs from 'node:fs'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type Digest, Digester } from '../core/digest.ts'
import { isErrno, toReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { isPayloadFile, type PayloadFile } from '../payload/payload-file.ts'
import type { LocalRelease } from './local-release.ts'

/** A file of the new release and the local file that should have its content. */
export interface ReusableFile {
  readonly file: PayloadFile
  readonly from: string
  /** Nobody needs it where it is. */
  readonly isLeftover: boolean
}

/** Find for each file of a manifest a local one with the same digest. Pure. The first release that has it is taken. */
export function planReuse(manifest: PayloadManifest, locals: readonly LocalRelease[]): readonly ReusableFile[] {
  const missing = new Map<Digest, PayloadFile[]>()
  for (const file of manifest.files.filter(isPayloadFile)) {
    const alike = missing.get(file.digest)
    if (alike === undefined) missing.set(file.digest, [file])
    else alike.push(file)
  }
  const found = new Map<PayloadFile, ReusableFile>()
  for (const { root, manifest: local, isLeftover = false } of locals) {
    for (const { path: name, digest } of local?.files.filter(isPayloadFile) ?? []) {
      for (const file of missing.get(digest) ?? []) found.set(file, { file, from: path.join(root, name), isLeftover })
      missing.delete(digest)
    }
    if (missing.size === 0) break
  }
  return manifest.files.filter(isPayloadFile).flatMap(file => found.get(file) ?? [])
}

/** How many bytes are copied between two turns of the event loop. */
const bytesPerTurn = 16 * 1024 * 1024
/** Up to this size a file is read, digested and written in one go; beyond it is cloned where the file system can. */
const smallFileBytes = 4 * 1024 * 1024

/**
 * Copy what can be reused into a folder, verifying every digest on the way.
 *
 * Copies share storage where the file system can (reflinks). Hard links would not do: a service that writes to a file of its release
 * would change both. Post: the paths that were written; a local file that is gone or has another content is left out, to be fetched.
 * Pre: the folders are there. Errors: FILE_IO, FILE_NO_SPACE, the signal's reason.
 */
export async function reuseFiles(
  reusable: readonly ReusableFile[],
  folder: string,
  options: { readonly onProgress?: (doneFiles: number) => void; readonly signal?: AbortSignal } = {},
): Promise<ReadonlySet<string>> {
  const reused = new Set<string>()
  const buffer = Buffer.allocUnsafeSlow(smallFileBytes)
  let bytesLeft = bytesPerTurn
  for (const [index, { file, from }] of reusable.entries()) {
    if (copyVerified(from, path.join(folder, file.path), file, buffer)) reused.add(file.path)
    bytesLeft -= file.sizeBytes + 4096
    if (bytesLeft > 0) continue
    bytesLeft = bytesPerTurn
    options.onProgress?.(index + 1)
    await setImmediate()
    options.signal?.throwIfAborted()
  }
  options.onProgress?.(reusable.length)
  return reused
}

function copyVerified(from: string, to: string, file: PayloadFile, buffer: Buffer): boolean {
  try {
    return file.sizeBytes <= buffer.byteLength ? copySmall(from, to, file, buffer) : copyLarge(from, to, file, buffer)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR')) return false
    throw toReleaseError(caught)
  }
}

function copySmall(from: string, to: string, file: PayloadFile, buffer: Buffer): boolean {
  const content = buffer.subarray(0, readInto(from, buffer))
  if (content.byteLength !== file.sizeBytes || new Digester().update(content).digest() !== file.digest) return false
  const descriptor = fs.openSync(to, 'wx', file.mode)
  try {
    for (let written = 0; written < content.byteLength; ) written += fs.writeSync(descriptor, content, written)
    fs.fchmodSync(descriptor, file.mode)
  } finally {
    fs.closeSync(descriptor)
  }
  return true
}

function copyLarge(from: string, to: string, file: PayloadFile, buffer: Buffer): boolean {
  if (!fs.lstatSync(from).isFile()) return false
  fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE | fs.constants.COPYFILE_EXCL)
  fs.chmodSync(to, file.mode)
  if (digestOfFile(to, buffer) === file.digest) return true
  fs.unlinkSync(to)
  return false
}

/** Read a file as far as the buffer goes, not through a symbolic link. */
function readInto(name: string, buffer: Buffer): number {
  const descriptor = fs.openSync(name, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
  try {
    let filled = 0
    while (filled < buffer.byteLength) {
      const readBytes = fs.readSync(descriptor, buffer, filled, buffer.byteLength - filled, filled)
      if (readBytes === 0) break
      filled += readBytes
    }
    return filled
  } finally {
    fs.closeSync(descriptor)
  }
}

function digestOfFile(name: string, buffer: Buffer): Digest {
  const descriptor = fs.openSync(name, 'r')
  try {
    const digester = new Digester()
    for (;;) {
      const readBytes = fs.readSync(descriptor, buffer, 0, buffer.byteLength, null)
      if (readBytes === 0) return digester.digest()
      digester.update(buffer.subarray(0, readBytes))
    }
  } finally {
    fs.closeSync(descriptor)
  }
}
