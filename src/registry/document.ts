import { type Digest, digestOf, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'

/** The types of documents and blobs that are read or written here. Docker's are older names of the same forms. */
export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const

/** Manifests and indexes are no longer than this anywhere. Source: distribution-spec §Pushing manifests. */
export const largestDocumentBytes = 4 * 1024 * 1024

/** Documents nest: an index may list indexes. Deeper than this nobody goes on purpose. */
export const deepestNesting = 4

/** A platform that an image is for. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

/** What one document says of another or of a blob. Source: image-spec descriptor.md. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly sizeBytes: number
  readonly platform?: Platform
  readonly artifactType?: string
  readonly annotations: Readonly<Record<string, string>>
}

/** An index: other documents by platform, or the referrers of a subject. */
export interface IndexDocument {
  readonly kind: 'index'
  readonly manifests: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly artifactType?: string
  readonly annotations: Readonly<Record<string, string>>
}

/** A manifest: the configuration and layers of one image or artifact. */
export interface ManifestDocument {
  readonly kind: 'manifest'
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly artifactType?: string
  readonly annotations: Readonly<Record<string, string>>
}

/** A document as it travels: its bytes are its identity and are never written anew. */
export interface StoredDocument {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly mediaType: string
  readonly bytes: Buffer
  readonly document: IndexDocument | ManifestDocument
}

/** Tell whether a type is that of an index or manifest. */
export function isDocumentType(mediaType: string): boolean {
  return (Object.values(mediaTypes) as readonly string[]).includes(mediaType)
}

/** Write a platform as people do: `linux/arm64/v8`. */
export function renderPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

/**
 * Read an index or manifest.
 *
 * Pre: `mediaType` is what its descriptor or the header Content-Type says. Post: a document that could be read as both is neither.
 * Errors: IMAGE_INVALID, IMAGE_UNSUPPORTED (Docker's schema 1 and other forms).
 * Source: image-spec manifest.md, image-index.md; CVE-2021-41190 (a document of two kinds).
 */
export function parseDocument(bytes: Buffer, mediaType: string, place: string): StoredDocument {
  const value = new Value(parseJson(bytes, place), place)
  const own = value.optionalText('mediaType')
  if (own !== undefined && own !== mediaType) throw value.error(`says it is ${own}, but was named as ${mediaType}`)
  if (!isDocumentType(mediaType)) {
    throw new ReleaseError('IMAGE_UNSUPPORTED', `${place} is ${mediaType}, neither an image manifest nor an index`, {
      details: { place, mediaType },
    })
  }
  if (value.has('manifests') && (value.has('layers') || value.has('config'))) {
    throw value.error('is an index and a manifest at once')
  }
  const isIndex = mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex
  return {
    digest: digestOf(bytes),
    sizeBytes: bytes.byteLength,
    mediaType,
    bytes,
    document: isIndex
      ? { kind: 'index', manifests: value.list('manifests').map(descriptor), ...common(value) }
      : {
          kind: 'manifest',
          config: descriptor(value.member('config')),
          layers: value.list('layers').map(descriptor),
          ...common(value),
        },
  }
}

/** Read one descriptor. Errors: IMAGE_INVALID. */
export function parseDescriptor(value: unknown, place: string): Descriptor {
  return descriptor(new Value(value, place))
}

/** Write a descriptor as it stands in documents. */
export function renderDescriptor(descriptor: Descriptor): Readonly<Record<string, unknown>> {
  const { mediaType, digest, sizeBytes, artifactType, platform, annotations } = descriptor
  const listed = Object.keys(annotations).length === 0 ? undefined : annotations
  return { mediaType, digest, size: sizeBytes, artifactType, platform, annotations: listed }
}

function common(value: Value) {
  const artifactType = value.optionalText('artifactType')
  return {
    ...(value.has('subject') ? { subject: descriptor(value.member('subject')) } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
    annotations: value.annotations(),
  }
}

function descriptor(value: Value): Descriptor {
  const digest = value.text('digest')
  // Other algorithms are allowed by the specification, and used by nobody.
  if (!isDigest(digest)) throw value.error(`has the digest ${JSON.stringify(digest.slice(0, 80))}, not one of SHA-256`)
  const artifactType = value.optionalText('artifactType')
  return {
    mediaType: value.text('mediaType'),
    digest,
    sizeBytes: value.size('size'),
    ...(value.has('platform') ? { platform: platform(value.member('platform')) } : {}),
    ...(artifactType === undefined || artifactType === '' ? {} : { artifactType }),
    annotations: value.annotations(),
  }
}

function platform(value: Value): Platform {
  const variant = value.optionalText('variant')
  return {
    os: value.text('os'),
    architecture: value.text('architecture'),
    ...(variant === undefined || variant === '' ? {} : { variant }),
  }
}

/** A part of a document, read strictly. */
class Value {
  readonly #members: Readonly<Record<string, unknown>>
  readonly #place: string

  constructor(value: unknown, place: string) {
    this.#place = place
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ReleaseError('IMAGE_INVALID', `${place} holds something else than an object`, { details: { place } })
    }
    this.#members = value as Record<string, unknown>
  }

  has(name: string): boolean {
    return this.#members[name] !== undefined && this.#members[name] !== null
  }

  text(name: string): string {
    const value = this.#members[name]
    if (typeof value !== 'string' || value === '') throw this.error(`has no ${name}`)
    return value
  }

  optionalText(name: string): string | undefined {
    const value = this.#members[name]
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'string') throw this.error(`has something else than text as ${name}`)
    return value
  }

  size(name: string): number {
    const value = this.#members[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.error(`has no ${name}`)
    return value
  }

  member(name: string): Value {
    return new Value(this.#members[name], `${this.#place} (${name})`)
  }

  list(name: string): readonly Value[] {
    const value = this.#members[name]
    if (!Array.isArray(value)) throw this.error(`has no list of ${name}`)
    return value.map((member, at) => new Value(member, `${this.#place} (${name} ${at})`))
  }

  annotations(): Readonly<Record<string, string>> {
    if (!this.has('annotations')) return {}
    const value = this.#members['annotations']
    const isMap = typeof value === 'object' && !Array.isArray(value)
    if (!isMap || !Object.values(value as object).every(text => typeof text === 'string')) {
      throw this.error('has annotations that are no texts')
    }
    return value as Record<string, string>
  }

  error(problem: string): ReleaseError {
    return new ReleaseError('IMAGE_INVALID', `${this.#place} ${problem}`, { details: { place: this.#place } })
  }
}

function parseJson(bytes: Buffer, place: string): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (caught) {
    throw new ReleaseError('IMAGE_INVALID', `${place} is not JSON`, { cause: caught, details: { place } })
  }
}
