import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ReleaseError } from '../core/error.ts'
import { parseGithubRepository } from '../core/github.ts'
import { isLoopback } from '../core/loopback.ts'
import { readS3Address, type S3Address } from '../core/s3-address.ts'
import { parseNamespace } from '../registry/reference.ts'

/** A place that may have files of a release, in one of the forms that {@link parsePlace} reads. `name` is for people. */
export type Place = { readonly name: string } & (
  | /** A copy of a vendor repository, or the repository itself: `pool/…`, `oci/…` below an address. */
  { readonly kind: 'copy'; readonly url: string }
  | /** The same in an object store. */ {
      readonly kind: 's3'
      readonly address: S3Address
    } /** A registry of images: the image of a component is `NAMESPACE/COMPONENT`. */
  | {
      readonly kind: 'registry'
      readonly registry: string
      readonly namespace: string
    } /** A mirror of the apt repository, or of another that has its packages. */
  | { readonly kind: 'apt'; readonly url: string } /** The releases of a repository at GitHub. */
  | { readonly kind: 'github'; readonly owner: string; readonly repository: string }
)

const aptPrefix = 'apt:'
const registryPrefix = 'oci://'
const githubPrefix = 'github:'
const forms =
  'a folder, http(s)://HOST/PATH, s3://BUCKET/PREFIX, oci://HOST/NAMESPACE, apt:https://HOST/PATH or github:OWNER/REPO'

/**
 * Read where a mirror is.
 *
 * Shape: an absolute folder or `file:` address; `http:` and `https:`; `s3://BUCKET/PREFIX` with the settings of an S3 address;
 * `oci://HOST[:PORT]/NAMESPACE`; `apt:` before the address of an apt repository; `github:OWNER/REPO`. Pure. Errors: MIRROR_INVALID.
 */
export function parsePlace(text: string): Place {
  if (text.startsWith(aptPrefix)) {
    const url = baseAddress(text, text.slice(aptPrefix.length))
    return { kind: 'apt', name: `${aptPrefix}${url}`, url }
  }
  if (text.startsWith(githubPrefix)) return parseGithub(text)
  if (text.startsWith(registryPrefix)) return parseRegistry(text)
  if (text.startsWith('s3://')) return parseS3(text)
  const url = baseAddress(text, text)
  return { kind: 'copy', name: url, url }
}

/** Where keys are appended to. */
function baseAddress(place: string, text: string): string {
  if (path.isAbsolute(text)) return pathToFileURL(path.normalize(text)).href.replace(/\/+$/, '')
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isKnown = url !== undefined && ['http:', 'https:', 'file:'].includes(url.protocol)
  if (!isKnown || url.search !== '' || url.hash !== '') throw invalid(place, `expected ${forms}`)
  if (url.username !== '' || url.password !== '') {
    throw invalid(`${url.protocol}//${url.host}`, 'it holds credentials, which logs and process lists would show')
  }
  return url.href.replace(/\/+$/, '')
}

function parseS3(text: string): Place {
  if (!URL.canParse(text)) throw invalid(text, `expected ${forms}`)
  const address = readS3Address(new URL(text))
  if ('why' in address) throw invalid(address.name, `it ${address.why}`)
  if (address.endpoint?.protocol === 'http:' && !isLoopback(address.endpoint.hostname)) {
    throw invalid(address.name, 'its endpoint would get credentials without TLS')
  }
  return { kind: 's3', name: address.name, address }
}

function parseRegistry(text: string): Place {
  try {
    const named = parseNamespace(text.slice(registryPrefix.length).replace(/\/+$/, ''))
    return { kind: 'registry', name: `${registryPrefix}${named.registry}/${named.namespace}`, ...named }
  } catch (caught) {
    if (!(caught instanceof ReleaseError)) throw caught
    throw invalid(text, caught.message)
  }
}

function parseGithub(text: string): Place {
  const repository = parseGithubRepository(text)
  if (repository === undefined) throw invalid(text, 'expected github:OWNER/REPO')
  return { kind: 'github', name: text, ...repository }
}

function invalid(place: string, why: string): ReleaseError {
  const shown = place.slice(0, 200)
  return new ReleaseError('MIRROR_INVALID', `${JSON.stringify(shown)} is no place for files of releases: ${why}`, {
    details: { place: shown },
  })
}
