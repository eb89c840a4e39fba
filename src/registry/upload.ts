import fs from 'node:fs'
import { type Digest, Digester } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { StreamedBody } from '../sys/exchange.ts'
import type { RateLimit } from '../sys/rate-limit.ts'
import { longestAttempts } from '../sys/retry.ts'
import { type BlobName, hasBlob, type OnProgress } from './blobs.ts'
import type { RegistryAnswer, RegistryClient, RegistryRequest } from './client.ts'
import { isPassing, pause } from './retry.ts'

/** What happened to a blob: it was there, it was taken over from another repository, or its bytes were sent. */
export type BlobOutcome = 'present' | 'mounted' | 'sent'

/** Where the bytes of a blob are. */
export type BlobSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'memory'; readonly bytes: Uint8Array }

export interface UploadOptions {
  readonly source: BlobSource
  readonly blob: BlobName
  /** A repository of the same registry that may have the blob. */
  readonly mountFrom?: string | undefined
  readonly onProgress: OnProgress
  readonly bandwidth?: RateLimit | undefined
  /** Blobs above this size go in chunks of {@link UploadOptions.chunkBytes}, so that less is sent again after a cut. */
  readonly largestWholeBytes?: number
  readonly chunkBytes?: number
}

const mebibyte = 1024 * 1024
const smallestChunkBytes = mebibyte

/**
 * Bring a blob to a registry, unless it has it.
 *
 * A small one goes in one request (POST, PUT), a large one in chunks (PATCH). After a failure the registry is asked how much it has, and
 * gets the rest in chunks; where it has forgotten the upload, everything is sent again.
 * Errors: RELEASE_DAMAGED (the file is not of that digest), REGISTRY_UNAVAILABLE or HTTP_FAILED (no progress after several attempts), those
 * of {@link RegistryClient.send}. Crash: the registry drops unfinished uploads; a complete blob is found by the next run.
 * Source: distribution-spec 1.1 §Pushing blobs, §Mounting a blob from another repository.
 */
export async function uploadBlob(client: RegistryClient, options: UploadOptions): Promise<BlobOutcome> {
  if (await hasBlob(client, options.blob)) return 'present'
  const begun = options.mountFrom === undefined ? undefined : await mount(client, options.blob, options.mountFrom)
  if (begun === 'mounted') return begun
  const upload = new Upload(client, options, begun)
  let [failures, highestBytes] = [0, 0]
  while (!upload.isDone) {
    try {
      await upload.advance()
      // Only what the registry never had before is progress: else one that takes and forgets would keep us for ever.
      if (upload.offsetBytes > highestBytes) [failures, highestBytes] = [0, upload.offsetBytes]
    } catch (caught) {
      failures += 1
      if (failures >= longestAttempts || !isPassing(caught, client.tools.signal)) throw caught
      await pause(client.tools, failures)
      upload.doubt()
    }
  }
  return 'sent'
}

/** Where an upload goes on, as the registry said. */
interface Session {
  readonly location: URL
  readonly smallestChunkBytes: number
}

/** Ask for a blob of another repository; a registry that does not do so has begun an upload instead. */
async function mount(
  client: RegistryClient,
  { digest }: BlobName,
  from: string,
): Promise<'mounted' | Session | undefined> {
  const query = new URLSearchParams({ mount: digest, from })
  try {
    const answer = await client.send({
      method: 'POST',
      to: `blobs/uploads/?${query}`,
      what: `mount blob ${digest} from ${from}`,
      expect: [201, 202],
      scopes: [`repository:${from}:pull`],
    })
    await answer.finish()
    return answer.status === 201 ? 'mounted' : sessionOf(client, answer)
  } catch (caught) {
    // Whoever may not read the other repository, or finds nothing there, can still send the blob.
    const { code } = toReleaseError(caught)
    if (code === 'REGISTRY_AUTH' || code === 'REGISTRY_UNKNOWN' || code === 'REGISTRY_REFUSED') return undefined
    throw caught
  }
}

function sessionOf(client: RegistryClient, answer: RegistryAnswer, before?: Session): Session {
  const least = Number(answer.header('oci-chunk-min-length') ?? Number.NaN)
  return {
    location: client.follow(answer.header('location'), answer.url),
    smallestChunkBytes: Number.isSafeInteger(least) && least > 0 ? least : (before?.smallestChunkBytes ?? 0),
  }
}

/** An upload under way: what the registry has of it, and the next request that brings it on. */
class Upload {
  readonly #client: RegistryClient
  readonly #options: UploadOptions
  #session: Session | undefined
  #chunkBytes: number
  #isWhole: boolean
  /** After a failure only the registry knows how much it has. */
  #isDoubtful = false
  offsetBytes = 0
  isDone = false

  constructor(client: RegistryClient, options: UploadOptions, session: Session | undefined) {
    this.#client = client
    this.#options = options
    this.#session = session
    this.#chunkBytes = options.chunkBytes ?? 64 * mebibyte
    this.#isWhole = options.blob.sizeBytes <= (options.largestWholeBytes ?? 128 * mebibyte)
  }

  /** Make the next request. */
  async advance(): Promise<void> {
    if (this.#session === undefined) await this.#begin()
    else if (this.#isDoubtful) await this.#ask(this.#session)
    else if (this.#isWhole || this.offsetBytes === this.#options.blob.sizeBytes) await this.#close(this.#session)
    else await this.#sendChunk(this.#session)
  }

  /** A request has failed. */
  doubt(): void {
    this.#isDoubtful = true
    // From here on in pieces: what was too long for this connection once will be so again.
    this.#isWhole = false
  }

  async #begin(): Promise<void> {
    const answer = await this.#client.send({
      method: 'POST',
      to: 'blobs/uploads/',
      what: `begin blob ${this.#digest}`,
      expect: [202],
    })
    await answer.finish()
    this.#session = sessionOf(this.#client, answer)
    this.#isDoubtful = false
    this.offsetBytes = 0
  }

  async #ask(session: Session): Promise<void> {
    const answer = await this.#client.send({
      method: 'GET',
      to: session.location,
      what: `look for the upload of blob ${this.#digest}`,
      // 405 is the answer of those that cannot tell.
      expect: [200, 202, 204, 400, 404, 405],
      attempts: 1,
    })
    await answer.finish()
    if (answer.status >= 400) return this.#startOver()
    this.#isDoubtful = false
    this.#session = answer.header('location') === undefined ? session : sessionOf(this.#client, answer, session)
    this.offsetBytes = receivedBytes(answer) ?? 0
    if (this.offsetBytes > this.#options.blob.sizeBytes) this.#startOver()
  }

  async #sendChunk(session: Session): Promise<void> {
    const start = this.offsetBytes
    const length = Math.max(this.#chunkBytes, session.smallestChunkBytes)
    const end = Math.min(start + length, this.#options.blob.sizeBytes)
    const request: RegistryRequest = {
      method: 'PATCH',
      to: session.location,
      what: `send bytes ${start}-${end - 1} of blob ${this.#digest}`,
      // 404: the upload was forgotten. 413: too long for something in between. 416: the registry has more or less than we believe.
      expect: [201, 202, 204, 404, 413, 416],
      headers: { 'content-type': 'application/octet-stream', 'content-range': `${start}-${end - 1}` },
      body: this.#body(start, end),
      attempts: 1,
    }
    const answer = await this.#client.send(request).catch(caught => {
      // Whoever refuses a length may hang up before its answer is read; and of a line that breaks, less is lost.
      this.#shrink(end - start)
      throw caught
    })
    await answer.finish()
    if (answer.status === 413) this.#shrink(end - start)
    if (answer.status >= 400) throw this.#setBack(answer.status)
    const receivedTo = receivedBytes(answer) ?? end
    if (receivedTo <= start || receivedTo > end) throw this.#setBack(answer.status)
    this.#session = sessionOf(this.#client, answer, session)
    this.offsetBytes = receivedTo
  }

  #shrink(length: number): void {
    this.#chunkBytes = Math.max(smallestChunkBytes, Math.ceil(length / 4))
  }

  /** Send all of it, or nothing when all has arrived, and have the registry check the digest. */
  async #close(session: Session): Promise<void> {
    const { sizeBytes } = this.#options.blob
    const url = new URL(session.location)
    // As text: whatever else stands in the query is kept as the registry wrote it.
    url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(this.#digest)}`
    const request = {
      method: 'PUT',
      to: url,
      what: `finish blob ${this.#digest}`,
      expect: [200, 201, 202, 204, 404, 413, 416],
      headers: { 'content-type': 'application/octet-stream' },
      body: this.#isWhole && sizeBytes > 0 ? this.#body(0, sizeBytes) : new Uint8Array(),
      attempts: 1,
    } as const
    const answer = await this.#client.send(request).catch(async caught => {
      throw await this.#explain(toReleaseError(caught))
    })
    await answer.finish()
    if (answer.status >= 400) throw this.#setBack(answer.status)
    this.isDone = true
  }

  /** When the registry found another digest, say whose bytes are wrong: ours, or those that arrived. */
  async #explain(error: ReleaseError): Promise<ReleaseError> {
    if (error.code !== 'REGISTRY_REFUSED' || error.details['status'] !== 400) return error
    const found = await this.#digestSource()
    if (found !== this.#digest) {
      const { source } = this.#options
      const path = source.kind === 'file' ? source.path : undefined
      return new ReleaseError('RELEASE_DAMAGED', `${path ?? 'a blob'} has ${found}, expected ${this.#digest}`, {
        details: { path, found, expected: this.#digest },
      })
    }
    const { codes } = error.details
    if (!Array.isArray(codes) || !codes.includes('DIGEST_INVALID')) return error
    this.#startOver()
    return new ReleaseError('REGISTRY_UNAVAILABLE', `blob ${this.#digest} did not arrive as it was sent`, {
      details: { digest: this.#digest, registry: this.#client.name.registry },
    })
  }

  #setBack(status: number): ReleaseError {
    return new ReleaseError('REGISTRY_UNAVAILABLE', `sending blob ${this.#digest} was answered with ${status}`, {
      details: { digest: this.#digest, status, registry: this.#client.name.registry },
    })
  }

  #startOver(): void {
    this.#session = undefined
    this.offsetBytes = 0
  }

  #body(start: number, end: number): StreamedBody {
    return { sizeBytes: end - start, pieces: () => this.#pieces(start, end) }
  }

  async *#pieces(start: number, end: number): AsyncGenerator<Uint8Array> {
    const { source, onProgress, bandwidth } = this.#options
    let doneBytes = start
    const pieces = readPieces(source, start, end)
    for await (const piece of bandwidth?.limit(pieces, this.#client.tools.signal) ?? pieces) {
      yield piece
      doneBytes += piece.byteLength
      onProgress(doneBytes)
    }
  }

  async #digestSource(): Promise<Digest> {
    const digester = new Digester()
    const { source, blob } = this.#options
    // Beyond its end, too, so that a file that has grown is told.
    for await (const piece of readPieces(source, 0, blob.sizeBytes + 1)) digester.update(piece)
    return digester.digest()
  }

  get #digest(): Digest {
    return this.#options.blob.digest
  }
}

/** Read how much of an upload has arrived from `Range: 0-LAST`. Some write it with a unit before it. */
function receivedBytes(answer: RegistryAnswer): number | undefined {
  const match = /^(?:bytes=)?0-(\d+)$/.exec(answer.header('range') ?? '')
  if (match === null) return undefined
  const last = Number(match[1])
  // An upload that has nothing is told as `0-0` by many, which would be one byte.
  return last === 0 ? 0 : last + 1
}

async function* readPieces(source: BlobSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  if (source.kind === 'memory') {
    yield source.bytes.subarray(start, end)
    return
  }
  try {
    yield* fs.createReadStream(source.path, { start, end: end - 1, highWaterMark: mebibyte })
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
