import type { CompletedPart, Part } from '@aws-sdk/client-s3'
import type { Content } from '../target.ts'
import { sentPieces } from './pieces.ts'
import { cut, partBytesOf, sumOf } from './s3-checksum.ts'
import type { S3Store } from './s3-store.ts'
import type { TransferTools } from './tools.ts'

/** An object that is sent in parts. */
export interface PartedUpload {
  readonly key: string
  readonly content: Content
  readonly cacheControl: string
  /** On which condition the object comes into being. */
  readonly condition: { readonly IfNoneMatch?: string; readonly IfMatch?: string }
}

/** So many parts of an object are on their way at once, and in memory; the target takes several objects at once, too. */
const parallelParts = 2
/** Nobody goes on with an upload that is older. */
const staleMs = 7 * 24 * 3600 * 1000

/** An upload that was begun, and what the store has of it. */
interface Begun {
  readonly id: string
  readonly parts: ReadonlyMap<number, Part>
}

/**
 * Send an object in parts, going on with an upload that was begun before: parts whose sum the store has already are not sent again.
 *
 * Post: false when the condition does not hold. The object appears whole, with its last request.
 * Crash: the upload stays at the store, invisible, for the next publisher to go on with.
 * Source: Amazon S3 API Reference, CreateMultipartUpload, ListParts, CompleteMultipartUpload.
 */
export async function uploadInParts(store: S3Store, upload: PartedUpload, tools: TransferTools): Promise<boolean> {
  const begun = (await findBegun(store, upload.key, tools)) ?? (await begin(store, upload))
  const parts = await sendParts(store, upload, begun, tools)
  const done = await store.attempt(`complete ${upload.key}`, 'precondition', ({ client, sdk }) =>
    client.send(
      new sdk.CompleteMultipartUploadCommand({
        ...store.objectOf(upload.key),
        ...upload.condition,
        UploadId: begun.id,
        MultipartUpload: { Parts: parts },
      }),
    ),
  )
  if (done === undefined) await abort(store, upload.key, begun.id)
  return done !== undefined
}

async function begin(store: S3Store, { key, content, cacheControl }: PartedUpload): Promise<Begun> {
  const created = await store.run(`begin ${key}`, ({ client, sdk }) =>
    client.send(
      new sdk.CreateMultipartUploadCommand({
        ...store.objectOf(key),
        ContentType: content.mediaType,
        CacheControl: cacheControl,
        ChecksumAlgorithm: 'SHA256',
        ChecksumType: 'COMPOSITE',
      }),
    ),
  )
  return { id: created.UploadId ?? '', parts: new Map() }
}

/** Find the newest upload of a key that was begun, and end those that nobody goes on with. */
async function findBegun(store: S3Store, key: string, tools: TransferTools): Promise<Begun | undefined> {
  const whole = store.keyOf(key)
  const listed = await store.run(`list uploads of ${key}`, ({ client, sdk }) =>
    client.send(new sdk.ListMultipartUploadsCommand({ Bucket: store.bucket, Prefix: whole })),
  )
  const uploads = (listed.Uploads ?? []).filter(upload => upload.Key === whole && upload.UploadId !== undefined)
  const initiatedMs = (upload: (typeof uploads)[number]) => upload.Initiated?.getTime() ?? 0
  const isStale = (upload: (typeof uploads)[number]) => initiatedMs(upload) < tools.clock.nowMs() - staleMs
  for (const upload of uploads.filter(isStale)) await abort(store, key, upload.UploadId!)
  const [newest] = uploads.filter(upload => !isStale(upload)).toSorted((a, b) => initiatedMs(b) - initiatedMs(a))
  if (newest === undefined) return undefined
  const id = newest.UploadId!
  return { id, parts: await listParts(store, key, id) }
}

async function listParts(store: S3Store, key: string, id: string): Promise<ReadonlyMap<number, Part>> {
  const parts = new Map<number, Part>()
  let marker: string | undefined
  do {
    const page = await store.run(`list parts of ${key}`, ({ client, sdk }) =>
      client.send(
        new sdk.ListPartsCommand({
          ...store.objectOf(key),
          UploadId: id,
          ...(marker === undefined ? {} : { PartNumberMarker: marker }),
        }),
      ),
    )
    for (const part of page.Parts ?? []) parts.set(part.PartNumber ?? 0, part)
    marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined
  } while (marker !== undefined)
  return parts
}

/** Send what is missing, some parts at once; the whole is checked on the way. */
async function sendParts(
  store: S3Store,
  { key, content }: PartedUpload,
  begun: Begun,
  tools: TransferTools,
): Promise<CompletedPart[]> {
  const stop = new AbortController()
  const signal = content.signal === undefined ? stop.signal : AbortSignal.any([content.signal, stop.signal])
  const parts: Promise<CompletedPart>[] = []
  const underWay = new Set<Promise<unknown>>()
  let number = 0
  try {
    for await (const bytes of cut(sentPieces(key, content, tools), partBytesOf(content.sizeBytes))) {
      number += 1
      const part = sendPart(store, { key, id: begun.id, number, bytes, known: begun.parts.get(number), signal })
      parts.push(part)
      // Its failure is thrown below; here only its end counts.
      const end: Promise<unknown> = part.catch(reason => stop.abort(reason)).finally(() => underWay.delete(end))
      underWay.add(end)
      if (underWay.size >= parallelParts) await Promise.race(underWay)
      signal.throwIfAborted()
    }
    return await Promise.all(parts)
  } catch (caught) {
    stop.abort(caught)
    await Promise.allSettled(parts)
    throw caught
  }
}

interface OutgoingPart {
  readonly key: string
  readonly id: string
  readonly number: number
  readonly bytes: Buffer
  /** What the store has under this number. */
  readonly known: Part | undefined
  readonly signal: AbortSignal
}

async function sendPart(
  store: S3Store,
  { key, id, number, bytes, known, signal }: OutgoingPart,
): Promise<CompletedPart> {
  const sum = sumOf(bytes)
  if (known?.ChecksumSHA256 === sum && known.Size === bytes.byteLength && known.ETag !== undefined) {
    return { PartNumber: number, ETag: known.ETag, ChecksumSHA256: sum }
  }
  const sent = await store.run(`part ${number} of ${key}`, ({ client, sdk }) =>
    client.send(
      new sdk.UploadPartCommand({
        ...store.objectOf(key),
        UploadId: id,
        PartNumber: number,
        Body: bytes,
        ChecksumSHA256: sum,
      }),
      { abortSignal: signal },
    ),
  )
  return { PartNumber: number, ...(sent.ETag === undefined ? {} : { ETag: sent.ETag }), ChecksumSHA256: sum }
}

async function abort(store: S3Store, key: string, id: string): Promise<void> {
  await store.attempt(`abort ${key}`, 'missing', ({ client, sdk }) =>
    client.send(new sdk.AbortMultipartUploadCommand({ ...store.objectOf(key), UploadId: id })),
  )
}
