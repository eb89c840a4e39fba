import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'

/** A request as the fake got it, with what its body came to. */
export interface SeenRequest {
  readonly method: string
  /** Path and query below `/v2/NAME/`. */
  readonly path: string
  readonly authorization: string | undefined
  readonly headers: http.IncomingHttpHeaders
  bodyBytes: number
}

/** What a rule may do with a request instead of the usual answer. */
export type Fault = (request: http.IncomingMessage, response: http.ServerResponse, seen: SeenRequest) => void

/** A registry in memory, of one repository, that misbehaves as it is told. */
export interface FakeRegistry {
  readonly host: string
  readonly url: string
  readonly requests: SeenRequest[]
  readonly blobs: Map<string, Buffer>
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly type: string }>
  /** Blobs of other repositories, for mounts, by `REPOSITORY DIGEST`. */
  readonly mountable: Map<string, Buffer>
  readonly settings: FakeSettings
  /** Do something else with the next requests of a method whose path matches. */
  readonly fail: (method: string, path: RegExp, fault: Fault, times?: number) => void
  /** Do something else with requests that have another Authorization than the right one; before every other fault. */
  readonly failUnless: (path: RegExp, right: string, fault: Fault) => void
  /** Forget every upload that was begun. */
  readonly forgetUploads: () => void
  /** The methods and paths of the requests so far, digests shortened. */
  readonly log: () => readonly string[]
}

/** What the fake does like some registries and unlike others. */
export interface FakeSettings {
  /** Answer the list of referrers, and name subjects. */
  referrersApi: boolean
  namesSubjects: boolean
  /** Refuse chunks that are smaller, but for the last. */
  smallestChunkBytes: number
  /** Refuse bodies that are longer, with 413. */
  largestBodyBytes: number
  etags: boolean
  absoluteLocations: boolean
  headWithoutLength: boolean
  /** Break the connection after so many bytes of a body, keeping them; this often. */
  cutUploads: { readonly afterBytes: number; times: number }
}

/** Serve a registry on loopback until the test file ends. */
export async function fakeRegistry(settings: Partial<FakeSettings> = {}): Promise<FakeRegistry> {
  const fake = new Fake({
    referrersApi: true,
    namesSubjects: true,
    smallestChunkBytes: 0,
    largestBodyBytes: Number.POSITIVE_INFINITY,
    etags: false,
    absoluteLocations: false,
    headWithoutLength: false,
    cutUploads: { afterBytes: 0, times: 0 },
    ...settings,
  })
  fake.host = await listen((request, response) => void fake.answer(request, response))
  return fake
}

const servers = new Set<http.Server>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

/** Run a server on loopback until the test file ends; tells its `HOST:PORT`. */
export async function listen(answer: http.RequestListener): Promise<string> {
  const server = http.createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  servers.add(server)
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Upload {
  bytes: Buffer
}

class Fake implements FakeRegistry {
  readonly requests: SeenRequest[] = []
  readonly blobs = new Map<string, Buffer>()
  readonly manifests = new Map<string, { readonly bytes: Buffer; readonly type: string }>()
  readonly mountable = new Map<string, Buffer>()
  readonly settings: FakeSettings
  readonly #faults: { readonly method: string; readonly path: RegExp; readonly fault: Fault; times: number }[] = []
  readonly #guards: { readonly path: RegExp; readonly right: string; readonly fault: Fault }[] = []
  readonly #uploads = new Map<string, Upload>()
  #lastUpload = 0
  host = ''

  constructor(settings: FakeSettings) {
    this.settings = settings
  }

  get url(): string {
    return `http://${this.host}`
  }

  fail(method: string, path: RegExp, fault: Fault, times = 1): void {
    this.#faults.push({ method, path, fault, times })
  }

  failUnless(path: RegExp, right: string, fault: Fault): void {
    this.#guards.push({ path, right, fault })
  }

  forgetUploads(): void {
    this.#uploads.clear()
  }

  log(): readonly string[] {
    return this.requests.map(
      ({ method, path }) => `${method} ${path.replace(/(sha256[:-]|%3A)([0-9a-f]{6})[0-9a-f]{58}/g, '$1$2')}`,
    )
  }

  async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const path = url.replace(/^\/v2\/(?:[a-z]+\/[a-z]+\/)?/, '')
    const { authorization } = request.headers
    const seen: SeenRequest = { method, path, authorization, headers: request.headers, bodyBytes: 0 }
    if (url !== '/v2/') this.requests.push(seen)
    const guard = this.#guards.find(({ path: guarded, right }) => guarded.test(path) && authorization !== right)
    if (guard !== undefined && url !== '/v2/') return guard.fault(request, response, seen)
    const rule = this.#faults.find(fault => fault.times > 0 && fault.method === method && fault.path.test(path))
    if (rule !== undefined) {
      rule.times -= 1
      return rule.fault(request, response, seen)
    }
    const [kind = '', name = ''] = path.split(/[/?]/)
    if (kind === 'blobs' && name === 'uploads') return await this.#upload(request, response, seen)
    if (kind === 'blobs') return this.#blob(request, response, name)
    if (kind === 'manifests') return await this.#manifest(request, response, name)
    if (kind === 'referrers' && this.settings.referrersApi) return this.#referrers(response, name)
    response.writeHead(path === '' ? 200 : 404).end()
  }

  #blob(request: http.IncomingMessage, response: http.ServerResponse, digest: string): void {
    const bytes = this.blobs.get(digest)
    if (bytes === undefined) return void response.writeHead(404).end()
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const length =
      this.settings.headWithoutLength && request.method === 'HEAD' ? {} : { 'content-length': bytes.length - start }
    const range = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
    response.writeHead(start === 0 ? 200 : 206, { ...length, ...(start === 0 ? {} : range) })
    response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start))
  }

  async #manifest(request: http.IncomingMessage, response: http.ServerResponse, name: string): Promise<void> {
    if (request.method === 'PUT') return await this.#putManifest(request, response, name)
    const found = this.manifests.get(name)
    if (found === undefined) return void response.writeHead(404).end()
    const digest = digestOf(found.bytes)
    const etag = this.settings.etags ? { etag: `"${digest}"` } : {}
    const headers = {
      'content-type': found.type,
      'content-length': found.bytes.length,
      'docker-content-digest': digest,
    }
    response.writeHead(200, { ...headers, ...etag })
    response.end(request.method === 'HEAD' ? undefined : found.bytes)
  }

  async #putManifest(request: http.IncomingMessage, response: http.ServerResponse, name: string): Promise<void> {
    const condition = request.headers['if-match']
    const bytes = await readAll(request)
    const before = this.manifests.get(name)
    if (condition !== undefined && before !== undefined && condition !== `"${digestOf(before.bytes)}"`) {
      return void response.writeHead(412).end()
    }
    const stored = { bytes, type: request.headers['content-type'] ?? '' }
    const digest = digestOf(bytes)
    this.manifests.set(name, stored).set(digest, stored)
    const { subject } = JSON.parse(bytes.toString()) as { readonly subject?: { readonly digest: string } }
    const named = subject !== undefined && this.settings.namesSubjects ? { 'oci-subject': subject.digest } : {}
    response.writeHead(201, { 'docker-content-digest': digest, ...named }).end()
  }

  #referrers(response: http.ServerResponse, subject: string): void {
    const documents = [...this.manifests].filter(([name]) => name.startsWith('sha256:'))
    const manifests = documents.flatMap(([digest, { bytes, type }]) => {
      const document = JSON.parse(bytes.toString()) as { readonly subject?: { readonly digest: string } }
      return document.subject?.digest === subject ? [{ mediaType: type, digest, size: bytes.length }] : []
    })
    const type = 'application/vnd.oci.image.index.v1+json'
    response
      .writeHead(200, { 'content-type': type })
      .end(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }))
  }

  async #upload(request: http.IncomingMessage, response: http.ServerResponse, seen: SeenRequest): Promise<void> {
    const url = new URL(request.url ?? '', this.url)
    if (request.method === 'POST') return this.#begin(response, url)
    const id = url.pathname.split('/').at(-1) ?? ''
    const upload = this.#uploads.get(id)
    // The state in the query is what some registries go on with: it must come back as it was given.
    if (upload === undefined || !url.search.startsWith(`?state=${id}%2F~a`)) return void response.writeHead(404).end()
    if (request.method === 'GET') return void response.writeHead(204, this.#position(id, upload)).end()
    if (Number(request.headers['content-length'] ?? 0) > this.settings.largestBodyBytes) {
      return void response.writeHead(413, { connection: 'close' }).end()
    }
    const [, first, last] = /^(\d+)-(\d+)$/.exec(request.headers['content-range'] ?? '') ?? []
    if (first !== undefined && Number(first) !== upload.bytes.length) {
      return void response.writeHead(416, { ...this.#position(id, upload), connection: 'close' }).end()
    }
    const start = upload.bytes.length
    for await (const piece of request) {
      upload.bytes = Buffer.concat([upload.bytes, piece as Buffer])
      seen.bodyBytes += (piece as Buffer).length
      const { cutUploads } = this.settings
      if (cutUploads.times > 0 && seen.bodyBytes >= cutUploads.afterBytes) {
        cutUploads.times -= 1
        return void request.destroy()
      }
    }
    if (first !== undefined && Number(last) - Number(first) + 1 !== upload.bytes.length - start) {
      return void response.writeHead(400).end()
    }
    if (request.method === 'PATCH') return void response.writeHead(202, this.#position(id, upload)).end()
    this.#finish(response, url.searchParams.get('digest') ?? '', upload)
  }

  #begin(response: http.ServerResponse, url: URL): void {
    const [digest, from] = [url.searchParams.get('mount'), url.searchParams.get('from')]
    const mounted = this.mountable.get(`${from} ${digest}`)
    if (digest !== null && mounted !== undefined) {
      this.blobs.set(digest, mounted)
      return void response.writeHead(201, { location: `/v2/team/app/blobs/${digest}` }).end()
    }
    this.#lastUpload += 1
    const upload = { bytes: Buffer.alloc(0) }
    this.#uploads.set(String(this.#lastUpload), upload)
    response.writeHead(202, this.#position(String(this.#lastUpload), upload)).end()
  }

  #position(id: string, { bytes }: Upload): http.OutgoingHttpHeaders {
    const path = `/v2/team/app/blobs/uploads/${id}?state=${id}%2F~a`
    const least = this.settings.smallestChunkBytes
    return {
      location: this.settings.absoluteLocations ? `${this.url}${path}` : path,
      range: `0-${Math.max(0, bytes.length - 1)}`,
      ...(least === 0 ? {} : { 'oci-chunk-min-length': least }),
    }
  }

  #finish(response: http.ServerResponse, digest: string, { bytes }: Upload): void {
    if (digestOf(bytes) !== digest) {
      const errors = [{ code: 'DIGEST_INVALID', message: 'not what it should be' }]
      return void response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ errors }))
    }
    this.blobs.set(digest, bytes)
    response.writeHead(201, { location: `/v2/team/app/blobs/${digest}` }).end()
  }
}

/** Answer with a status and headers, and nothing else. */
export function status(code: number, headers: http.OutgoingHttpHeaders = {}): Fault {
  return (request, response) => {
    request.resume()
    response.writeHead(code, { 'content-length': 0, ...headers }).end()
  }
}

/** Send some bytes of a file or buffer as if there were more, and break the connection. */
export function cutDownload(bytes: Buffer, afterBytes: number, start = 0): Fault {
  return (_request, response) => {
    response.writeHead(start === 0 ? 200 : 206, {
      'content-length': bytes.length - start,
      ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
    })
    response.write(bytes.subarray(start, start + afterBytes), () => response.destroy())
  }
}

async function readAll(request: http.IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** Put an image layout into a fake as if it had been pushed. */
export function fill(fake: FakeRegistry, folder: string, tag: string, root: string): void {
  for (const name of fs.readdirSync(`${folder}/blobs/sha256`)) {
    const bytes = fs.readFileSync(`${folder}/blobs/sha256/${name}`)
    const type = documentType(bytes)
    if (type === undefined) fake.blobs.set(`sha256:${name}`, bytes)
    else fake.manifests.set(`sha256:${name}`, { bytes, type })
  }
  fake.manifests.set(tag, fake.manifests.get(root)!)
}

function documentType(bytes: Buffer): string | undefined {
  if (bytes[0] !== 0x7b) return undefined
  return (JSON.parse(bytes.toString()) as { readonly mediaType?: string }).mediaType
}
