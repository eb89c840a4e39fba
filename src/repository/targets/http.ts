import { ReleaseError } from '../../core/error.ts'
import { parseRelativePath } from '../../core/relative-path.ts'
import type { Content, StoredObject, TargetWriter } from '../target.ts'
import { assertReplaces, conflict, nothingThere } from './conflict.ts'
import { type DavAnswer, DavClient } from './dav.ts'
import { DavIncoming } from './dav-incoming.ts'
import { DavLeases } from './dav-lease.ts'
import { firstUnder, type LeaseTimes, takeLease, usualLeaseTimes } from './lease.ts'
import { collectPieces, digestPieces, resumedPieces, sentPieces } from './pieces.ts'
import type { Environment, TransferTools } from './tools.ts'

/** What a target on a web server is opened with. */
export interface HttpTargetOptions {
  /** Names the netrc file that credentials come from. */
  readonly environment: Environment
  readonly tools: TransferTools
  readonly leaseTimes?: LeaseTimes
}

/**
 * Open a folder of a WebDAV server as a publishing target.
 *
 * Every object is sent to a name of its own and moved into place, so that readers never see half of it, whatever the server does while a PUT
 * is under way. What is there is digested from its bytes. Plain WebDAV has no conditional MOVE: {@link TargetWriter.replace} looks and then
 * moves, and it is the lease that keeps others from coming between.
 * Errors: TARGET_CREDENTIALS, TARGET_UNKNOWN. Crash: at worst files in `.cutover/incoming/`; a lease of another day removes them.
 * Source: RFC 4918 §9.3, §9.6, §9.7, §9.9; nginx, ngx_http_dav_module.
 */
export function openHttp(
  base: URL,
  { environment, tools, leaseTimes = usualLeaseTimes }: HttpTargetOptions,
): TargetWriter {
  const client = new DavClient(base, environment, tools)
  const reader = new DavReader(client, tools)
  const incoming = new DavIncoming(client, tools)
  const writer = new DavObjects(client, { reader, incoming, tools })
  const { name } = client
  const head = async (key: string) => reader.head(parseRelativePath(key))
  return {
    name,
    parallelism: 4,
    head,
    get: async (key, maxBytes) => reader.get(parseRelativePath(key), maxBytes),
    read: (key, signal) => reader.read(parseRelativePath(key), signal),
    putNew: async (key, content) => {
      const found = (await head(key))?.digest
      if (found === content.digest) return 'unchanged'
      if (found !== undefined) throw conflict(name, key, { found, expected: content.digest })
      return (await writer.store(key, content, 'F')) ? 'written' : 'unchanged'
    },
    replace: async (key, content, ifMatch) => {
      const found = (await head(key))?.digest
      if (found === content.digest) return 'unchanged'
      assertReplaces(name, key, { found, expected: ifMatch })
      await writer.store(key, content, 'T')
      return 'written'
    },
    // Folders stay, also empty ones: a server deletes them with whatever somebody put there meanwhile.
    remove: async key => {
      await client.ask({ method: 'DELETE', key: parseRelativePath(key), expect: [200, 204, 404] })
    },
    // What the server has answered for is all that can be asked of it.
    sync: async () => {},
    lease: async (command, options) => {
      const store = new DavLeases(client)
      const lease = await takeLease({ name, command, options, store, times: leaseTimes, tools })
      return await firstUnder(lease, () => incoming.removeLeftovers())
    },
  }
}

/** Reads objects, going on where a connection was cut. */
class DavReader {
  readonly #client: DavClient
  readonly #tools: TransferTools

  constructor(client: DavClient, tools: TransferTools) {
    this.#client = client
    this.#tools = tools
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const answer = await this.#open(key)
    return answer === undefined ? undefined : await digestPieces(this.#pieces(key, answer))
  }

  async get(key: string, maxBytes: number): Promise<Buffer | undefined> {
    const answer = await this.#open(key)
    if (answer === undefined) return undefined
    return await collectPieces(this.#pieces(key, answer), maxBytes, { target: this.#client.name, key })
  }

  async *read(key: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const answer = await this.#open(key, signal)
    if (answer === undefined) throw nothingThere(this.#client.name, key)
    yield* this.#pieces(key, answer, signal)
  }

  async #open(key: string, signal?: AbortSignal): Promise<DavAnswer | undefined> {
    const answer = await this.#client.send({
      method: 'GET',
      key,
      expect: [200, 404, 410],
      // What stands between may not answer from memory: it is asked what is there now.
      headers: { 'cache-control': 'no-cache' },
      signal,
    })
    if (answer.status === 200) return answer
    await answer.finish()
    return undefined
  }

  /** Source: RFC 9110 §13.1.1 (If-Match), §14.2. */
  #pieces(key: string, opened: DavAnswer, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const openedOf = (answer: DavAnswer) => ({ body: answer.body, etag: answer.header('etag') })
    const resume = async (offset: number, etag: string) => {
      const headers = { 'cache-control': 'no-cache', range: `bytes=${offset}-`, 'if-match': etag }
      return openedOf(await this.#client.send({ method: 'GET', key, expect: [206], headers, signal }))
    }
    return resumedPieces(openedOf(opened), resume, { tools: this.#tools, signal })
  }
}

/** Puts objects in place. */
class DavObjects {
  readonly #client: DavClient
  readonly #reader: DavReader
  readonly #incoming: DavIncoming
  readonly #tools: TransferTools

  constructor(
    client: DavClient,
    parts: { readonly reader: DavReader; readonly incoming: DavIncoming; readonly tools: TransferTools },
  ) {
    this.#client = client
    this.#reader = parts.reader
    this.#incoming = parts.incoming
    this.#tools = parts.tools
  }

  /** Send an object and move it into place; false when the same bytes came there meanwhile. Errors: REPOSITORY_CONFLICT, those of the client. */
  async store(key: string, content: Content, overwrite: 'T' | 'F'): Promise<boolean> {
    const temporary = this.#incoming.newKey()
    try {
      await this.#send(temporary, key, content)
      const answer = await this.#move(temporary, key, overwrite)
      if (answer.status === 201 || answer.status === 204) return true
      await this.#discard(temporary)
      return await this.#meet(key, content, answer)
    } catch (caught) {
      await this.#discard(temporary)
      throw caught
    }
  }

  /** What was to be moved is gone or may not be: an attempt whose answer was lost did it, or another publisher. */
  async #meet(key: string, content: Content, { status, attempt }: DavAnswer): Promise<boolean> {
    const found = (await this.#reader.head(key))?.digest
    if (found === content.digest) return attempt > 1
    if (status === 412) throw conflict(this.#client.name, key, { found, expected: content.digest })
    throw new ReleaseError('TARGET_UNAVAILABLE', `${this.#client.name}: what was sent for ${key} is gone`, {
      details: { url: this.#client.name, key, status },
    })
  }

  async #send(temporary: string, key: string, content: Content): Promise<void> {
    await this.#client.write({
      method: 'PUT',
      key: temporary,
      expect: [200, 201, 204],
      headers: { 'content-type': content.mediaType },
      body: { sizeBytes: content.sizeBytes, pieces: () => sentPieces(key, content, this.#tools) },
      signal: content.signal,
    })
  }

  async #move(temporary: string, key: string, overwrite: 'T' | 'F'): Promise<DavAnswer> {
    const headers = { destination: this.#client.urlOf(key).href, overwrite }
    return await this.#client.write({ method: 'MOVE', key: temporary, expect: [201, 204, 404, 412], headers }, key)
  }

  /** What is not wanted any more is no reason to fail, nor to hide why it is not. */
  async #discard(temporary: string): Promise<void> {
    try {
      await this.#client.ask({ method: 'DELETE', key: temporary, expect: [200, 204, 404], attempts: 1 })
    } catch (caught) {
      if (!(caught instanceof ReleaseError)) throw caught
    }
  }
}
