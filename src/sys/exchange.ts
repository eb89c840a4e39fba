import { Readable } from 'node:stream'
import { ReleaseError } from '../core/error.ts'
import { readWhole } from './body.ts'
import { Pace, type PaceLimits } from './pace.ts'

/** A body that is sent as it is read. `pieces` starts anew whenever it is called, so that a request can be made again. */
export interface StreamedBody {
  readonly sizeBytes: number
  readonly pieces: () => AsyncIterable<Uint8Array>
}

export interface ExchangeOptions {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'MKCOL' | 'MOVE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | StreamedBody | undefined
  readonly signal?: AbortSignal
  /** The longest wait for the next bytes in either direction. */
  readonly idleTimeoutMs?: number
  /** The longest wait for the answer to what changes something, once all was handed over: a server may digest it first. */
  readonly answerTimeoutMs?: number
  /** How slow the server may be with its answer. */
  readonly pace?: PaceLimits
}

/** An answer of any status. Its body is read, or given up by `finish`: else its connection stays open. */
export interface Answer {
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly body: AsyncIterable<Uint8Array>
  /** Let the connection be used again when little is left to read, and close it otherwise. */
  readonly finish: () => Promise<void>
}

/** Less than what a new connection costs is read to its end and thrown away. */
const worthDrainingBytes = 64 * 1024

/**
 * Make one HTTP request and hand back its answer, whatever its status. Redirects are answers, too: who follows one decides what goes along.
 *
 * Post: nothing but `headers` is sent to the address besides a user agent and framing, through the proxy that the environment names.
 * Errors: HTTP_FAILED, with `details.errno` where the system gave one, HTTP_SLOW, PROXY_INVALID; message and cause hold neither query nor body,
 * for those of registries and object storage hold secrets. Source: RFC 9110 §9, §15.4.
 */
export async function exchange(url: URL, options: ExchangeOptions): Promise<Answer> {
  // Loaded late: commands that stay on this machine must not pay for it.
  const [{ default: fetch }, { agentFor }] = await Promise.all([import('node-fetch'), import('./agents.ts')])
  const patience = new Patience(options)
  try {
    options.signal?.throwIfAborted()
    if (!isStreamed(options.body) && options.method !== 'GET' && options.method !== 'HEAD') patience.await('answer')
    const response = await fetch(url, {
      method: options.method,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'cutover', ...headersOf(options) },
      body: bodyOf(options.body, patience),
      redirect: 'manual',
      compress: false,
      agent: agentFor(url),
      signal: patience.signal as never,
    })
    patience.await('bytes')
    const body = closing(received(response.body ?? Readable.from([]), url, patience), () => patience.close())
    const length = Number(response.headers.get('content-length') ?? Number.NaN)
    return {
      status: response.status,
      header: name => response.headers.get(name) ?? undefined,
      body,
      finish: () => finish(body, options.method === 'HEAD' ? 0 : length, patience),
    }
  } catch (caught) {
    patience.end()
    throw failure(url, caught, patience)
  }
}

/** Read the whole of a small body. Errors: HTTP_TOO_LARGE beyond `maxBytes`, HTTP_FAILED. */
export function readAnswer(answer: Answer, maxBytes: number, place: string): Promise<Buffer> {
  return readWhole(answer.body, maxBytes, place)
}

/** Write an address for people: without its query and without a user, which may be secrets. */
export function displayUrl(url: URL): string {
  return `${url.origin}${url.pathname}`
}

type Awaited = 'bytes' | 'answer'

/** What ends a wait: silence for too long, or whoever asked. */
class Patience {
  readonly #controller = new AbortController()
  readonly #options: ExchangeOptions
  readonly #pace: Pace
  #timer: NodeJS.Timeout
  #sinceMs = performance.now()
  readonly #forward = () => this.#controller.abort(this.#options.signal?.reason)

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#pace = new Pace(options.pace)
    this.#timer = this.#startTimer('bytes')
    options.signal?.addEventListener('abort', this.#forward, { once: true })
  }

  get pace(): PaceLimits {
    return this.#pace.limits
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Bytes have been sent. */
  touch(): void {
    this.#timer.refresh()
  }

  /** Bytes have come: until more are wanted nothing is waited for. Tells how fast they come when that is too slow. */
  arrived(sizeBytes: number): number | undefined {
    clearTimeout(this.#timer)
    return this.#pace.tooSlow(performance.now() - this.#sinceMs, sizeBytes)
  }

  /** From here on it is this that is waited for. */
  await(what: Awaited): void {
    clearTimeout(this.#timer)
    this.#sinceMs = performance.now()
    this.#timer = this.#startTimer(what)
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#forward)
  }

  close(): void {
    this.end()
    this.#controller.abort()
  }

  #startTimer(what: Awaited): NodeJS.Timeout {
    const { idleTimeoutMs = 30_000, answerTimeoutMs = 300_000 } = this.#options
    const timeoutMs = what === 'bytes' ? idleTimeoutMs : answerTimeoutMs
    return setTimeout(() => this.#controller.abort(new Error(`no ${what} for ${timeoutMs} ms`)), timeoutMs)
  }
}

function headersOf({ headers, body }: ExchangeOptions): Record<string, string> {
  return isStreamed(body) ? { ...headers, 'content-length': String(body.sizeBytes) } : { ...headers }
}

function isStreamed(body: ExchangeOptions['body']): body is StreamedBody {
  return body !== undefined && !(body instanceof Uint8Array)
}

function bodyOf(body: ExchangeOptions['body'], patience: Patience): Buffer | Readable | null {
  if (body === undefined) return null
  if (!isStreamed(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return Readable.from(sent(body, patience), { objectMode: false, highWaterMark: 1024 * 1024 })
}

async function* sent(body: StreamedBody, patience: Patience): AsyncGenerator<Uint8Array> {
  for await (const piece of body.pieces()) {
    patience.touch()
    yield piece
  }
  patience.await('answer')
}

async function* received(body: AsyncIterable<unknown>, url: URL, patience: Patience): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of body) {
      const arrived = piece as Uint8Array
      const bytesPerSecond = patience.arrived(arrived.byteLength)
      if (bytesPerSecond !== undefined) throw slow(url, bytesPerSecond, patience)
      yield arrived
      patience.await('bytes')
    }
  } catch (caught) {
    throw failure(url, caught, patience)
  } finally {
    patience.close()
  }
}

/** A generator that was never started would end without letting go of its connection. */
function closing(pieces: AsyncGenerator<Uint8Array>, close: () => void): AsyncIterable<Uint8Array> {
  const end = () => {
    close()
    return pieces.return(undefined)
  }
  return { [Symbol.asyncIterator]: () => ({ next: () => pieces.next(), return: end }) }
}

async function finish(body: AsyncIterable<Uint8Array>, sizeBytes: number, patience: Patience): Promise<void> {
  // The length of a body that is sent in chunks is not known.
  if (!(sizeBytes <= worthDrainingBytes)) return patience.close()
  for await (const _piece of body) {
    // Read to its end, the connection can be used again.
  }
}

function slow(url: URL, bytesPerSecond: number, { pace }: Patience): ReleaseError {
  const { leastBytesPerSecond, judgedAfterMs } = pace
  const message = `sent ${Math.round(bytesPerSecond)} bytes a second for ${judgedAfterMs} ms, expected ${leastBytesPerSecond}`
  return new ReleaseError('HTTP_SLOW', `${displayUrl(url)} ${message}`, {
    details: { url: displayUrl(url), bytesPerSecond: Math.round(bytesPerSecond) },
  })
}

function failure(url: URL, caught: unknown, patience: Patience): ReleaseError {
  if (caught instanceof ReleaseError) return caught
  const { code, erroredSysCall, type } = caught as Error & { code?: string; erroredSysCall?: string; type?: string }
  const { aborted, reason } = patience.signal
  const told = aborted && reason instanceof Error ? reason.message : undefined
  const system = [erroredSysCall, code].filter(word => word !== undefined).join(' ')
  // The message of a FetchError repeats the whole address, so it is neither shown nor kept as the cause.
  const said = type === undefined ? (caught as Error).message : `the connection failed (${type})`
  return new ReleaseError('HTTP_FAILED', `${displayUrl(url)}: ${told ?? (system === '' ? said : system)}`, {
    details: { url: displayUrl(url), errno: code },
  })
}
