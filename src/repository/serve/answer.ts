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
} from '../../sys/static-answer.ts'
import { simpleJsonType } from '../python/simple.ts'
import { cacheControlOf, sharedPath, snapshotPrefix } from './caching.ts'
import { wantsJson } from './negotiate.ts'
import { openRegistry } from './registry.ts'

/** Answer requests for a repository: its files, Python's index in the form that is asked for, its dated states, its images as a registry has them. */
export function answerRepository(folder: ServedFolder): Answerer {
  const registry = openRegistry(folder)
  return request => (/^\/v2(?:\/|$)/.test(request.path) ? registry(request) : answerFile(folder, request))
}

function answerFile(folder: ServedFolder, request: StaticRequest): Answer {
  if (!isRead(request)) return refuseMethod()
  const address = parseAddress(request.path)
  if (address.kind === 'malformed') return refuse(400)
  const { key, isFolder } = address
  for (const candidate of isFolder ? pagesOf(key, request.headers.accept) : placesOf(key)) {
    const file = folder.open(candidate)
    if (file.kind === 'folder' && !isFolder) return leadToSlash(folder, request.path, key)
    if (file.kind === 'file') return { kind: 'file', file, headers: headersOf(candidate) }
  }
  return refuse(404)
}

/** Python's index has each page in two forms, of which the client chooses one. */
function pagesOf(key: string, accept: string | undefined): readonly string[] {
  const page = indexOf(key)
  return /^simple(?:\/|$)/.test(key) && wantsJson(accept) ? [`${key}/index.json`, page] : [page]
}

const sharedPattern = new RegExp(`^${snapshotPrefix}/(${sharedPath})`)

/** A dated state has files of its own where it differs, and else those of the repository. */
function placesOf(key: string): readonly string[] {
  const shared = sharedPattern.exec(`/${key}`)?.[1]
  return shared === undefined ? [key] : [key, shared]
}

function headersOf(key: string): Headers {
  const [, form] = /^simple\/(?:.*\/)?index\.(html|json)$/.exec(key) ?? []
  return {
    'content-type': form === 'json' ? simpleJsonType : contentTypeOf(key),
    'cache-control': cacheControlOf(`/${key}`),
    ...(form === undefined ? {} : { vary: 'accept' }),
  }
}
