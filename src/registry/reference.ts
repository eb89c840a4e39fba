import { type Digest, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'

/** The name of a repository of images at a registry. */
export interface RepositoryName {
  /** `HOST[:PORT]` in lower case, as people write it: Docker Hub is `docker.io`. */
  readonly registry: string
  readonly repository: string
}

/** The name of an image: a repository, and a tag or digest in it. With both, the digest decides. */
export interface Reference extends RepositoryName {
  readonly tag?: string
  readonly digest?: Digest
}

const hubName = 'docker.io'
/** Names of Docker Hub that are one place. Source: distribution/reference, `splitDockerDomain`. */
const hubAliases: readonly string[] = [hubName, 'index.docker.io', 'registry-1.docker.io']

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?'
const hostPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-f:]+\\])(?::([0-9]{1,5}))?$`)
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`)
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/**
 * Read the name of an image.
 *
 * Shape: `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`. As Docker has it, the first part is a host when it holds `.` or `:`, has capitals or is
 * `localhost`; without a host it is Docker Hub's, where a name of one part is below `library/`. No tag is made up: `latest` is for
 * the caller to add.
 * Post: the host is in lower case, the repository at most 255 characters. Errors: REFERENCE_INVALID.
 * Source: distribution/reference (grammar), distribution-spec §Pulling manifests (name and tag), Docker's normalisation.
 */
export function parseReference(text: string): Reference {
  const [named = '', ...digests] = text.split('@')
  const colon = named.lastIndexOf(':')
  const isTagged = colon > named.lastIndexOf('/')
  const name = parseRepositoryName(isTagged ? named.slice(0, colon) : named, text)
  const tag = isTagged ? named.slice(colon + 1) : undefined
  if (tag !== undefined && !tagPattern.test(tag)) throw invalid(text, `the tag ${JSON.stringify(tag)} is none`)
  if (digests.length === 0) return { ...name, ...(tag === undefined ? {} : { tag }) }
  const [digest] = digests
  if (digests.length > 1 || !isDigest(digest)) throw invalid(text, 'a digest is sha256: and 64 hex digits')
  return { ...name, ...(tag === undefined ? {} : { tag }), digest }
}

/** The part of a registry that images of several names are below. */
export interface Namespace {
  readonly registry: string
  readonly namespace: string
}

/** Read `HOST[:PORT]/NAMESPACE`. Errors: REFERENCE_INVALID. */
export function parseNamespace(text: string): Namespace {
  // As part of a name: alone, one of a single word at Docker Hub would be below `library/`.
  const { registry, repository } = parseReference(`${text}/component`)
  const namespace = repository.slice(0, -'/component'.length)
  // Without a host it would be Docker Hub's, which nobody means who wrote an address.
  if (namespace !== '' && text.toLowerCase().startsWith(`${registry}/`)) return { registry, namespace }
  throw invalid(text, 'expected HOST[:PORT]/NAMESPACE, without a tag')
}

/** Accept a tag. Errors: REFERENCE_INVALID. */
export function parseTag(text: string): string {
  if (!tagPattern.test(text)) throw invalid(text, 'a tag has up to 128 letters, digits, `_`, `.` and `-`')
  return text
}

/** Write a name as {@link parseReference} reads it, always with its host. */
export function renderReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

/** Tell the host that answers for a registry: Docker Hub's is another than its name. */
export function apiHost(registry: string): string {
  return registry === hubName ? 'registry-1.docker.io' : registry
}

/** List the names under which a registry's credentials may be stored. Source: Docker's `IndexServer`, c/image `normalizeRegistry`. */
export function storedNames(registry: string): readonly string[] {
  return registry === hubName ? ['https://index.docker.io/v1/', ...hubAliases] : [registry]
}

/** Read the registry that an entry of a credentials file is for; undefined when its key is no host. */
export function parseStoredName(key: string): RepositoryName | undefined {
  const isAddress = /^https?:\/\//.test(key)
  const bare = isAddress ? key.replace(/^https?:\/\//, '') : key
  const slash = bare.indexOf('/')
  const host = (slash < 0 ? bare : bare.slice(0, slash)).toLowerCase()
  if (!isHost(host)) return undefined
  // Old entries are addresses of an API, such as https://index.docker.io/v1/: their path names no repository.
  return { registry: canonicalHost(host), repository: isAddress || slash < 0 ? '' : bare.slice(slash + 1) }
}

function parseRepositoryName(text: string, whole: string): RepositoryName {
  const slash = text.indexOf('/')
  const first = text.slice(0, Math.max(0, slash))
  const isHosted = /[.:A-Z]/.test(first) || first === 'localhost'
  const registry = isHosted ? canonicalHost(first.toLowerCase()) : hubName
  const path = isHosted ? text.slice(slash + 1) : text
  if (!isHost(registry)) throw invalid(whole, `${JSON.stringify(first)} is not a host`)
  const repository = registry === hubName && !path.includes('/') ? `library/${path}` : path
  if (!repositoryPattern.test(repository) || repository.length > 255) {
    throw invalid(whole, `${JSON.stringify(path.slice(0, 80))} is not a name of lower-case parts`)
  }
  return { registry, repository }
}

function isHost(host: string): boolean {
  const match = hostPattern.exec(host)
  if (match === null) return false
  const [, port] = match
  if (port !== undefined && !(Number(port) > 0 && Number(port) < 65_536)) return false
  // An address has other ways to write some hosts, such as 0x7f.1: only what means itself is one.
  const name = port === undefined ? host : host.slice(0, -port.length - 1)
  return URL.canParse(`http://${host}`) && new URL(`http://${host}`).hostname === name
}

function canonicalHost(host: string): string {
  return hubAliases.includes(host) ? hubName : host
}

function invalid(text: string, why: string): ReleaseError {
  const shown = text.slice(0, 300)
  return new ReleaseError('REFERENCE_INVALID', `${JSON.stringify(shown)} names no image: ${why}`, {
    details: { reference: shown },
  })
}
