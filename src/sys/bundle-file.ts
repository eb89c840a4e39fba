import fs from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import { type BundleEntry, indexTar } from './bundle-index.ts'
import { openIfExists } from './files.ts'
import type { ByteRange, OpenedBody } from './http.ts'

/** The protocol of addresses in bundles. */
export const bundleProtocol = 'bundle:'

/**
 * The address of a bundle, as that of the repository that is in it: keys are appended as to any other.
 *
 * Shape: `bundle:///DIR/FILE//KEY`. The empty name ends the path of the file, for neither a path nor a key has one.
 */
export function bundleAddress(file: string): string {
  return `${bundleProtocol}${pathToFileURL(path.resolve(file)).href.slice('file:'.length)}//`
}

/**
 * Open a file that is in a bundle, the whole or one range, as sys/http.ts opens addresses; undefined when it is not in there.
 *
 * What is in a bundle is as trustworthy as what comes from any server: nothing until it is verified.
 * Errors: BUNDLE_UNKNOWN (there is no such bundle), BUNDLE_INVALID, FILE_IO.
 */
export function openBundleEntry(url: string, range?: ByteRange): OpenedBody | undefined {
  const { file, key } = parseAddress(url)
  const descriptor = openBundle(file)
  let body: Readable | undefined
  try {
    const entry = indexOf(file, descriptor).get(key)
    if (entry === undefined) return undefined
    const start = Math.min(range?.start ?? 0, entry.sizeBytes)
    const end = Math.max(start, Math.min(range?.end ?? entry.sizeBytes, entry.sizeBytes))
    if (end > start) body = streamOf(file, descriptor, { start: entry.start + start, end: entry.start + end })
    return {
      status: range === undefined ? 200 : 206,
      sizeBytes: end - start,
      etag: undefined,
      body: body ?? Readable.from([]),
    }
  } finally {
    if (body === undefined) fs.closeSync(descriptor)
  }
}

/** List the files of a bundle with their sizes, in the order in which they stand in it. Errors: those of {@link openBundleEntry}. */
export function listBundle(file: string): ReadonlyMap<string, BundleEntry> {
  const descriptor = openBundle(path.resolve(file))
  try {
    return indexOf(path.resolve(file), descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

function streamOf(file: string, descriptor: number, { start, end }: ByteRange): Readable {
  return fs.createReadStream(file, { fd: descriptor, start, end: end - 1, highWaterMark: 1024 * 1024 })
}

/** Splits at the first empty name. */
function parseAddress(url: string): { readonly file: string; readonly key: string } {
  const [, file, key] = /^bundle:\/\/(.*?)\/\/(.*)$/s.exec(url) ?? []
  try {
    const parsed = { file: fileURLToPath(`file://${file ?? ''}`), key: decodeURIComponent(key ?? '') }
    if (isRelativePath(parsed.key)) return parsed
  } catch {
    // A path or a name that is encoded in a way that nothing can have: told below.
  }
  throw new ReleaseError('HTTP_FAILED', `${url} names no file in a bundle`, {
    hint: 'write bundle:///DIR/FILE//KEY',
    details: { url },
  })
}

function openBundle(file: string): number {
  const descriptor = openIfExists(file)
  if (descriptor !== undefined) return descriptor
  throw new ReleaseError('BUNDLE_UNKNOWN', `there is no bundle ${file}`, { details: { path: file } })
}

/** The indexes of bundles that were opened, by what tells one file from another: each is listed once. */
const indexes = new Map<string, ReadonlyMap<string, BundleEntry>>()

function indexOf(file: string, descriptor: number): ReadonlyMap<string, BundleEntry> {
  const { dev, ino, size, mtimeMs } = fs.fstatSync(descriptor)
  const identity = JSON.stringify([file, dev, ino, size, mtimeMs])
  const known = indexes.get(identity)
  if (known !== undefined) return known
  const index = indexTar({
    name: file,
    sizeBytes: size,
    readAt: (position, sizeBytes) => readAt(descriptor, position, sizeBytes),
  })
  indexes.set(identity, index)
  return index
}

function readAt(descriptor: number, position: number, sizeBytes: number): Buffer {
  const buffer = Buffer.alloc(sizeBytes)
  let filled = 0
  try {
    while (filled < sizeBytes) {
      const count = fs.readSync(descriptor, buffer, filled, sizeBytes - filled, position + filled)
      if (count === 0) break
      filled += count
    }
  } catch (caught) {
    throw toReleaseError(caught)
  }
  return buffer.subarray(0, filled)
}
