import type { GetObjectCommandOutput, HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import type { Digest } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { parseRelativePath } from '../../core/relative-path.ts'
import type { Content, StoredObject, TargetWriter, WriteOutcome } from '../target.ts'
import { assertReplaces, changed, conflict, nothingThere } from './conflict.ts'
import { type LeaseTimes, takeLease, usualLeaseTimes } from './lease.ts'
import { collectPieces, digestPieces, resumedPieces, sentPieces } from './pieces.ts'
import { base64Of, compositeOf, digestOfSum, largestWholeBytes } from './s3-checksum.ts'
import { S3Leases } from './s3-lease.ts'
import { uploadInParts } from './s3-multipart.ts'
import { S3Store, toldPieces } from './s3-store.ts'
import type { Environment, TransferTools } from './tools.ts'

/** What a target in an object store is opened with. */
export interface S3TargetOptions {
  readonly environment: Environment
  readonly tools: TransferTools
  readonly leaseTimes?: LeaseTimes
}

/** Objects larger than this cannot be copied in one request. Source: Amazon S3 API Reference, CopyObject. */
const largestCopyBytes = 5 * 1024 ** 3

/**
 * Open a bucket as a publishing target: Amazon S3, MinIO, or what speaks their protocol.
 *
 * Every object is sent with its SHA-256, which the store checks and keeps, so that later nothing needs to be fetched to know it. Writes are
 * conditional: two publishers cannot put different bytes under one name.
 * Errors: TARGET_UNKNOWN, TARGET_CREDENTIALS. Source: Amazon S3 User Guide, "Conditional writes", "Checking object integrity".
 */
export function openS3(
  place: URL,
  { environment, tools, leaseTimes = usualLeaseTimes }: S3TargetOptions,
): TargetWriter {
  const store = new S3Store(place, environment)
  const objects = new S3Objects(store, tools)
  const { name } = store
  return {
    name,
    parallelism: 8,
    head: async key => objects.head(parseRelativePath(key)),
    get: async (key, maxBytes) => objects.get(parseRelativePath(key), maxBytes),
    read: (key, signal) => objects.read(parseRelativePath(key), signal),
    putNew: async (key, content) => objects.putNew(parseRelativePath(key), content),
    replace: async (key, content, ifMatch) => objects.replace(parseRelativePath(key), content, ifMatch),
    remove: async key => {
      const object = store.objectOf(parseRelativePath(key))
      await store.run(`DELETE ${key}`, ({ client, sdk }) => client.send(new sdk.DeleteObjectCommand(object)))
    },
    // An object is durable when its store has answered. Source: Amazon S3 User Guide, "Data durability".
    sync: async () => {},
    lease: (command, options) =>
      takeLease({ name, command, options, store: new S3Leases(store), times: leaseTimes, tools }),
  }
}

/** An object as the store tells of it. `checksum` is its SHA-256, or that of its parts' sums. */
interface Listed {
  readonly sizeBytes: number
  readonly etag: string | undefined
  readonly checksum: string | undefined
}

/** On which condition an object is written. */
type Condition = { readonly IfNoneMatch: '*' } | { readonly IfMatch: string } | Record<string, never>

class S3Objects {
  readonly #store: S3Store
  readonly #tools: TransferTools

  constructor(store: S3Store, tools: TransferTools) {
    this.#store = store
    this.#tools = tools
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const listed = await this.#look(key)
    if (listed === undefined) return undefined
    const digest = digestOfSum(listed.checksum)
    return digest === undefined ? await this.#digest(key) : { sizeBytes: listed.sizeBytes, digest }
  }

  async get(key: string, maxBytes: number): Promise<Buffer | undefined> {
    const opened = await this.#open(key)
    if (opened === undefined) return undefined
    return await collectPieces(this.#pieces(key, opened), maxBytes, { target: this.#store.name, key })
  }

  async *read(key: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const opened = await this.#open(key, signal)
    if (opened === undefined) throw nothingThere(this.#store.name, key)
    yield* this.#pieces(key, opened, signal)
  }

  async putNew(key: string, content: Content): Promise<WriteOutcome> {
    const listed = await this.#look(key)
    if (listed !== undefined) {
      await this.#assertSame(key, content, listed)
      return 'unchanged'
    }
    if (await this.#copy(key, content)) return 'linked'
    if (await this.#write(key, content, { IfNoneMatch: '*' }, 'public, max-age=31536000, immutable')) return 'written'
    const found = await this.#look(key)
    if (found !== undefined) await this.#assertSame(key, content, found)
    return 'unchanged'
  }

  async replace(key: string, content: Content, ifMatch: Digest | undefined): Promise<WriteOutcome> {
    const listed = await this.#look(key)
    const found = listed === undefined ? undefined : (digestOfSum(listed.checksum) ?? (await this.#digest(key))?.digest)
    if (found === content.digest) return 'unchanged'
    assertReplaces(this.#store.name, key, { found, expected: ifMatch })
    if (await this.#write(key, content, conditionOf(listed), 'no-cache')) return 'written'
    const now = (await this.head(key))?.digest
    // An attempt whose answer was lost may have written it.
    if (now !== content.digest) throw changed(this.#store.name, key, { found: now, expected: ifMatch })
    return 'written'
  }

  /** What an object of several parts is, is known by the same cut through our own bytes. Errors: REPOSITORY_CONFLICT. */
  async #assertSame(key: string, content: Content, listed: Listed): Promise<void> {
    if (listed.sizeBytes === content.sizeBytes) {
      if (listed.checksum?.includes('-') === true && listed.checksum === (await compositeOf(content))) return
      const found = digestOfSum(listed.checksum) ?? (await this.#digest(key))?.digest
      if (found === content.digest) return
    }
    const found = (await this.head(key))?.digest
    throw conflict(this.#store.name, key, { found, expected: content.digest })
  }

  async #write(key: string, content: Content, condition: Condition, cacheControl: string): Promise<boolean> {
    if (content.sizeBytes > largestWholeBytes) {
      const upload = { key, content, cacheControl, condition }
      return await uploadInParts(this.#store, upload, this.#tools)
    }
    const body = await collectPieces(sentPieces(key, content, this.#tools), largestWholeBytes, {
      target: this.#store.name,
      key,
    })
    const command = {
      ...this.#store.objectOf(key),
      ...condition,
      Body: body,
      ContentType: content.mediaType,
      CacheControl: cacheControl,
      ChecksumSHA256: base64Of(content.digest),
    }
    const written = await this.#store.attempt(`PUT ${key}`, 'precondition', ({ client, sdk }) =>
      client.send(new sdk.PutObjectCommand(command), abortedBy(content.signal)),
    )
    return written !== undefined
  }

  /** Copy the bytes of another key, where the store says that they are the same. */
  async #copy(key: string, { sameAs, digest, mediaType, sizeBytes, signal }: Content): Promise<boolean> {
    if (sameAs === undefined || sizeBytes > largestCopyBytes) return false
    const twin = await this.#look(sameAs)
    if (twin?.etag === undefined || digestOfSum(twin.checksum) !== digest) return false
    const { Bucket, Key } = this.#store.objectOf(sameAs)
    const command = {
      ...this.#store.objectOf(key),
      IfNoneMatch: '*',
      CopySource: `${Bucket}/${Key.split('/').map(encodeURIComponent).join('/')}`,
      CopySourceIfMatch: twin.etag,
      ChecksumAlgorithm: 'SHA256' as const,
      MetadataDirective: 'REPLACE' as const,
      ContentType: mediaType,
      CacheControl: 'public, max-age=31536000, immutable',
    }
    const copied = await this.#store.attempt(`COPY ${key}`, 'precondition', ({ client, sdk }) =>
      client.send(new sdk.CopyObjectCommand(command), abortedBy(signal)),
    )
    return copied !== undefined
  }

  async #look(key: string): Promise<Listed | undefined> {
    const command = { ...this.#store.objectOf(key), ChecksumMode: 'ENABLED' as const }
    const head = await this.#store.attempt(`HEAD ${key}`, 'missing', ({ client, sdk }) =>
      client.send(new sdk.HeadObjectCommand(command)),
    )
    return head === undefined ? undefined : listedOf(head)
  }

  async #digest(key: string): Promise<StoredObject | undefined> {
    const opened = await this.#open(key)
    return opened === undefined ? undefined : await digestPieces(this.#pieces(key, opened))
  }

  #open(key: string, signal?: AbortSignal, from?: { readonly Range: string; readonly IfMatch: string }) {
    const command = { ...this.#store.objectOf(key), ...from }
    return this.#store.attempt(`GET ${key}`, 'missing', ({ client, sdk }) =>
      client.send(new sdk.GetObjectCommand(command), abortedBy(signal)),
    )
  }

  #pieces(key: string, opened: GetObjectCommandOutput, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { name } = this.#store
    const openedOf = ({ Body, ETag }: GetObjectCommandOutput) => {
      return { body: toldPieces(name, Body as AsyncIterable<Uint8Array>), etag: ETag }
    }
    const resume = async (offset: number, etag: string) => {
      const answer = await this.#open(key, signal, { Range: `bytes=${offset}-`, IfMatch: etag })
      if (answer?.ContentRange?.startsWith(`bytes ${offset}-`) === true) return openedOf(answer)
      throw new ReleaseError('TARGET_UNAVAILABLE', `${name}: ${key} cannot be read on from byte ${offset}`, {
        details: { url: name, key },
      })
    }
    return resumedPieces(openedOf(opened), resume, { tools: this.#tools, signal })
  }
}

function conditionOf(listed: Listed | undefined): Condition {
  if (listed === undefined) return { IfNoneMatch: '*' }
  return listed.etag === undefined ? {} : { IfMatch: listed.etag }
}

function listedOf({ ContentLength, ETag, ChecksumSHA256 }: HeadObjectCommandOutput): Listed {
  return { sizeBytes: ContentLength ?? 0, etag: ETag, checksum: ChecksumSHA256 }
}

function abortedBy(signal: AbortSignal | undefined): { readonly abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}
