import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { canonicalJson } from '../core/canonical-json.ts'
import { type Digest, digestOf, hexOf, isDigest } from '../core/digest.ts'
import { isErrno } from '../core/error.ts'
import { largestSegmentBytes } from './chunk.ts'
import { segmentFormat } from './codec.ts'
import type { Codec } from './manifest.ts'
import { type FileSums, isMd5 } from './sums.ts'

/** A compressed segment with what is said of it and of the files that end in it. */
export interface StoredSegment {
  readonly bytes: Uint8Array
  readonly digest: Digest
  readonly sums: FileSums
}

/** Where segments are kept from one packing to the next, and how much of them. */
export interface SegmentCachePlace {
  readonly folder: string
  /** What the folder may hold, 2 GiB when absent; the entries that were used longest ago go first. */
  readonly maxBytes?: number
}

type EntryHeader = Omit<StoredSegment, 'bytes'>

/** A segment, and before it a line about some hundred thousand small files. */
const largestEntryBytes = largestSegmentBytes + 32 * 1024 * 1024
const digestLineBytes = `sha256:${'0'.repeat(64)}\n`.length

/**
 * Compressed segments by their content.
 *
 * Shape: a file for each, named by a digest of all that decides about its bytes; in it the digest of its second line, that line (JSON with the
 * digests of the compressed bytes and of the files), and the compressed bytes.
 * What is damaged, of another form or cannot be read counts as not there, and is written anew. A folder that cannot be written keeps nothing.
 * Several processes may use it at once. Crash: a `.tmp` file, which goes like an entry that nobody uses.
 */
export class SegmentCache {
  readonly #place: SegmentCachePlace
  readonly #alike: Readonly<Record<string, unknown>>
  readonly #withMd5: boolean

  constructor(place: SegmentCachePlace, made: { readonly codec: Codec; readonly withMd5: boolean }) {
    this.#place = place
    this.#alike = { ...made, format: segmentFormat }
    this.#withMd5 = made.withMd5
  }

  /** Name an entry by the tar of its segment, after those before it when what is kept depends on them. */
  key(tarDigests: readonly Digest[]): string {
    return hexOf(digestOf(canonicalJson({ ...this.#alike, tarDigests })))
  }

  /** Read an entry of so many files and mark it as used, or undefined when there is none that can be trusted. */
  read(key: string, fileCount: number): StoredSegment | undefined {
    const content = readEntry(path.join(this.#place.folder, key))
    if (content === undefined) return undefined
    const headerEnd = content.indexOf('\n', digestLineBytes) + 1
    const header = content.subarray(digestLineBytes, headerEnd)
    if (content.toString('latin1', 0, digestLineBytes) !== `${digestOf(header)}\n`) return undefined
    const bytes = content.subarray(headerEnd)
    const stored = parseHeader(header.toString(), { files: fileCount, md5s: this.#withMd5 ? fileCount : 0 })
    return stored?.digest === digestOf(bytes) ? { bytes, ...stored } : undefined
  }

  /** Keep a segment. Post: it is there whole, or not at all. */
  async write(key: string, { bytes, digest, sums }: StoredSegment): Promise<void> {
    const header = `${canonicalJson({ digest, sums })}\n`
    const file = path.join(this.#place.folder, key)
    const temporary = `${file}.${randomBytes(4).toString('hex')}.tmp`
    await ifUsable(async () => {
      await fs.promises.mkdir(this.#place.folder, { recursive: true, mode: 0o700 })
      await fs.promises.writeFile(temporary, [`${digestOf(header)}\n${header}`, bytes], { flag: 'wx', mode: 0o600 })
      await fs.promises.rename(temporary, file)
    })
  }

  /** Remove what was used longest ago until the rest is no larger than it may be. */
  async prune(): Promise<void> {
    const { folder, maxBytes = 2 * 1024 ** 3 } = this.#place
    await ifUsable(async () => {
      const names = await fs.promises.readdir(folder)
      const entries = names.map(name => {
        const file = path.join(folder, name)
        return { file, stat: fs.lstatSync(file, { throwIfNoEntry: false }) }
      })
      let keptBytes = 0
      for (const { file, stat } of entries.toSorted((a, b) => (b.stat?.mtimeMs ?? 0) - (a.stat?.mtimeMs ?? 0))) {
        keptBytes += stat?.size ?? 0
        if (keptBytes > maxBytes) fs.rmSync(file, { force: true })
      }
    })
  }
}

/** Open the cache of a packing, if it has one. */
export function openCache(made: {
  readonly cachePlace: SegmentCachePlace | undefined
  readonly codec: Codec
  readonly withMd5: boolean
}): SegmentCache | undefined {
  const { cachePlace, codec, withMd5 } = made
  return cachePlace === undefined ? undefined : new SegmentCache(cachePlace, { codec, withMd5 })
}

/** Read a whole file and set its time, by which {@link SegmentCache.prune} knows what is in use. */
function readEntry(file: string): Buffer | undefined {
  let descriptor: number | undefined
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
    const stat = fs.fstatSync(descriptor)
    if (!stat.isFile() || stat.size > largestEntryBytes) return undefined
    const content = Buffer.allocUnsafeSlow(stat.size)
    const readBytes = fs.readSync(descriptor, content, 0, stat.size, 0)
    const nowSeconds = Date.now() / 1000
    fs.futimesSync(descriptor, nowSeconds, nowSeconds)
    return content.subarray(0, readBytes)
  } catch (caught) {
    if (isErrno(caught)) return undefined
    throw caught
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor)
  }
}

/** Read the second line of an entry, which whoever wrote into the folder may have made. */
function parseHeader(text: string, count: { readonly files: number; readonly md5s: number }): EntryHeader | undefined {
  try {
    const header = JSON.parse(text) as Partial<EntryHeader> | null
    const isWhole =
      isDigest(header?.digest) &&
      isListOf(header.sums?.digests, isDigest, count.files) &&
      isListOf(header.sums?.md5s, isMd5, count.md5s)
    return isWhole ? (header as EntryHeader) : undefined
  } catch (caught) {
    if (caught instanceof SyntaxError) return undefined
    throw caught
  }
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean, length: number): boolean {
  return Array.isArray(value) && value.length === length && value.every(isItem)
}

/** The cache saves time and is not worth an error: what cannot be written is not kept. */
async function ifUsable(use: () => Promise<void>): Promise<void> {
  try {
    await use()
  } catch (caught) {
    if (!isErrno(caught)) throw caught
  }
}
