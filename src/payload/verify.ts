import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isErrno, toReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import type { FileEntry, PayloadManifest } from './manifest.ts'

/** How a tree differs from its manifest: paths, in byte order. */
export interface TreeDifference {
  readonly missing: readonly string[]
  /** Another type, content, mode or link target. */
  readonly changed: readonly string[]
  /** There, but not in the manifest; a folder stands for all below it. */
  readonly extra: readonly string[]
}

export interface VerifyOptions {
  readonly onProgress?: (doneFiles: number, totalFiles: number) => void
  /** Paths that may be there although the manifest does not list them, such as what setup makes. */
  readonly ignore?: (path: string) => boolean
  readonly signal?: AbortSignal
}

/** How many bytes are digested between two turns of the event loop. */
const bytesPerTurn = 16 * 1024 * 1024

/**
 * Compare a tree on disk with its manifest: types, modes, link targets, every byte, and what is there besides.
 *
 * Post: nothing is written. A link is never taken for what it points to; a folder that became one is reported as changed.
 * Errors: FILE_IO for what cannot be read, the signal's reason.
 */
export async function verifyTree(
  folder: string,
  manifest: PayloadManifest,
  options: VerifyOptions = {},
): Promise<TreeDifference> {
  const missing: string[] = []
  const changed: string[] = []
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024)
  const links = new Set<string>()
  let bytesLeft = bytesPerTurn
  for (const [index, entry] of manifest.files.entries()) {
    const isBelowLink = links.has(path.dirname(entry.path))
    const state = isBelowLink ? 'missing' : entryState(path.join(folder, entry.path), entry, buffer)
    if (entry.type === 'directory' && (isBelowLink || (state === 'changed' && isLink(path.join(folder, entry.path))))) {
      links.add(entry.path)
    }
    if (state === 'missing') missing.push(entry.path)
    if (state === 'changed') changed.push(entry.path)
    bytesLeft -= 4096 + (entry.type === 'file' ? entry.sizeBytes : 0)
    if (bytesLeft > 0) continue
    bytesLeft = bytesPerTurn
    options.onProgress?.(index + 1, manifest.files.length)
    await setImmediate()
    options.signal?.throwIfAborted()
  }
  options.onProgress?.(manifest.files.length, manifest.files.length)
  const extra = extraPaths(folder, manifest, options.ignore ?? (() => false))
  return { missing: missing.sort(compareBytes), changed: changed.sort(compareBytes), extra }
}

/** What is below a link is somewhere else, and not asked for. */
function isLink(name: string): boolean {
  return fs.lstatSync(name, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function entryState(name: string, entry: FileEntry, buffer: Buffer): 'same' | 'changed' | 'missing' {
  try {
    const stat = fs.lstatSync(name, { throwIfNoEntry: false })
    if (stat === undefined) return 'missing'
    if (entry.type === 'symlink') {
      return stat.isSymbolicLink() && fs.readlinkSync(name) === entry.linkTarget ? 'same' : 'changed'
    }
    if ((stat.mode & 0o7777) !== entry.mode) return 'changed'
    if (entry.type === 'directory') return stat.isDirectory() ? 'same' : 'changed'
    if (!stat.isFile() || stat.size !== entry.sizeBytes) return 'changed'
    return fileDigest(name, buffer) === entry.digest ? 'same' : 'changed'
  } catch (caught) {
    if (isErrno(caught, 'ENOTDIR')) return 'missing'
    throw toReleaseError(caught)
  }
}

/** What became a link or a pipe since it was looked at is neither followed nor waited for. */
function fileDigest(name: string, buffer: Buffer): string {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  const descriptor = fs.openSync(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const digest = createHash('sha256')
    for (;;) {
      const readBytes = fs.readSync(descriptor, buffer, 0, buffer.byteLength, null)
      if (readBytes === 0) return `sha256:${digest.digest('hex')}`
      digest.update(buffer.subarray(0, readBytes))
    }
  } finally {
    fs.closeSync(descriptor)
  }
}

function extraPaths(folder: string, manifest: PayloadManifest, ignore: (path: string) => boolean): string[] {
  const known = new Map(manifest.files.map(entry => [entry.path, entry.type]))
  const extra: string[] = []
  const walk = (below: string) => {
    for (const entry of fs.readdirSync(path.join(folder, below), { withFileTypes: true })) {
      const found = below === '' ? entry.name : `${below}/${entry.name}`
      const type = known.get(found)
      if (type === undefined && !ignore(found)) extra.push(found)
      if (type === 'directory' && entry.isDirectory()) walk(found)
    }
  }
  try {
    walk('')
  } catch (caught) {
    throw toReleaseError(caught)
  }
  return extra.sort(compareBytes)
}
