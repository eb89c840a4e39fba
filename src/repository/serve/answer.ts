import { contentTypeOf } from '../../sys/content-type.ts'
import { parseAddress, type ServedFolder } from '../../sys/served-folder.ts'
import {
  type Answer,
  type Answerer,
  type Headers,
  indexOf,
  isRead,
  leadToSlash,
  refuse,
  refuseMethod,
  type StaticRequest,
} from '../../sys/static-server.ts'
import { cacheControlOf, sharedPath, snapshotPrefix } from './caching.ts'
import { pythonJsonType, wantsJson } from './negotiate.ts'
import { openRegistry } from './registry.ts'

/** Answer requests for a repository: its files, Python's index in the form that is asked for, its dated states, its images as a registry has them. */
export function answerRepository(folder: ServedFolder): Answerer {
  const registry = openRegistry(folder)
  return request => (/^\/v2(?:\/|$)/.test(request.path) ? registry(request) : answerFile(folder, request))
}

/** A file that may be what was asked for. */
interface Candidate {
  readonly key: string
  readonly headers?: Headers
}

function answerFile(folder: ServedFolder, request: StaticRequest): Answer {
  if (!isRead(request)) return refuseMethod()
  const address = parseAddress(request.path)
  if (address.kind === 'malformed') return refuse(400)
  const { key, isFolder } = address
  for (const candidate of isFolder ? pagesOf(key, request.headers.accept) : placesOf(key)) {
    const file = folder.open(candidate.key)
    if (file.kind === 'folder' && !isFolder) return leadToSlash(folder, request.path, key)
    if (file.kind === 'file') {
      return { kind: 'file', file, headers: { ...headersOf(candidate.key), ...candidate.headers } }
    }
  }
  return refuse(404)
}

const inSimple = /^simple(?:\/|$)/
const jsonHeaders: Headers = { 'content-type': pythonJsonType }

function pagesOf(key: string, accept: string | undefined): readonly Candidate[] {
  const page = { key: indexOf(key) }
  if (!inSimple.test(key)) return [page]
  const headers: Headers = { vary: 'accept' }
  const json = { key: `${key}/index.json`, headers: { ...headers, ...jsonHeaders } }
  return wantsJson(accept) ? [json, { ...page, headers }] : [{ ...page, headers }]
}

const sharedPattern = new RegExp(`^${snapshotPrefix}/(${sharedPath})`)

/** A dated state has files of its own where it differs, and else those of the repository. */
function placesOf(key: string): readonly Candidate[] {
  const own = inSimple.test(key) && key.endsWith('.json') ? { key, headers: jsonHeaders } : { key }
  const shared = sharedPattern.exec(`/${key}`)?.[1]
  return shared === undefined ? [own] : [own, { key: shared }]
}

function headersOf(key: string): Headers {
  return { 'content-type': contentTypeOf(key), 'cache-control': cacheControlOf(`/${key}`) }
}
