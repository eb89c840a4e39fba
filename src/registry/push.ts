import { type Digest, digestOf, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { eachInParallel } from '../sys/parallel.ts'
import type { RateLimit } from '../sys/rate-limit.ts'
import { parallelBlobs } from './blobs.ts'
import { type ClientOptions, openClient, type RegistryClient } from './client.ts'
import { type Descriptor, isDocumentType, parseDocument, type StoredDocument } from './document.ts'
import { findReferrers, layoutBlob, readLayout, readLayoutDocument } from './layout.ts'
import { headManifest, putManifest } from './manifests.ts'
import { parseReference, type RepositoryName } from './reference.ts'
import { ensureReferrers } from './referrers.ts'
import type { RegistryTools } from './retry.ts'
import { type BlobOutcome, type BlobSource, uploadBlob } from './upload.ts'
import { type ImageParts, walkImage } from './walk.ts'

export interface PushOptions extends Omit<ClientOptions, 'actions'> {
  /** The image layout. */
  readonly folder: string
  /** Which image of the layout; the only one of its index when absent. */
  readonly digest?: Digest
  readonly tags: readonly string[]
  /** Documents and blobs that are not in the folder: those that refer to the image go along as if they were. */
  readonly additions?: readonly AddedPart[]
  readonly bandwidth?: RateLimit | undefined
  /** Told how many bytes of how many were dealt with. */
  readonly onProgress: (doneBytes: number, totalBytes: number) => void
  /** Sizes from which and in which blobs are sent in chunks. */
  readonly largestWholeBytes?: number
  readonly chunkBytes?: number
}

/** A document or blob in memory. */
export interface AddedPart {
  readonly mediaType: string
  readonly bytes: Uint8Array
}

/** What a push came to. Nothing was sent when `isUnchanged`. */
export interface PushReport {
  readonly digest: Digest
  readonly mediaType: string
  readonly isUnchanged: boolean
  readonly blobs: readonly PushedBlob[]
  /** Manifests and indexes that had to be sent. */
  readonly sentManifests: number
  readonly totalManifests: number
  /** Tags that were set anew; the others named the image already. */
  readonly movedTags: readonly string[]
  readonly referrers: readonly Digest[]
  /** The tag that stands in for the registry's own list of referrers was written. */
  readonly wroteReferrersTag: boolean
}

/** A blob, and what had to be done for it. */
export interface PushedBlob {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly mediaType: string
  readonly outcome: BlobOutcome
}

/**
 * Push an image with all platforms and everything that refers to it.
 *
 * In the order that keeps a registry whole at every moment: blobs, manifests, the root under its tags, then referrers. What is there is not
 * sent again; layers of a base image are taken over from its repository where it is at the same registry.
 * Crash: run again, it goes on with what is missing; the tags name the old image or the new one.
 * Errors: IMAGE_INVALID (the layout), RELEASE_DAMAGED, those of {@link RegistryClient.send} and {@link openClient}.
 * Source: distribution-spec §Push.
 */
export async function pushImage(options: PushOptions, tools: RegistryTools): Promise<PushReport> {
  const root = rootOf(options)
  const load = (descriptor: Descriptor) => readLayoutDocument(options.folder, descriptor)
  const image = await walkImage(root, load, undefined)
  const referrers = referrersOf(image, options)
  const stop = new AbortController()
  const signal = AbortSignal.any([tools.signal, stop.signal])
  const client = await openClient({ ...options, actions: 'pull,push' }, { ...tools, signal })
  const push = new Push(client, options, reason => stop.abort(reason))
  push.count(image)
  const others = await Promise.all(referrers.map(referrer => walkImage(referrer, load, undefined)))
  for (const other of others) push.count(other)
  await push.blobs(image)
  for (const document of image.documents.slice(0, -1)) await push.manifest(document)
  const movedTags = await push.tags(root)
  for (const other of others) await push.blobs(other)
  const wroteReferrersTag = await push.referrers(others)
  return {
    digest: root.digest,
    mediaType: root.mediaType,
    isUnchanged: push.sentManifests === 0 && push.done.every(({ outcome }) => outcome === 'present'),
    // In an order that is not that of their arrival.
    blobs: push.done.toSorted((a, b) => b.sizeBytes - a.sizeBytes || (a.digest < b.digest ? -1 : 1)),
    sentManifests: push.sentManifests,
    totalManifests: image.documents.length + others.length,
    movedTags,
    referrers: referrers.map(({ digest }) => digest),
    wroteReferrersTag,
  }
}

function rootOf({ folder, digest }: PushOptions): StoredDocument {
  const entries = readLayout(folder)
  const found = digest === undefined ? entries : entries.filter(entry => entry.digest === digest)
  const [entry] = found
  if (entry !== undefined && new Set(found.map(each => each.digest)).size === 1) {
    return readLayoutDocument(folder, entry)
  }
  const wanted = digest ?? 'one image'
  throw new ReleaseError('IMAGE_INVALID', `${folder} names ${entries.length} images, expected ${wanted}`, {
    details: { path: folder, expected: digest, found: entries.map(each => each.digest) },
  })
}

/** What refers to an image, in its layout and beside it, each once. */
function referrersOf({ documents }: ImageParts, { folder, additions = [] }: PushOptions): readonly StoredDocument[] {
  const digests = documents.map(({ digest }) => digest)
  const added = additions
    .filter(({ mediaType }) => isDocumentType(mediaType))
    .map(({ bytes, mediaType }) => parseDocument(Buffer.from(bytes), mediaType, 'an addition'))
    .filter(({ document }) => document.subject !== undefined && digests.includes(document.subject.digest))
  const found = [...findReferrers(folder, digests), ...added]
  const known = new Set(digests)
  return found.filter(({ digest }) => !known.has(digest) && known.add(digest))
}

/** A push under way. */
class Push {
  readonly #client: RegistryClient
  readonly #options: PushOptions
  readonly #stop: (reason: unknown) => void
  readonly #doneBytes = new Map<Digest, number>()
  readonly #added: ReadonlyMap<Digest, Uint8Array>
  #totalBytes = 0
  readonly done: PushedBlob[] = []
  sentManifests = 0

  constructor(client: RegistryClient, options: PushOptions, stop: (reason: unknown) => void) {
    this.#client = client
    this.#options = options
    this.#stop = stop
    this.#added = new Map(options.additions?.map(({ bytes }) => [digestOf(bytes), bytes]))
  }

  /** Count what is going to be moved, each blob once. */
  count({ blobs }: ImageParts): void {
    for (const { digest, sizeBytes } of blobs) {
      if (this.#doneBytes.has(digest)) continue
      this.#doneBytes.set(digest, 0)
      this.#totalBytes += sizeBytes
    }
  }

  async blobs(image: ImageParts): Promise<void> {
    const pushed = new Set(this.done.map(({ digest }) => digest))
    const mountFrom = baseRepository(image, this.#options.name)
    // The largest first: beside them the small ones cost no time of their own.
    const blobs = image.blobs
      .filter(({ digest }) => !pushed.has(digest))
      .toSorted((a, b) => b.sizeBytes - a.sizeBytes || (a.digest < b.digest ? -1 : 1))
    await eachInParallel(
      blobs,
      { parallelism: parallelBlobs, stop: this.#stop },
      async ({ digest, sizeBytes, mediaType }) => {
        const outcome = await uploadBlob(this.#client, {
          source: this.#source(digest),
          blob: { digest, sizeBytes },
          mountFrom,
          bandwidth: this.#options.bandwidth,
          onProgress: doneBytes => this.#progress(digest, doneBytes),
          ...sizesOf(this.#options),
        })
        this.#progress(digest, sizeBytes)
        this.done.push({ digest, sizeBytes, mediaType, outcome })
      },
    )
  }

  #source(digest: Digest): BlobSource {
    const bytes = this.#added.get(digest)
    return bytes === undefined
      ? { kind: 'file', path: layoutBlob(this.#options.folder, digest) }
      : { kind: 'memory', bytes }
  }

  /** Store a document under its digest; tells whether the registry lists it as a referrer, undefined when it was there. */
  async manifest(stored: StoredDocument): Promise<boolean | undefined> {
    if ((await headManifest(this.#client, stored.digest)) !== undefined) return undefined
    this.sentManifests += 1
    return (await putManifest(this.#client, stored.digest, stored)).isSubjectKnown
  }

  async tags(root: StoredDocument): Promise<readonly string[]> {
    const moved: string[] = []
    for (const tag of this.#options.tags) {
      if ((await headManifest(this.#client, tag))?.digest === root.digest) continue
      await putManifest(this.#client, tag, root)
      this.sentManifests += 1
      moved.push(tag)
    }
    if (this.#options.tags.length === 0) await this.manifest(root)
    return moved
  }

  async referrers(images: readonly ImageParts[]): Promise<boolean> {
    const bySubject = new Map<Digest, { readonly descriptor: Descriptor; readonly isListed: boolean | undefined }[]>()
    for (const { root, documents } of images) {
      for (const document of documents.slice(0, -1)) await this.manifest(document)
      const subject = root.document.subject!.digest
      const entry = { descriptor: referrerDescriptor(root), isListed: await this.manifest(root) }
      bySubject.set(subject, [...(bySubject.get(subject) ?? []), entry])
    }
    let wroteTag = false
    for (const [subject, entries] of bySubject) {
      if (!(await ensureReferrers(this.#client, subject, entries))) continue
      wroteTag = true
      this.sentManifests += 1
    }
    return wroteTag
  }

  #progress(digest: Digest, doneBytes: number): void {
    this.#doneBytes.set(digest, doneBytes)
    const sum = [...this.#doneBytes.values()].reduce((total, bytes) => total + bytes, 0)
    this.#options.onProgress(sum, this.#totalBytes)
  }
}

function sizesOf({ largestWholeBytes, chunkBytes }: PushOptions) {
  return {
    ...(largestWholeBytes === undefined ? {} : { largestWholeBytes }),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  }
}

/** What stands of a document in a list of referrers. Source: distribution-spec §Listing referrers (artifactType, annotations). */
function referrerDescriptor({ mediaType, digest, sizeBytes, document }: StoredDocument): Descriptor {
  const own = document.kind === 'manifest' ? document.config.mediaType : undefined
  const artifactType = document.artifactType ?? own
  return {
    mediaType,
    digest,
    sizeBytes,
    ...(artifactType === undefined ? {} : { artifactType }),
    annotations: document.annotations,
  }
}

/** The repository that an image's base layers may be mounted from: that of the base, when it is at the same registry. */
function baseRepository({ documents }: ImageParts, name: RepositoryName): string | undefined {
  for (const { document } of documents) {
    const base = document.annotations['org.opencontainers.image.base.name']
    if (base === undefined || isDigest(base)) continue
    try {
      const { registry, repository } = parseReference(base)
      if (registry === name.registry && repository !== name.repository) return repository
    } catch (caught) {
      // An annotation is free text: one that names no image only saves nothing.
      if (!(caught instanceof ReleaseError)) throw caught
    }
  }
  return undefined
}
