import { decompressSegment } from './decode.ts'
import { attemptFile, FileWriter } from './file-writer.ts'
import { type LocalFile, placeLocalFile } from './local-file.ts'
import type { Codec, Segment } from './manifest.ts'
import type { PayloadFile } from './payload-file.ts'

/** What writing a tree depends on. Plain data: it is sent to threads. */
export interface TreeSettings {
  /** Where the payload's root is written; its folders are there. */
  readonly folder: string
  readonly codec: Codec
  readonly mtimeSeconds: number
  /** The process's umask, asked for once for all files. */
  readonly mask: number
}

/** The files whose content lies in one segment, and the segment: as it was fetched, or its tar. */
export interface SegmentContent {
  readonly segment: Segment
  /** Those that are wanted, in order. */
  readonly files: readonly PayloadFile[]
  readonly form: 'compressed' | 'tar'
  readonly bytes: Uint8Array
}

/** Whatever writes the files of a tree: this thread, or {@link TreeThreads}. */
export interface TreeWriter {
  /** Put files that are on this machine in their places; the paths of those that could not be. Errors: FILE_IO, FILE_NO_SPACE. */
  readonly place: (files: readonly LocalFile[]) => Promise<readonly string[]>
  /**
   * Write what lies in a segment; the promise resolves when the next one may be given. Pre: segments ascend.
   * Errors, here or by {@link finish}: SEGMENT_DECODE, FILE_DIGEST, FILE_IO, FILE_NO_SPACE.
   */
  readonly write: (content: SegmentContent) => Promise<void>
  /** Post: all that was given is written. */
  readonly finish: () => Promise<void>
  /** Let nothing of a file stay that is not whole. */
  readonly close: () => Promise<void>
}

/** How many segments are decompressed ahead of the writing, in other threads. */
const segmentsAhead = 2

/** Write a tree in this thread. */
export function openTreeWriter(settings: TreeSettings): TreeWriter {
  const files = new SegmentFiles(settings)
  const ahead: Promise<void>[] = []
  let last = Promise.resolve()
  return {
    place: async locals => placeAll(locals, settings),
    write: async content => {
      const tar = tarOf(content, settings.codec)
      last = Promise.all([tar, last]).then(([bytes]) => files.write(content, bytes))
      // Awaited in its turn; until then a failure must not count as unhandled.
      last.catch(() => undefined)
      ahead.push(last)
      if (ahead.length > segmentsAhead) await ahead.shift()
    },
    finish: () => last,
    close: async () => files.close(),
  }
}

/** Put files in their places; the paths of those that could not be. */
export function placeAll(locals: readonly LocalFile[], settings: TreeSettings): readonly string[] {
  return locals.filter(local => placeLocalFile(local, settings) === undefined).map(({ file }) => file.path)
}

async function tarOf({ form, bytes, segment }: SegmentContent, codec: Codec): Promise<Buffer> {
  // Its digest is not looked at: every file that is written from it has one of its own.
  return form === 'tar' ? bufferOf(bytes) : await decompressSegment(codec, bytes, segment)
}

/** See bytes as a buffer, without a copy. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Writes files from segments that come in order, keeping the one open that goes on in the next. */
export class SegmentFiles {
  readonly #settings: TreeSettings
  #open: FileWriter | undefined

  constructor(settings: TreeSettings) {
    this.#settings = settings
  }

  write({ segment, files }: Pick<SegmentContent, 'segment' | 'files'>, tar: Buffer): void {
    for (const file of files) {
      const start = Math.max(0, file.tarOffset - segment.tarOffset)
      const content = tar.subarray(start, Math.max(start, file.tarOffset + file.sizeBytes - segment.tarOffset))
      attemptFile(() => this.#write(file, content, file.lastSegment === segment.index))
    }
  }

  /** Let nothing of a file stay that is not whole. */
  close(): void {
    this.#open?.discard()
  }

  #write(file: PayloadFile, content: Buffer, isLast: boolean): void {
    this.#open ??= new FileWriter(file, `${this.#settings.folder}/${file.path}`, this.#settings)
    this.#open.write(content, isLast)
    if (isLast) this.#open = undefined
  }
}
