import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { isErrno, ReleaseError } from '../core/error.ts'
import { type Representation, type Selection, select } from './conditional.ts'
import { Connections } from './connections.ts'
import { sendFile } from './send-file.ts'
import { ServedFolder } from './served-folder.ts'
import {
  type Answer,
  type Answerer,
  answerFromFolder,
  type BytesAnswer,
  type FileAnswer,
  type Headers,
  refuse,
} from './static-answer.ts'

/** A running server. */
export interface StaticServer {
  /** Such as `http://127.0.0.1:8080/`, with the port that the system chose. */
  readonly url: string
  /** Accept nobody any more, let answers that are on their way go on for so long, then break them off. */
  readonly close: (options?: { readonly graceMs: number }) => Promise<void>
}

/** One answered request, for those who watch. What the client sent is as it came. */
export interface ServedRequest {
  readonly method: string
  readonly path: string
  readonly status: number
  /** Of the answer with its head, as far as it was sent. */
  readonly sizeBytes: number
  readonly durationMs: number
}

/**
 * What a client may take of the server. Whoever holds more connections than this open keeps others out: that is for a
 * firewall or a proxy to prevent.
 */
export interface ServerLimits {
  readonly connections: number
  /** Requests that wait on one connection for those before them: apt sends ten. */
  readonly waiting: number
  /** For the head of a request. */
  readonly headMs: number
  /** For nothing to come or go. */
  readonly idleMs: number
  /** For half a mebibyte to be taken: a client that is slower (4 KiB/s) keeps a connection for nothing. */
  readonly pieceMs: number
}

const usualLimits: ServerLimits = {
  connections: 1024,
  waiting: 64,
  headMs: 10_000,
  idleMs: 60_000,
  pieceMs: 120_000,
}

/** Where to listen, and whom to tell of each request. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly onRequest?: ((request: ServedRequest) => void) | undefined
  readonly limits?: Partial<ServerLimits>
}

/** Serve a folder of files, read-only, as {@link startServer} does. Hidden names are never served, and a symbolic link only when it stays inside the folder. */
export function startStaticServer({
  root,
  ...options
}: ListenOptions & { readonly root: string }): Promise<StaticServer> {
  const folder = new ServedFolder(root)
  return startServer(request => answerFromFolder(folder, request), options)
}

/**
 * Serve what is answered, read-only: GET and HEAD, single ranges, ETag and Last-Modified with their conditions.
 *
 * Errors: LISTEN_FAILED. Source: RFC 9110 §13 (conditions), §14 (ranges).
 */
export async function startServer(answer: Answerer, options: ListenOptions): Promise<StaticServer> {
  const limits = { ...usualLimits, ...options.limits }
  const serving: Serving = { answer, onRequest: options.onRequest, limits }
  const connections = new Connections(limits.waiting)
  const server = http.createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: limits.headMs,
      requestTimeout: limits.headMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.headMs / 2,
    },
    (request, response) => connections.inTurn(response, () => respond(serving, request, response)),
  )
  server.on('connection', socket => connections.add(socket))
  server.maxConnections = limits.connections
  server.maxHeadersCount = 100
  server.timeout = limits.idleMs
  // Nobody is told to go on with a body: there is nothing that would take it.
  server.on('checkContinue', (request, response) => server.emit('request', request, response))
  await listen(server, options.host, options.port)
  const { address, port, family } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`,
    close: ({ graceMs } = { graceMs: 0 }) => close(server, connections, graceMs),
  }
}

function listen(server: http.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', caught => {
      const reason = isErrno(caught) ? caught.code : caught.message
      reject(
        new ReleaseError('LISTEN_FAILED', `cannot listen on ${host}, port ${port}: ${reason}`, {
          cause: caught,
          details: { host, port },
        }),
      )
    })
    server.listen({ port, host, backlog: 1024 }, resolve)
  })
}

async function close(server: http.Server, connections: Connections, graceMs: number): Promise<void> {
  const closed = new Promise(resolve => server.close(resolve))
  connections.close()
  const timer = setTimeout(() => server.closeAllConnections(), graceMs)
  if (graceMs === 0) server.closeAllConnections()
  await closed
  clearTimeout(timer)
}

/** What every answer takes. */
interface Serving extends Pick<ListenOptions, 'onRequest'> {
  readonly answer: Answerer
  readonly limits: ServerLimits
}

async function respond(
  { answer, onRequest, limits }: Serving,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { method = '', url = '', headers, socket } = request
  if (onRequest !== undefined) watch(request, response, onRequest)
  // A body is never read: the connection cannot go on behind it.
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0') {
    response.shouldKeepAlive = false
  }
  // Clients may send the whole address (RFC 9112 §3.2.2).
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '')
  const queryAt = target.indexOf('?')
  const path = queryAt < 0 ? target : target.slice(0, queryAt)
  let answered: Answer
  try {
    const pending = answer({ method, path, query: queryAt < 0 ? '' : target.slice(queryAt + 1), headers })
    answered = pending instanceof Promise ? await pending : pending
  } catch {
    answered = refuse(500)
  }
  if (answered.kind === 'bytes') sendBytes(response, answered)
  else if (socket.destroyed) answered.file.close()
  else await sendSelected(response, answered, limits)
}

function watch(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  onRequest: (request: ServedRequest) => void,
): void {
  const startedMs = performance.now()
  const { method = '', url = '', socket } = request
  const before = socket.bytesWritten
  response.on('close', () => {
    const sizeBytes = socket.bytesWritten - before
    onRequest({ method, path: url, status: response.statusCode, sizeBytes, durationMs: performance.now() - startedMs })
  })
}

function sendBytes(response: http.ServerResponse, { status, headers, bytes }: BytesAnswer): void {
  response.writeHead(status, { 'x-content-type-options': 'nosniff', 'content-length': bytes.byteLength, ...headers })
  response.end(response.req.method === 'HEAD' ? undefined : bytes)
}

async function sendSelected(
  response: http.ServerResponse,
  { file, headers }: FileAnswer,
  { pieceMs }: ServerLimits,
): Promise<void> {
  const request = response.req
  const representation = { ...file, etag: headers['etag'] ?? file.etag }
  const selection = select(request.headers, representation)
  const { status, start, end } = selection
  if (status === 412 || status === 416) {
    file.close()
    const range: Headers = status === 416 ? { 'content-range': `bytes */${representation.sizeBytes}` } : {}
    sendBytes(response, refuse(status, range))
    return
  }
  response.writeHead(status, headOf(selection, representation, headers))
  if (end > start && request.method === 'GET') {
    await sendFile(response, file, { start, end, pieceMs })
    return
  }
  file.close()
  response.end()
}

/** A file can change twice in a second: until that has passed, its time does not tell both states apart. Source: RFC 9110 §8.8.2.2. */
const isSettled = (modified: Date) => Math.abs(Date.now() - modified.getTime()) >= 2000

function headOf(
  { status, start, end }: Selection,
  { etag, modified, sizeBytes }: Representation,
  { 'content-type': contentType = 'application/octet-stream', ...headers }: Headers,
): http.OutgoingHttpHeaders {
  return {
    'x-content-type-options': 'nosniff',
    ...(isSettled(modified) ? { 'last-modified': modified.toUTCString() } : {}),
    'accept-ranges': 'bytes',
    ...headers,
    etag,
    ...(status === 206 ? { 'content-range': `bytes ${start}-${end - 1}/${sizeBytes}` } : {}),
    ...(status === 200 || status === 206 ? { 'content-type': contentType, 'content-length': String(end - start) } : {}),
  }
}
