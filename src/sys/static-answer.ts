import http from 'node:http'
import { contentTypeOf } from './content-type.ts'
import { type OpenFile, parseAddress, type ServedFolder } from './served-folder.ts'

/** What is asked for. Nothing of it was checked. */
export interface StaticRequest {
  readonly method: string
  /** With its escapes, without the query. */
  readonly path: string
  readonly query: string
  readonly headers: http.IncomingHttpHeaders
}

/** Names in lower case. */
export type Headers = Readonly<Record<string, string>>

/** What is answered: a file, by whose bytes conditions and ranges go, or a few bytes. */
export type Answer = FileAnswer | BytesAnswer

/** The whole or a part of a file, as the request's conditions and range have it. */
export interface FileAnswer {
  readonly kind: 'file'
  readonly file: OpenFile
  /** With `content-type` and `cache-control`; an `etag` takes the place of the file's. */
  readonly headers: Headers
}

/** Bytes that are in memory. */
export interface BytesAnswer {
  readonly kind: 'bytes'
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
}

/** Decides what is answered, whatever the method is; whatever it throws becomes a 500. */
export type Answerer = (request: StaticRequest) => Answer | Promise<Answer>

/** Answer as a plain folder: its files, `index.html` for a folder with its slash, and the way to that slash. */
export function answerFromFolder(folder: ServedFolder, request: StaticRequest): Answer {
  if (!isRead(request)) return refuseMethod()
  const address = parseAddress(request.path)
  if (address.kind === 'malformed') return refuse(400)
  const file = folder.open(address.isFolder ? indexOf(address.key) : address.key)
  if (file.kind === 'folder' && !address.isFolder) return leadToSlash(folder, request.path, address.key)
  if (file.kind !== 'file') return refuse(404)
  const name = address.isFolder ? 'index.html' : address.key
  return { kind: 'file', file, headers: { 'content-type': contentTypeOf(name), 'cache-control': 'no-cache' } }
}

/** The page of a folder. */
export function indexOf(key: string): string {
  return key === '' ? 'index.html' : `${key}/index.html`
}

/** Lead from the name of a folder that has a page to that page, whose links are relative. */
export function leadToSlash(folder: ServedFolder, path: string, key: string): Answer {
  const index = folder.open(indexOf(key))
  if (index.kind !== 'file') return refuse(404)
  index.close()
  return refuse(301, { location: `${path}/` })
}

/** Tell whether a request asks for something, and for nothing to be done. */
export function isRead({ method }: StaticRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Refuse what would change something. */
export function refuseMethod(): Answer {
  return refuse(405, { allow: 'GET, HEAD' })
}

/** Answer that there is nothing, for people. */
export function refuse(status: number, headers: Headers = {}): BytesAnswer {
  const bytes = Buffer.from(`${status} ${http.STATUS_CODES[status]}\n`)
  return {
    kind: 'bytes',
    status,
    bytes,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache', ...headers },
  }
}
