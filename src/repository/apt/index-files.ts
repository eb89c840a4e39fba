import { ReleaseError } from '../../core/error.ts'
import { digestOfDocument } from '../document.ts'
import { type Chunk, cutRecords, type Edit, editChunks, type RecordList, splitRecords } from './chunks.ts'
import type { IndexForm, Piece } from './forms.ts'
import type { IndexFile, IndexGeneration } from './state.ts'

/** Read a file of an index as it was listed. */
export type ReadIndexFile = (file: IndexFile) => Promise<Buffer>

/** An index, read. */
export interface OpenIndex {
  /** Its text, chunk by chunk. */
  readonly chunks: readonly Buffer[]
  /** The same chunks as they are in each compressed form that it has, by extension. */
  readonly pieces: ReadonlyMap<string, readonly Piece[]>
}

/** An index in all its forms. */
export interface MadeIndex {
  readonly chunks: readonly Buffer[]
  readonly generation: IndexGeneration
  /** By extension. */
  readonly files: ReadonlyMap<string, Buffer>
}

/** An index that lists nothing. */
export const emptyIndex: OpenIndex = { chunks: [], pieces: new Map() }

/** Forms that can be decoded here, the fastest first. */
const readable = ['.zst', '.gz', '']

/**
 * Read an index, no more of its files than are needed to write the next one.
 *
 * Errors: REPOSITORY_DAMAGED (no form of it can be taken apart, or as `read` says).
 */
export async function openIndex<Key>(
  generation: IndexGeneration,
  forms: readonly IndexForm[],
  options: { readonly list: RecordList<Key>; readonly read: ReadIndexFile; readonly place: string },
): Promise<OpenIndex> {
  const source = readable.find(extension => generation[extension] !== undefined)
  const pieces = new Map<string, readonly Piece[]>()
  for (const form of forms) {
    const file = generation[form.extension]
    if (file === undefined || form.extension === '') continue
    const walked = form.walk(await options.read(file))
    if (walked !== undefined) pieces.set(form.extension, walked)
  }
  const form = forms.find(({ extension, expand }) => extension === source && expand !== undefined)
  const walked = form === undefined ? undefined : pieces.get(form.extension)
  if (form?.expand !== undefined && walked !== undefined) return { chunks: walked.map(form.expand), pieces }
  const plain = generation['']
  if (plain === undefined) throw unreadable(options.place)
  const text = (await options.read(plain)).toString()
  return { chunks: text === '' ? [] : cutRecords(splitRecords(text, options.list), options.list), pieces }
}

/** Apply edits to an index and write it in all forms. Pieces of chunks that did not change are taken as they are. */
export async function editIndex<Key>(
  before: OpenIndex,
  edits: readonly Edit<Key>[],
  options: { readonly list: RecordList<Key>; readonly forms: readonly IndexForm[] },
): Promise<MadeIndex> {
  const chunks = editChunks(before.chunks, edits, options.list)
  const files = new Map<string, Buffer>()
  for (const form of options.forms) {
    files.set(form.extension, form.join(await piecesOf(chunks, before, form)))
  }
  const generation = Object.fromEntries([...files].map(([extension, bytes]) => [extension, fileOf(bytes)]))
  return { chunks: chunks.map(chunk => chunk.plain), generation, files }
}

async function piecesOf(chunks: readonly Chunk[], before: OpenIndex, form: IndexForm): Promise<readonly Piece[]> {
  const known = before.pieces.get(form.extension) ?? []
  const isAligned =
    known.length === before.chunks.length &&
    known.every((piece, at) => piece.plainSizeBytes === before.chunks[at]!.byteLength)
  const taken = chunks.map(({ source }) => (isAligned && source !== undefined ? known[source] : undefined))
  const made = await form.compress(chunks.filter((_, at) => taken[at] === undefined).map(chunk => chunk.plain))
  let next = 0
  return taken.map(piece => piece ?? made[next++]!)
}

/** Describe bytes as an index lists them. */
export function fileOf(bytes: Buffer): IndexFile {
  return { sizeBytes: bytes.byteLength, digest: digestOfDocument({ bytes }) }
}

/** Tell whether two states of an index are the same files. */
export function isSameGeneration(a: IndexGeneration, b: IndexGeneration): boolean {
  return (
    hasForms(a, Object.keys(b)) && Object.entries(a).every(([extension, { digest }]) => b[extension]?.digest === digest)
  )
}

/** Tell whether an index is there in these forms and no others. */
export function hasForms(generation: IndexGeneration, extensions: readonly string[]): boolean {
  return (
    Object.keys(generation).length === extensions.length &&
    extensions.every(extension => generation[extension] !== undefined)
  )
}

/** An index cannot be read: its packages are still in the pool. */
export function unreadable(place: string, cause?: unknown): ReleaseError {
  return new ReleaseError('REPOSITORY_DAMAGED', `${place} is not the index that was published`, {
    hint: 'make the indexes anew from what the repository holds: release reindex',
    details: { key: place },
    ...(cause === undefined ? {} : { cause }),
  })
}
