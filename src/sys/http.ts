import fs from 'node:fs'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { ReleaseError } from '../core/error.ts'
import { readWhole } from './body.ts'
import { openIfExists } from './files.ts'
import type { PaceLimits } from './pace.ts'
import { isPassingFailure, Perseverance, type RetryTools } from './retry.ts'

/** A stretch of bytes, `end` not included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface OpenOptions {
  readonly range?: ByteRange
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** The longest wait for the next bytes, the first included. */
  readonly idleTimeoutMs?: number
  /** How slow the server may be. */
  readonly pace?: PaceLimits
}

/** An answer that has begun: status and headers are known, the body is still to be read. */
export interface OpenedBody {
  /** 200 for the whole, 206 for the range that was asked for. `file:` answers the same. */
  readonly status: 200 | 206
  readonly sizeBytes: number | undefined
  readonly etag: string | undefined
  readonly body: AsyncIterable<Uint8Array>
}

/** What a GET came to: the body, or that there is no such thing (404, 410, ENOENT). Anything else throws. */
export type Opened = OpenedBody | undefined

/** How often something small is read before it is given up. */
const attempts = 3

/**
 * Open `http(s):`, `file:` or a file in a bundle (`bundle:`, see bundle-file.ts) for reading, the whole or one range.
 *
 * Post: a server without ranges answers 200 with the whole; the caller decides what to do with it.
 * Errors: HTTP_FAILED (address, status, connection cut, no bytes for `idleTimeoutMs`), HTTP_SLOW, HTTP_REDIRECT, HTTP_ENCODED, FILE_IO.
 * Source: RFC 9110 §14 (ranges), §15.3.7 (206).
 */
export async function open(url: string, options: OpenOptions = {}): Promise<Opened> {
  const protocol = url.slice(0, url.indexOf(':') + 1)
  if (protocol === 'file:') return openFile(url, options.range)
  // Loaded late: commands that read local files must not pay for it.
  if (protocol === 'http:' || protocol === 'https:') return (await import('./get.ts')).openHttp(url, options)
  // Loaded late: hardly any command reads a bundle.
  if (protocol === 'bundle:') return (await import('./bundle-file.ts')).openBundleEntry(url, options.range)
  throw new ReleaseError('HTTP_FAILED', `${url} has a protocol that cannot be read`, {
    hint: 'use http:, https: or file:',
    details: { url },
  })
}

/** Read the whole of something small. Errors: those of {@link open}, HTTP_TOO_LARGE beyond `maxBytes`. */
export async function readBytes(url: string, maxBytes: number, options: OpenOptions = {}): Promise<Buffer | undefined> {
  const opened = await open(url, options)
  return opened === undefined ? undefined : await readWhole(opened.body, maxBytes, url)
}

/** Read as {@link readBytes} does, a few times where a failure may pass. */
export async function readPersistently(
  url: string,
  maxBytes: number,
  { retryTools, ...options }: OpenOptions & { readonly retryTools?: RetryTools | undefined } = {},
): Promise<Buffer | undefined> {
  const perseverance = new Perseverance(attempts, retryTools)
  for (;;) {
    try {
      return await readBytes(url, maxBytes, options)
    } catch (caught) {
      if (options.signal?.aborted || !isPassingFailure(caught)) throw caught
      await perseverance.afterFailure(caught, options.signal)
    }
  }
}

/** Put a relative key behind a repository's address, each segment percent-encoded. */
export function resolveUrl(base: string, key: string): string {
  const encoded = key.split('/').map(encodeURIComponent).join('/')
  return `${base.endsWith('/') ? base : `${base}/`}${encoded}`
}

function openFile(url: string, range: ByteRange | undefined): Opened {
  const file = fileURLToPath(url)
  const descriptor = openIfExists(file)
  if (descriptor === undefined) return undefined
  const { size } = fs.fstatSync(descriptor)
  const { start, end } = range ?? { start: 0, end: size }
  const isEmpty = end <= start
  if (isEmpty) fs.closeSync(descriptor)
  return {
    status: range === undefined ? 200 : 206,
    sizeBytes: Math.max(0, Math.min(end, size) - start),
    etag: undefined,
    body: isEmpty
      ? Readable.from([])
      : fs.createReadStream(file, { fd: descriptor, start, end: end - 1, highWaterMark: 1024 * 1024 }),
  }
}
