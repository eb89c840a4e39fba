import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { readRange } from '../envelope/input.ts'
import { open } from '../sys/http.ts'

/** A file here or on a server, of which any stretch can be read. */
export interface StoredFile {
  /** The place as people write it. */
  readonly name: string
  /** `file:`, `http:` or `https:`. */
  readonly url: string
  readonly sizeBytes: number
  /** Read a stretch, or as much of it as is there. Errors: FILE_IO, HTTP_FAILED. */
  readonly read: (stretch: { readonly offset: number; readonly sizeBytes: number }) => Promise<Buffer>
}

/** A stored manifest or delta pack is at most so long when it is read at once: what two million files take. */
export const largestStoredBytes = 128 * 1024 * 1024

/** Tell an address from a path. */
export function isAddress(place: string): boolean {
  return /^https?:\/\//.test(place)
}

/**
 * Open a file, or an address that is read by ranges; undefined when there is no such thing.
 *
 * Errors: INSPECT_UNKNOWN (a device, a pipe), FILE_IO, HTTP_FAILED (also from a server without ranges).
 */
export async function openStored(cwd: string, place: string, signal: AbortSignal): Promise<StoredFile | undefined> {
  return isAddress(place) ? openRemote(place, signal) : openLocal(path.resolve(cwd, place))
}

function openLocal(file: string): StoredFile | undefined {
  let stat: fs.Stats | undefined
  try {
    stat = fs.statSync(file, { throwIfNoEntry: false })
  } catch (caught) {
    throw toReleaseError(caught)
  }
  if (stat === undefined) return undefined
  // Whoever opens a pipe waits for its writer.
  if (!stat.isFile()) {
    throw new ReleaseError('INSPECT_UNKNOWN', `${file} is no regular file`, { details: { path: file } })
  }
  const { size: sizeBytes } = stat
  const url = pathToFileURL(file).href
  return { name: file, url, sizeBytes, read: async stretch => readRange({ file, ...stretch }) }
}

async function openRemote(url: string, signal: AbortSignal): Promise<StoredFile | undefined> {
  const opened = await open(url, { signal })
  if (opened === undefined) return undefined
  const { sizeBytes } = opened
  // Only its size is wanted here: one piece is taken, for only a body that has begun can be let go of.
  for await (const _ of opened.body) break
  if (sizeBytes === undefined || !Number.isSafeInteger(sizeBytes)) throw remoteError(url, 'does not say its size')
  const read: StoredFile['read'] = ({ offset, sizeBytes: wanted }) =>
    readRemote(url, { offset, sizeBytes: Math.max(0, Math.min(wanted, sizeBytes - offset)) }, signal)
  return { name: url, url, sizeBytes, read }
}

async function readRemote(
  url: string,
  { offset, sizeBytes }: { readonly offset: number; readonly sizeBytes: number },
  signal: AbortSignal,
): Promise<Buffer> {
  if (sizeBytes === 0) return Buffer.alloc(0)
  const opened = await open(url, { range: { start: offset, end: offset + sizeBytes }, signal })
  if (opened === undefined) throw remoteError(url, 'is gone')
  const pieces: Uint8Array[] = []
  let readBytes = 0
  for await (const piece of opened.body) {
    if (opened.status !== 206) throw remoteError(url, 'is sent by a server without ranges')
    pieces.push(piece)
    readBytes += piece.byteLength
    if (readBytes >= sizeBytes) break
  }
  return Buffer.concat(pieces).subarray(0, sizeBytes)
}

function remoteError(url: string, problem: string): ReleaseError {
  return new ReleaseError('HTTP_FAILED', `${url} ${problem}`, {
    hint: 'fetch it, and run `release inspect` on the file',
    details: { url },
  })
}
