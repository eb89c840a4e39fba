import fs from 'node:fs'
import path from 'node:path'
import { canonicalJson } from '../core/canonical-json.ts'
import { type Digest, digestOf, hexOf } from '../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { parseJson } from '../sys/files.ts'
import {
  type Descriptor,
  largestDocumentBytes,
  mediaTypes,
  parseDescriptor,
  parseDocument,
  renderDescriptor,
  type StoredDocument,
} from './document.ts'

/** Tell where a blob of an image layout is. */
export function layoutBlob(folder: string, digest: Digest): string {
  return path.join(folder, 'blobs', 'sha256', hexOf(digest))
}

/**
 * List what the index of an image layout names.
 *
 * Errors: IMAGE_INVALID (no layout, or one of another version). Source: image-spec image-layout.md.
 */
export function readLayout(folder: string): readonly Descriptor[] {
  const marker = parseObject(folder, 'oci-layout')
  if (marker['imageLayoutVersion'] !== '1.0.0') throw invalid(folder, 'is not an image layout of version 1.0.0')
  const { manifests } = parseObject(folder, 'index.json')
  if (!Array.isArray(manifests)) throw invalid(folder, 'has an index.json without a list of manifests')
  return manifests.map(manifest => parseDescriptor(manifest, path.join(folder, 'index.json')))
}

/** Tell whether a folder is an image layout, whatever is in it. */
export function isLayout(folder: string): boolean {
  return fs.existsSync(path.join(folder, 'oci-layout'))
}

/** Read a document of an image layout. Errors: IMAGE_INVALID (missing, or of another digest or size), IMAGE_UNSUPPORTED. */
export function readLayoutDocument(folder: string, { digest, mediaType, sizeBytes }: Descriptor): StoredDocument {
  const bytes = readSmall(folder, layoutBlob(folder, digest))
  if (digestOf(bytes) !== digest || bytes.byteLength !== sizeBytes) {
    throw invalid(folder, `has other bytes as ${digest} than that digest and ${sizeBytes} bytes`)
  }
  return parseDocument(bytes, mediaType, `${folder} ${digest}`)
}

/**
 * Find the documents of an image layout that refer to one of some digests, and those that refer to these.
 *
 * Shape: in the order of their digests, each after what it refers to. They need not be named in `index.json`.
 */
export function findReferrers(folder: string, subjects: readonly Digest[]): readonly StoredDocument[] {
  let left = listDocuments(folder).filter(({ document }) => document.subject !== undefined)
  const known = new Set(subjects)
  const found: StoredDocument[] = []
  for (;;) {
    const next = left.filter(({ document }) => known.has(document.subject!.digest))
    if (next.length === 0) return found
    found.push(...next)
    for (const { digest } of next) known.add(digest)
    left = left.filter(({ digest }) => !known.has(digest))
  }
}

/** Write what makes a folder of blobs an image layout with one image, `index.json` last. Errors: FILE_IO, FILE_NO_SPACE. */
export function writeLayoutIndex(folder: string, root: StoredDocument, tag: string | undefined): void {
  const { mediaType, digest, sizeBytes } = root
  const annotations: Record<string, string> = tag === undefined ? {} : { 'org.opencontainers.image.ref.name': tag }
  const entry = renderDescriptor({ mediaType, digest, sizeBytes, annotations })
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [entry] }
  try {
    fs.writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    fs.writeFileSync(path.join(folder, 'index.json'), canonicalJson(index))
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function listDocuments(folder: string): readonly StoredDocument[] {
  const blobs = path.join(folder, 'blobs', 'sha256')
  return listNames(folder, blobs).flatMap(name => {
    const file = path.join(blobs, name)
    const stat = fs.statSync(file, { throwIfNoEntry: false })
    if (stat?.isFile() !== true || stat.size > largestDocumentBytes || !startsLikeJson(file)) return []
    const document = readDocument(folder, file)
    // A file under another name than its digest is nobody's blob.
    return document === undefined || hexOf(document.digest) !== name ? [] : [document]
  })
}

function listNames(folder: string, blobs: string): readonly string[] {
  try {
    return fs.readdirSync(blobs).sort()
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) throw invalid(folder, `is no complete image layout: ${blobs} is missing`)
    throw toReleaseError(caught)
  }
}

/** Layers and other blobs are told from documents by their first byte, without reading them. */
function startsLikeJson(file: string): boolean {
  const descriptor = fs.openSync(file, 'r')
  try {
    const first = Buffer.alloc(1)
    return fs.readSync(descriptor, first) === 1 && first.toString() === '{'
  } finally {
    fs.closeSync(descriptor)
  }
}

/** A blob as the document that it says it is; undefined when it is none, such as a configuration. */
function readDocument(folder: string, file: string): StoredDocument | undefined {
  const bytes = readSmall(folder, file)
  try {
    const { mediaType } = JSON.parse(bytes.toString()) as { readonly mediaType?: unknown }
    return typeof mediaType === 'string' ? parseDocument(bytes, mediaType, file) : undefined
  } catch {
    // A blob may hold anything: what is no document refers to nothing.
    return undefined
  }
}

function parseObject(folder: string, name: string): Readonly<Record<string, unknown>> {
  const value = parseJson(readSmall(folder, path.join(folder, name)).toString(), path.join(folder, name))
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalid(folder, `has no object in ${name}`)
}

function readSmall(folder: string, file: string): Buffer {
  try {
    const stat = fs.statSync(file)
    // A pipe would be waited for, and a device never ends.
    if (!stat.isFile()) throw invalid(folder, `has something else than a file: ${file}`)
    if (stat.size > largestDocumentBytes) throw invalid(folder, `has too long a document: ${file}`)
    return fs.readFileSync(file)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) throw invalid(folder, `is no complete image layout: ${file} is missing`)
    throw toReleaseError(caught)
  }
}

function invalid(folder: string, problem: string): ReleaseError {
  return new ReleaseError('IMAGE_INVALID', `${folder} ${problem}`, { details: { path: folder } })
}
