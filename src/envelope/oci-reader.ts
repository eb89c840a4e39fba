import path from 'node:path'
import { type Digest, digestOf, hexOf, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { readRange } from './input.ts'

/** The parts of an image that its proof needs. */
export interface ImageContents {
  /** Its layers, each once: the file and what its digest has to be. */
  readonly layers: readonly { readonly file: string; readonly digest: Digest }[]
  /** The diff_ids of all its configurations. */
  readonly diffIds: readonly string[]
}

/** No JSON document of an image is longer: the limit that registries have for manifests. */
const largestDocumentBytes = 4 * 1024 * 1024

/**
 * Read an image layout from its index down to its layers, each document checked against the digest that names it.
 *
 * Errors: IMAGE_INVALID. Source: OCI image-spec 1.1 image-layout, descriptor.
 */
export function readImage(folder: string): ImageContents {
  const layout = parse(folder, read(folder, 'oci-layout'))
  if (layout['imageLayoutVersion'] !== '1.0.0') throw imageError(folder, 'is not an image layout of version 1.0.0')
  const [entry] = list(folder, parse(folder, read(folder, 'index.json'))['manifests'])
  const index = document(folder, entry)
  const layers = new Map<Digest, string>()
  const diffIds: string[] = []
  for (const descriptor of list(folder, index['manifests'])) {
    const manifest = document(folder, descriptor)
    for (const layer of list(folder, manifest['layers'])) layers.set(digestIn(folder, layer), blobFile(folder, layer))
    const config = document(folder, manifest['config'])
    const rootfs = config['rootfs']
    diffIds.push(...list(folder, isObject(rootfs) ? rootfs['diff_ids'] : undefined).map(String))
  }
  return { layers: [...layers].map(([digest, file]) => ({ file, digest })), diffIds }
}

type JsonObject = Readonly<Record<string, unknown>>

function document(folder: string, descriptor: unknown): JsonObject {
  const file = blobFile(folder, descriptor)
  const bytes = readRange({ file, offset: 0, sizeBytes: largestDocumentBytes })
  const expected = digestIn(folder, descriptor)
  const found = digestOf(bytes)
  if (found !== expected) throw imageError(folder, `has a blob with ${found}, expected ${expected}`)
  return parse(folder, bytes)
}

function blobFile(folder: string, descriptor: unknown): string {
  return path.join(folder, 'blobs', 'sha256', hexOf(digestIn(folder, descriptor)))
}

function digestIn(folder: string, descriptor: unknown): Digest {
  const digest = isObject(descriptor) ? descriptor['digest'] : undefined
  if (!isDigest(digest)) throw imageError(folder, 'has a descriptor without a digest')
  return digest
}

function read(folder: string, name: string): Buffer {
  return readRange({ file: path.join(folder, name), offset: 0, sizeBytes: largestDocumentBytes })
}

function parse(folder: string, bytes: Buffer): JsonObject {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    if (isObject(value)) return value
  } catch (caught) {
    throw imageError(folder, 'holds a document that is not JSON', caught)
  }
  throw imageError(folder, 'holds a document that is not an object')
}

function list(folder: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw imageError(folder, 'holds a document without its list')
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function imageError(folder: string, problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('IMAGE_INVALID', `${folder} ${problem}`, { cause, details: { path: folder } })
}
