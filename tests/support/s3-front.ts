import { createHash, randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/*
 * What the emulator of S3 lacks, in front of it: `emulate` 0.12.2 stores, lists, copies and deletes objects, but takes every PUT whatever its
 * If-Match or If-None-Match says, knows no checksums, no ranges, no multipart uploads, does not decode
 * the source of a copy, and keeps no Cache-Control.
 * Source: Amazon S3 API Reference; User Guide, "Conditional writes", "Checking object integrity", "Multipart upload overview".
 */

/** A request, with its whole body. */
export interface S3Request {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** An answer, with its whole body. */
export interface S3Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** What the emulator does not keep of an object. */
interface Kept {
  readonly checksum: string | undefined
  readonly cacheControl: string | undefined
  /** That of an object of several parts is not the emulator's. */
  readonly etag: string | undefined
}

interface StoredPart {
  readonly etag: string
  readonly checksum: string
  readonly body: Buffer
}

interface Upload {
  readonly path: string
  readonly contentType: string
  readonly cacheControl: string | undefined
  readonly initiated: Date
  readonly parts: Map<number, StoredPart>
}

const none = Buffer.alloc(0)
const sumOf = (body: Buffer) => createHash('sha256').update(body).digest('base64')
const md5 = (body: Buffer) => createHash('md5').update(body).digest('hex')

/** Answers for the emulator, and adds conditions, checksums, ranges and multipart uploads. */
export class S3Front {
  readonly #upstream: string
  readonly #kept = new Map<string, Kept>()
  readonly uploads = new Map<string, Upload>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(upstream: string) {
    this.#upstream = upstream
  }

  /** Cache-Control of an object. */
  cacheControlOf(path: string): string | undefined {
    return this.#kept.get(path)?.cacheControl
  }

  /** One request after the other: a condition and its write are one step. */
  answer(request: S3Request): Promise<S3Answer> {
    const answered = this.#last.then(() => this.#answer(request))
    this.#last = answered.catch(() => undefined)
    return answered
  }

  async #answer(request: S3Request): Promise<S3Answer> {
    const { method, url, headers, body } = request
    const said = headers['x-amz-content-sha256']
    if (
      said !== undefined &&
      /^[0-9a-f]{64}$/.test(String(said)) &&
      createHash('sha256').update(body).digest('hex') !== said
    )
      return failure(400, 'XAmzContentSHA256Mismatch')
    if (headers['content-encoding']?.includes('aws-chunked') === true) return failure(501, 'NotImplemented')
    const parameters = url.searchParams
    if (parameters.has('uploads')) return method === 'POST' ? this.#begin(request) : this.#listUploads(parameters)
    const id = parameters.get('uploadId')
    if (id !== null) return await this.#part(id, request)
    if (method === 'PUT') return await this.#put(request)
    if (method === 'GET' || method === 'HEAD') return await this.#read(request)
    this.#kept.delete(url.pathname)
    return await this.#pass(request)
  }

  async #put(request: S3Request): Promise<S3Answer> {
    const { url, headers, body } = request
    const refused = await this.#refusal(request)
    if (refused !== undefined) return refused
    const checksum = headers['x-amz-checksum-sha256']
    if (checksum !== undefined && checksum !== sumOf(body)) return failure(400, 'BadDigest')
    const answer = await this.#pass(request)
    if (answer.status !== 200) return answer
    const copied = headers['x-amz-copy-source'] === undefined ? undefined : await this.#passed('GET', url)
    const whole = checksum === undefined && copied === undefined ? undefined : sumOf(copied?.body ?? body)
    this.#kept.set(url.pathname, { checksum: whole, cacheControl: headers['cache-control'], etag: undefined })
    return answer
  }

  async #read(request: S3Request): Promise<S3Answer> {
    const { method, url, headers } = request
    const answer = await this.#pass(request)
    if (answer.status !== 200) return answer
    const kept = this.#kept.get(url.pathname)
    const asked = headers['x-amz-checksum-mode'] === 'ENABLED'
    const added = {
      ...answer.headers,
      ...(kept?.etag === undefined ? {} : { etag: kept.etag }),
      ...(kept?.cacheControl === undefined ? {} : { 'cache-control': kept.cacheControl }),
      ...(kept?.checksum === undefined || !asked ? {} : { 'x-amz-checksum-sha256': kept.checksum }),
    }
    if (headers['if-match'] !== undefined && headers['if-match'] !== added.etag)
      return failure(412, 'PreconditionFailed')
    const [, start, last = ''] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
    if (method === 'HEAD' || start === undefined) return { ...answer, headers: added }
    const end = last === '' ? answer.body.byteLength : Math.min(Number(last) + 1, answer.body.byteLength)
    const rest = answer.body.subarray(Number(start), end)
    const span = `bytes ${start}-${end - 1}/${answer.body.byteLength}`
    return {
      status: 206,
      headers: { ...added, 'content-length': String(rest.byteLength), 'content-range': span },
      body: rest,
    }
  }

  async #refusal({ url, headers }: S3Request): Promise<S3Answer | undefined> {
    const { 'if-match': match, 'if-none-match': noneMatch } = headers
    if (match === undefined && noneMatch === undefined) return undefined
    const found = await this.#passed('HEAD', url)
    const etag = this.#kept.get(url.pathname)?.etag ?? found.headers['etag']
    if (noneMatch === '*' && found.status === 200) return failure(412, 'PreconditionFailed')
    if (match === undefined) return undefined
    if (found.status === 404) return failure(404, 'NoSuchKey')
    return match === etag ? undefined : failure(412, 'PreconditionFailed')
  }

  #begin({ url, headers }: S3Request): S3Answer {
    const id = randomUUID()
    this.uploads.set(id, {
      path: url.pathname,
      contentType: headers['content-type'] ?? 'application/octet-stream',
      cacheControl: headers['cache-control'],
      initiated: new Date(),
      parts: new Map(),
    })
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
  }

  #listUploads(parameters: URLSearchParams): S3Answer {
    const keyOf = (path: string) => decodeURIComponent(path.split('/').slice(2).join('/'))
    const uploads = [...this.uploads].filter(([, { path }]) => keyOf(path).startsWith(parameters.get('prefix') ?? ''))
    const listed = uploads.map(([id, { path, initiated }]) => {
      const key = keyOf(path).replaceAll('&', '&amp;').replaceAll('<', '&lt;')
      return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${initiated.toISOString()}</Initiated></Upload>`
    })
    return xml(`<ListMultipartUploadsResult>${listed.join('')}</ListMultipartUploadsResult>`)
  }

  async #part(id: string, request: S3Request): Promise<S3Answer> {
    const upload = this.uploads.get(id)
    if (upload === undefined) return failure(404, 'NoSuchUpload')
    const { method, url, headers, body } = request
    if (method === 'DELETE') {
      this.uploads.delete(id)
      return { status: 204, headers: {}, body: none }
    }
    if (method === 'GET') return listParts(upload)
    if (method === 'POST') return await this.#complete(id, upload, request)
    const checksum = sumOf(body)
    if (headers['x-amz-checksum-sha256'] !== checksum) return failure(400, 'BadDigest')
    const etag = `"${md5(body)}"`
    upload.parts.set(Number(url.searchParams.get('partNumber')), { etag, checksum, body })
    return { status: 200, headers: { etag, 'x-amz-checksum-sha256': checksum }, body: none }
  }

  async #complete(id: string, upload: Upload, request: S3Request): Promise<S3Answer> {
    const refused = await this.#refusal(request)
    if (refused !== undefined) return refused
    const named = request.body.toString().match(/<Part>.*?<\/Part>/gs) ?? []
    const parts: StoredPart[] = []
    for (const [index, text] of named.entries()) {
      const part = upload.parts.get(Number(/<PartNumber>(\d+)</.exec(text)?.[1]))
      const etag = /<ETag>(.*?)</.exec(text)?.[1]?.replaceAll('&quot;', '"')
      if (part === undefined || part.etag !== etag || !text.includes(part.checksum)) return failure(400, 'InvalidPart')
      if (part.body.byteLength < 5 * 1024 ** 2 && index < named.length - 1) return failure(400, 'EntityTooSmall')
      parts.push(part)
    }
    const url = new URL(request.url.pathname, request.url)
    const body = Buffer.concat(parts.map(part => part.body))
    const stored = await this.#pass({ method: 'PUT', url, headers: { 'content-type': upload.contentType }, body })
    if (stored.status !== 200) return stored
    const sums = Buffer.concat(parts.map(part => Buffer.from(part.checksum, 'base64')))
    const etag = `"${md5(sums)}-${parts.length}"`
    const checksum = `${sumOf(sums)}-${parts.length}`
    this.#kept.set(url.pathname, { checksum, cacheControl: upload.cacheControl, etag })
    this.uploads.delete(id)
    return xml(`<CompleteMultipartUploadResult><ETag>${etag}</ETag></CompleteMultipartUploadResult>`)
  }

  #passed(method: string, url: URL): Promise<S3Answer> {
    return this.#pass({ method, url: new URL(url.pathname, url), headers: {}, body: none })
  }

  async #pass({ method, url, headers, body }: S3Request): Promise<S3Answer> {
    const { 'content-type': type, 'x-amz-copy-source': source } = headers
    const passedOn = {
      ...(type === undefined ? {} : { 'content-type': type }),
      // The emulator looks for the key as it stands there, and it stands there encoded.
      ...(typeof source === 'string' ? { 'x-amz-copy-source': decodeURIComponent(source) } : {}),
    }
    const response = await fetch(new URL(`${url.pathname}${url.search}`, this.#upstream), {
      method,
      headers: passedOn,
      ...(method === 'PUT' || method === 'POST' ? { body: new Uint8Array(body) } : {}),
    })
    const given = Object.fromEntries(
      ['content-type', 'content-length', 'etag', 'last-modified'].flatMap(name => {
        const value = response.headers.get(name)
        return value === null ? [] : [[name, value] as const]
      }),
    )
    return { status: response.status, headers: given, body: Buffer.from(await response.arrayBuffer()) }
  }
}

function listParts({ parts }: Upload): S3Answer {
  const listed = [...parts].map(
    ([number, { etag, checksum, body }]) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag><Size>${body.byteLength}</Size><ChecksumSHA256>${checksum}</ChecksumSHA256></Part>`,
  )
  return xml(`<ListPartsResult><IsTruncated>false</IsTruncated>${listed.join('')}</ListPartsResult>`)
}

function xml(text: string): S3Answer {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${text}`)
  return { status: 200, headers: { 'content-type': 'application/xml' }, body }
}

/** An error as S3 words it. */
export function failure(status: number, code: string, headers: Readonly<Record<string, string>> = {}): S3Answer {
  return {
    ...xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`),
    status,
    headers: { ...headers, 'content-type': 'application/xml' },
  }
}
