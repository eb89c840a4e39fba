import { type Digest, isDigest } from '../../core/digest.ts'
import { mediaTypes } from '../../registry/document.ts'
import { delay } from '../../sys/clock.ts'
import type { ServedFolder } from '../../sys/served-folder.ts'
import { type Answer, type Answerer, isRead, type StaticRequest } from '../../sys/static-answer.ts'
import { ociBlobKey } from '../../trust/layout.ts'
import { immutableControl, pointerControl } from './caching.ts'
import { type ImageDocument, ImageDocuments } from './image-documents.ts'
import { type Layout, Layouts } from './layouts.ts'
import { registryError, registryHeaders, registryJson } from './registry-answer.ts'
import { pageOf } from './registry-page.ts'

/** What the answers are made from. */
interface Registry {
  readonly folder: ServedFolder
  readonly layouts: Layouts
  readonly documents: ImageDocuments
}

/** A request for something of one application. */
interface Asked {
  readonly application: string
  readonly layout: Layout
  /** A tag or digest. */
  readonly reference: string
  readonly request: StaticRequest
}

/**
 * Answer requests below `/v2/` as a registry to read from: the image layouts of a repository, one for each application.
 *
 * Nothing is copied or kept beside the files: what a publication wrote is what the next request finds.
 * Source: distribution-spec §Pull, §Content Discovery (endpoints 1, 2, 3, 8, 12), §Error Codes.
 */
export function openRegistry(folder: ServedFolder): Answerer {
  const registry: Registry = { folder, layouts: new Layouts(folder), documents: new ImageDocuments(folder) }
  return request => answer(registry, request)
}

const endpoints = {
  manifests: answerManifest,
  blobs: answerBlob,
  referrers: answerReferrers,
} as const satisfies Record<string, (registry: Registry, asked: Asked) => Answer | Promise<Answer>>

function answer(registry: Registry, request: StaticRequest): Answer | Promise<Answer> {
  if (!isRead(request)) {
    return registryError('UNSUPPORTED', 'this registry is to read from', { headers: { allow: 'GET, HEAD' } })
  }
  const path = decode(request.path)
  if (path === '/v2' || path === '/v2/') return registryJson({})
  if (path === '/v2/_catalog')
    return answerNames(request.query, { path, key: 'repositories' }, registry.layouts.names())
  const match = /^\/v2\/(.+)\/(?:(tags)\/list|(manifests|blobs|referrers)\/([^/]+))$/.exec(path)
  const [, application = '', tags, endpoint, reference = ''] = match ?? []
  if (match === null) return registryError('UNSUPPORTED', 'there is no such endpoint', { status: 404 })
  const layout = registry.layouts.find(application)
  if (layout === undefined) return unknownName(application)
  if (tags !== undefined) return answerNames(request.query, { path, name: application, key: 'tags' }, layout.tagNames)
  return endpoints[endpoint as keyof typeof endpoints](registry, { application, layout, reference, request })
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return ''
  }
}

const namePattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/

function unknownName(name: string): Answer {
  if (name.length <= 255 && namePattern.test(name))
    return registryError('NAME_UNKNOWN', `there are no images of ${name}`)
  return registryError('NAME_INVALID', 'a name has lower-case parts, separated by slashes')
}

function answerNames(
  query: string,
  { path, name, key }: { readonly path: string; readonly name?: string; readonly key: string },
  names: readonly string[],
): Answer {
  const page = pageOf(names, path, query)
  if (page === undefined) return registryError('UNSUPPORTED', 'n has to be a number', { status: 400 })
  return registryJson({ name, [key]: page.names }, { headers: page.headers })
}

function answerManifest({ folder, documents }: Registry, { application, layout, reference }: Asked): Answer {
  const named = readDigest(reference)
  if (named === 'malformed') return malformedDigest()
  const digest = named === 'tag' ? layout.tags.get(reference) : named
  const document = digest === undefined ? undefined : documents.find(application, digest)
  const file = document === undefined ? undefined : folder.open(ociBlobKey(application, document.digest))
  if (document === undefined || file?.kind !== 'file') {
    return registryError('MANIFEST_UNKNOWN', `${application} has no image with that tag or digest`)
  }
  const control = named === 'tag' ? pointerControl : immutableControl
  return { kind: 'file', file, headers: contentHeaders(document, control) }
}

function answerBlob({ folder }: Registry, { application, reference }: Asked): Answer {
  const digest = readDigest(reference)
  if (digest === 'malformed' || digest === 'tag') return malformedDigest()
  const file = digest === undefined ? undefined : folder.open(ociBlobKey(application, digest))
  if (digest === undefined || file?.kind !== 'file') {
    return registryError('BLOB_UNKNOWN', `${application} has no blob with that digest`)
  }
  const mediaType = 'application/octet-stream'
  return { kind: 'file', file, headers: contentHeaders({ mediaType, digest }, immutableControl) }
}

/** Between so many documents others get their turn: the first request after a start may have to read thousands. */
const documentsAtOnce = 100

async function answerReferrers(
  { documents }: Registry,
  { application, layout, reference, request }: Asked,
): Promise<Answer> {
  const subject = readDigest(reference)
  if (subject === 'malformed' || subject === 'tag') return malformedDigest()
  const wanted = new URLSearchParams(request.query).get('artifactType')
  const found: ImageDocument[] = []
  for (const [at, digest] of layout.untagged.entries()) {
    if (at % documentsAtOnce === documentsAtOnce - 1) await delay(0)
    const document = documents.find(application, digest)
    if (document === undefined || subject === undefined || document.subject !== subject) continue
    if (wanted === null || document.artifactType === wanted) found.push(document)
  }
  const filtered = wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: found.map(descriptorOf) }
  return registryJson(index, { headers: { 'content-type': mediaTypes.index, ...filtered } })
}

function descriptorOf({ mediaType, digest, sizeBytes, artifactType, annotations }: ImageDocument) {
  return { mediaType, digest, size: sizeBytes, artifactType, annotations }
}

/** A digest by another algorithm is one, and of nothing that is here. Source: image-spec descriptor.md §Digests. */
function readDigest(reference: string): Digest | undefined | 'malformed' | 'tag' {
  if (!reference.includes(':')) return 'tag'
  if (isDigest(reference)) return reference
  const isOther = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/.test(reference) && !reference.startsWith('sha256:')
  return isOther ? undefined : 'malformed'
}

function malformedDigest(): Answer {
  return registryError('DIGEST_INVALID', 'a digest is sha256: and 64 hex digits')
}

function contentHeaders(
  { mediaType, digest }: { readonly mediaType: string; readonly digest: Digest },
  control: string,
) {
  return {
    ...registryHeaders,
    'content-type': mediaType,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'cache-control': control,
  }
}
