import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { pipeline } from 'node:stream'
import { isErrno, ReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import { type Representation, select } from './conditional.ts'
import { contentTypeOf } from './content-type.ts'

/** A running server. `close` ends it at once, open downloads included. */
export interface StaticServer {
  /** Such as `http://127.0.0.1:8080/`, with the port that the system chose. */
  readonly url: string
  readonly close: () => Promise<void>
}

/** One answered request, for those who watch. */
export interface ServedRequest {
  readonly method: string
  readonly path: string
  readonly status: number
}

/**
 * Serve a folder of files, read-only: GET and HEAD, single ranges, ETag and Last-Modified with their conditions.
 *
 * Hidden names are never served, and a symbolic link only when it stays inside the folder.
 * Errors: LISTEN_FAILED. Source: RFC 9110 §13 (conditions), §14 (ranges).
 */
export async function startStaticServer(options: {
  readonly root: string
  readonly host: string
  readonly port: number
  readonly onRequest?: (request: ServedRequest) => void
}): Promise<StaticServer> {
  const root = fs.realpathSync(options.root)
  const server = http.createServer((request, response) => {
    const { method = '', url = '' } = request
    response.on('close', () => options.onRequest?.({ method, path: url, status: response.statusCode }))
    answer(root, request, response)
  })
  await listen(server, options.host, options.port)
  const { address, port, family } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
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
    server.listen(port, host, resolve)
  })
}

function answer(root: string, request: http.IncomingMessage, response: http.ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    refuse(response, 405)
    return
  }
  // Clients may send the whole address (RFC 9112 §3.2.2).
  const [address = ''] = (request.url ?? '').replace(/^https?:\/\/[^/]*/, '').split('?', 1)
  const place = findFile(root, address)
  if (place.kind === 'folder') response.setHeader('location', `${address}/`)
  if (place.kind === 'file') sendFile(place.file, request, response)
  else refuse(response, refusals[place.kind])
}

const refusals = { missing: 404, malformed: 400, folder: 301 } as const

type Place = { readonly kind: 'missing' | 'malformed' | 'folder' } | { readonly kind: 'file'; readonly file: string }

function findFile(root: string, address: string): Place {
  let decoded: string
  try {
    decoded = decodeURIComponent(address)
  } catch {
    return { kind: 'malformed' }
  }
  if (!decoded.startsWith('/')) return { kind: 'malformed' }
  const inFolder = decoded.endsWith('/')
  const key = decoded.slice(1, inFolder && decoded.length > 1 ? -1 : undefined)
  if (key !== '' && (!isRelativePath(key) || key.split('/').some(name => name.startsWith('.')))) {
    return { kind: 'missing' }
  }
  const real = realPath(path.join(root, key))
  if (real === undefined || !isInside(root, real)) return { kind: 'missing' }
  if (!fs.statSync(real).isDirectory()) return inFolder ? { kind: 'missing' } : { kind: 'file', file: real }
  const index = realPath(path.join(real, 'index.html'))
  if (index === undefined || !isInside(root, index)) return { kind: 'missing' }
  return inFolder ? { kind: 'file', file: index } : { kind: 'folder' }
}

function realPath(file: string): string | undefined {
  try {
    return fs.realpathSync(file)
  } catch {
    return undefined
  }
}

/** A link into a hidden folder counts as leaving. */
function isInside(root: string, real: string): boolean {
  if (real === root) return true
  return real.startsWith(`${root}/`) && !real.slice(root.length).includes('/.')
}

function sendFile(file: string, request: http.IncomingMessage, response: http.ServerResponse): void {
  const opened = openRegular(file)
  if (opened === undefined) {
    refuse(response, 404)
    return
  }
  const { descriptor, representation } = opened
  const { status, start, end } = select(request.headers, representation)
  response.setHeader('etag', representation.etag)
  response.setHeader('last-modified', representation.modified.toUTCString())
  response.setHeader('cache-control', 'no-cache')
  response.setHeader('accept-ranges', 'bytes')
  if (status === 206) response.setHeader('content-range', `bytes ${start}-${end - 1}/${representation.sizeBytes}`)
  if (status === 416) response.setHeader('content-range', `bytes */${representation.sizeBytes}`)
  if (status === 200 || status === 206) {
    response.setHeader('content-type', contentTypeOf(file))
    response.setHeader('content-length', end - start)
  }
  response.statusCode = status
  if (end > start && request.method === 'GET') {
    const body = fs.createReadStream(file, { fd: descriptor, start, end: end - 1, highWaterMark: 256 * 1024 })
    // A client that goes away ends its download; nobody is left to tell.
    pipeline(body, response, () => {})
    return
  }
  fs.closeSync(descriptor)
  if (status === 416) refuse(response, status)
  else response.end()
}

function openRegular(
  file: string,
): { readonly descriptor: number; readonly representation: Representation } | undefined {
  try {
    const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
    const stat = fs.fstatSync(descriptor, { bigint: true })
    if (stat.isFile()) return { descriptor, representation: representationOf(stat) }
    fs.closeSync(descriptor)
    return undefined
  } catch {
    // Gone, or not ours to read: to a client both are "not here".
    return undefined
  }
}

/** Files are replaced by renaming, so that an inode never changes its content. */
function representationOf(stat: fs.BigIntStats): Representation {
  return {
    etag: `"${stat.ino.toString(36)}-${stat.size.toString(36)}-${stat.mtimeNs.toString(36)}"`,
    modified: new Date(Math.floor(Number(stat.mtimeMs) / 1000) * 1000),
    sizeBytes: Number(stat.size),
  }
}

function refuse(response: http.ServerResponse, status: number): void {
  const text = `${status} ${http.STATUS_CODES[status]}\n`
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': text.length })
  response.end(response.req.method === 'HEAD' ? undefined : text)
}
