import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isErrno, toReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import { ThreadPool } from '../sys/thread-pool.ts'
import {
  describeEntry,
  type ExpectedEntry,
  type ExpectedFile,
  shapeDifferences,
  type TreeDifference,
} from './tree-difference.ts'
import { fileDifferences } from './verify-file.ts'
import type { ListedFile, VerifyOrder } from './verify-thread.ts'

export interface VerifyOptions {
  readonly onProgress?: (doneFiles: number, totalFiles: number) => void
  /** Paths that may be there although nobody expects them; what is below them is not looked at. */
  readonly ignore?: (path: string) => boolean
  /** Who everything is to belong to; not compared when absent. */
  readonly ownerId?: number | undefined
  readonly signal?: AbortSignal
}

/** Until so many files or bytes are to be read, they are read sooner than threads are started. */
const threadsFrom = { files: 2000, sizeBytes: 32 * 1024 * 1024 }
/** Besides the main thread, which compares as well. */
const mostThreads = Math.min(os.availableParallelism() - 1, 2)
/** One that a thread is at, and one so that it never waits for the next. */
const batchesAhead = 2
/** How much is read between two turns of the event loop, or given to a thread at a time. */
const batch = { files: 512, sizeBytes: 8 * 1024 * 1024 }

/**
 * Compare a tree on disk with what it is to be: types, modes, owners, link targets, every byte, and what is there besides.
 *
 * Post: differences by path, in byte order; nothing is written. A link is never taken for what it points to, so that all below a folder
 * which became one is missing. Errors: FILE_IO for what cannot be read, the signal's reason.
 */
export async function verifyTree(
  folder: string,
  entries: readonly ExpectedEntry[],
  options: VerifyOptions = {},
): Promise<readonly TreeDifference[]> {
  options.signal?.throwIfAborted()
  const comparison = new FileComparison(folder, entries.filter(isFile), options)
  try {
    const walk = new TreeWalk(folder, entries, options)
    await walk.run()
    const found = await comparison.run(walk.files)
    options.onProgress?.(entries.length, entries.length)
    return [...walk.differences, ...found].sort((a, b) => compareBytes(a.path, b.path))
  } finally {
    await comparison.close()
  }
}

/** Looks at everything but the content of files: folders, links, what is missing and what is there besides. */
class TreeWalk {
  readonly #folder: string
  readonly #expected: Map<string, ExpectedEntry>
  readonly #options: VerifyOptions
  readonly differences: TreeDifference[] = []
  /** The files that are there. */
  readonly files: ExpectedFile[] = []
  #namesLeft = 4 * batch.files

  constructor(folder: string, entries: readonly ExpectedEntry[], options: VerifyOptions) {
    this.#folder = folder
    this.#expected = new Map(entries.map(entry => [entry.path, entry]))
    this.#options = options
  }

  /** Post: what is left of the expected is missing. */
  async run(): Promise<void> {
    const folders = ['']
    for (let below = folders.pop(); below !== undefined; below = folders.pop()) {
      for (const listed of readFolder(path.join(this.#folder, below))) {
        const found = this.#take(below === '' ? listed.name : `${below}/${listed.name}`, listed)
        if (found?.type === 'directory') folders.push(found.path)
        this.#namesLeft -= 1
      }
      if (this.#namesLeft <= 0) await this.#pause()
    }
    for (const { path: name, type } of this.#expected.values()) {
      this.differences.push({ path: name, kind: 'missing', expected: type, found: '' })
    }
  }

  /** Hand back what is expected at a path, unless something else stands there. */
  #take(name: string, listed: fs.Dirent): ExpectedEntry | undefined {
    const entry = this.#expected.get(name)
    if (entry === undefined) {
      this.#takeExtra(name)
      return undefined
    }
    this.#expected.delete(name)
    if (entry.type === 'file' && listed.isFile()) {
      this.files.push(entry)
      return entry
    }
    const found = this.#compareShape(entry)
    this.differences.push(...found)
    return found.some(({ kind }) => kind === 'type' || kind === 'missing') ? undefined : entry
  }

  #takeExtra(name: string): void {
    if (this.#options.ignore?.(name) === true) return
    const stat = fs.lstatSync(path.join(this.#folder, name), { throwIfNoEntry: false })
    if (stat === undefined) return
    this.differences.push({ path: name, kind: 'extra', expected: '', found: describeEntry(stat) })
  }

  #compareShape(entry: ExpectedEntry): readonly TreeDifference[] {
    const name = path.join(this.#folder, entry.path)
    const stat = fs.lstatSync(name, { throwIfNoEntry: false })
    if (stat === undefined) return [{ path: entry.path, kind: 'missing', expected: entry.type, found: '' }]
    const shape = shapeDifferences(entry, stat, this.#options.ownerId)
    if (entry.type !== 'symlink' || !stat.isSymbolicLink()) return shape
    const target = fs.readlinkSync(name)
    if (target === entry.linkTarget) return shape
    return [...shape, { path: entry.path, kind: 'target', expected: entry.linkTarget, found: target }]
  }

  async #pause(): Promise<void> {
    this.#namesLeft = 4 * batch.files
    await setImmediate()
    this.#options.signal?.throwIfAborted()
  }
}

function isFile(entry: ExpectedEntry): entry is ExpectedFile {
  return entry.type === 'file'
}

function readFolder(name: string): readonly fs.Dirent[] {
  try {
    return fs.readdirSync(name, { withFileTypes: true })
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return []
    throw toReleaseError(caught)
  }
}

/** Compares files, where there are many by threads besides this one: they start at once, to be there when the files are known. */
class FileComparison {
  readonly #folder: string
  readonly #options: VerifyOptions
  readonly #threads: ThreadPool<VerifyOrder, readonly TreeDifference[]> | undefined
  #batches: readonly (readonly ExpectedFile[])[] = []
  #next = 0
  #done = 0
  #total = 0

  constructor(folder: string, expected: readonly ExpectedFile[], options: VerifyOptions) {
    this.#folder = folder
    this.#options = options
    const sizeBytes = expected.reduce((sum, file) => sum + file.sizeBytes, 0)
    if (expected.length <= threadsFrom.files && sizeBytes <= threadsFrom.sizeBytes) return
    this.#threads = new ThreadPool('#verify-thread', mostThreads)
    this.#threads.start()
  }

  async run(files: readonly ExpectedFile[]): Promise<readonly TreeDifference[]> {
    this.#batches = batchesOf(files)
    this.#total = files.length
    const lanes = this.#threads === undefined ? 0 : mostThreads * batchesAhead
    const byThreads = Array.from({ length: lanes }, () => this.#takeAll(some => this.#compareThere(some)))
    const here = this.#takeAll(async some => this.#compareHere(some))
    return (await Promise.all([...byThreads, here])).flat()
  }

  /** Post: nothing more is begun, whatever is left. */
  async close(): Promise<void> {
    this.#next = this.#batches.length
    await this.#threads?.close()
  }

  /** Take one batch after the other from what is left. */
  async #takeAll(
    compare: (some: readonly ExpectedFile[]) => Promise<readonly TreeDifference[]>,
  ): Promise<readonly TreeDifference[]> {
    const differences: TreeDifference[] = []
    for (;;) {
      const some = this.#batches[this.#next]
      if (some === undefined) return differences
      this.#next += 1
      differences.push(...(await compare(some)))
      this.#done += some.length
      this.#options.onProgress?.(this.#done, this.#total)
      await setImmediate()
      this.#options.signal?.throwIfAborted()
    }
  }

  #compareHere(some: readonly ExpectedFile[]): readonly TreeDifference[] {
    return some.flatMap(file => fileDifferences(`${this.#folder}/${file.path}`, file, this.#options.ownerId))
  }

  #compareThere(some: readonly ExpectedFile[]): Promise<readonly TreeDifference[]> {
    const listed = some.map((file): ListedFile => [file.path, file.mode, file.sizeBytes, file.digest])
    return this.#threads!.ask({
      folder: this.#folder,
      ownerId: this.#options.ownerId,
      filesJson: JSON.stringify(listed),
    })
  }
}

function batchesOf(files: readonly ExpectedFile[]): readonly (readonly ExpectedFile[])[] {
  const batches: ExpectedFile[][] = []
  let left = { files: 0, sizeBytes: 0 }
  for (const file of files) {
    if (left.files <= 0 || left.sizeBytes <= 0) {
      batches.push([])
      left = { ...batch }
    }
    batches.at(-1)!.push(file)
    left.files -= 1
    left.sizeBytes -= file.sizeBytes
  }
  return batches
}
