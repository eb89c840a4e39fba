import fs from 'node:fs'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { ReleaseError } from '../core/error.ts'
import { openIfExists } from './files.ts'

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

const defaultIdleTimeoutMs = 30_000

/**
 * Open `http(s):`, `file:` or a file in a bundle (`bundle:`, see bundle-file.ts) for reading, the whole or one range.
 *
 * Post: a server without ranges answers 200 with the whole; the caller decides what to do with it.
 * Errors: HTTP_FAILED (address, status, connection cut, no bytes for `idleTimeoutMs`), FILE_IO.
 * Source: RFC 9110 §14 (ranges), §15.3.7 (206).
 */
export async function open(url: string, options: OpenOptions = {}): Promise<Opened> {
  const protocol = url.slice(0, url.indexOf(':') + 1)
  if (protocol === 'file:') return openFile(url, options.range)
  if (protocol === 'http:' || protocol === 'https:') return openHttp(url, options)
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

/** Read the whole of a body from a place. Errors: HTTP_TOO_LARGE beyond `maxBytes`; the body's own. */
export async function readWhole(body: AsyncIterable<Uint8Array>, maxBytes: number, url: string): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let sizeBytes = 0
  for await (const piece of body) {
    sizeBytes += piece.byteLength
    if (sizeBytes > maxBytes)
      throw new ReleaseError('HTTP_TOO_LARGE', `${url} is longer than the ${maxBytes} bytes that it may have`, {
        details: { url, maxBytes },
      })
    pieces.push(piece)
  }
  return Buffer.concat(pieces, sizeBytes)
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

async function openHttp(url: string, options: OpenOptions): Promise<Opened> {
  // Loaded late: commands that read local files must not pay for it.
  const { default: fetch } = await import('node-fetch')
  const idleTimeoutMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs
  const controller = new AbortController()
  const stalled = () => controller.abort(new Error(`no bytes for ${idleTimeoutMs} ms`))
  let timer = setTimeout(stalled, idleTimeoutMs)
  const forward = () => controller.abort(options.signal?.reason)
  options.signal?.addEventListener('abort', forward, { once: true })
  const finish = () => {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', forward)
  }
  try {
    options.signal?.throwIfAborted()
    const headers: Record<string, string> = {
      'accept-encoding': 'identity',
      'user-agent': 'cutover',
      ...options.headers,
    }
    if (options.range !== undefined) headers['range'] = `bytes=${options.range.start}-${options.range.end - 1}`
    const response = await fetch(url, { headers, signal: controller.signal as never, redirect: 'follow' })
    if (response.status === 404 || response.status === 410) {
      controller.abort()
      finish()
      return undefined
    }
    if (response.status !== 200 && response.status !== 206) {
      controller.abort()
      throw new ReleaseError('HTTP_FAILED', `${url} answered ${response.status} ${response.statusText}`, {
        details: { url, status: response.status },
      })
    }
    const length = response.headers.get('content-length')
    const body = response.body ?? Readable.from([])
    return {
      status: response.status,
      sizeBytes: length === null ? undefined : Number(length),
      etag: response.headers.get('etag') ?? undefined,
      body: watched(),
    }
    async function* watched(): AsyncGenerator<Uint8Array> {
      try {
        for await (const piece of body) {
          clearTimeout(timer)
          timer = setTimeout(stalled, idleTimeoutMs)
          yield piece as Uint8Array
        }
      } catch (caught) {
        throw failure(url, caught, controller.signal)
      } finally {
        finish()
        controller.abort()
      }
    }
  } catch (caught) {
    finish()
    throw failure(url, caught, controller.signal)
  }
}

function failure(url: string, caught: unknown, signal: AbortSignal): ReleaseError {
  if (caught instanceof ReleaseError) return caught
  const reason = signal.aborted && signal.reason instanceof Error ? signal.reason.message : reasonOf(caught as Error)
  return new ReleaseError('HTTP_FAILED', `${url}: ${reason}`, { cause: caught, details: { url } })
}

/** A FetchError of node-fetch repeats the address, and says nothing more where several were tried; its members say what happened. */
function reasonOf(error: Error & { readonly type?: string; readonly code?: string; readonly erroredSysCall?: string }) {
  if (error.type !== 'system' || error.code === undefined) return error.message
  return error.erroredSysCall === undefined ? error.code : `${error.erroredSysCall} ${error.code}`
}
