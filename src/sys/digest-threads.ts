import os from 'node:os'
import type { DigestOrder } from './digest-thread.ts'
import { digestFileSync, type FileDigest } from './file-digest.ts'
import { ThreadPool } from './thread-pool.ts'

/** Until so many files or bytes have come, they are digested sooner than threads are started. */
const threadsFrom = { files: 2000, sizeBytes: 64 * 1024 * 1024 }
/** More would only wait for the disk. */
const mostThreads = Math.min(os.availableParallelism(), 2)

/** Digests many files of this machine, by threads once there are enough for them to pay. */
export class DigestThreads {
  readonly #threads = new ThreadPool<DigestOrder, readonly (FileDigest | undefined)[]>('#digest-thread', mostThreads)
  #files = 0
  #sizeBytes = 0

  /**
   * Digest files, each told in its place; undefined for one that is not there. `sizeBytes` is how much is expected in all of them.
   *
   * Errors: FILE_IO.
   */
  async digest(files: readonly string[], sizeBytes: number): Promise<readonly (FileDigest | undefined)[]> {
    this.#files += files.length
    this.#sizeBytes += sizeBytes
    const isMuch = this.#files > threadsFrom.files || this.#sizeBytes > threadsFrom.sizeBytes
    return isMuch ? await this.#threads.ask({ files }) : files.map(digestFileSync)
  }

  /** Whether there are any threads. */
  get areStarted(): boolean {
    return this.#threads.areStarted
  }

  /** End all threads, whatever they are doing. */
  close(): Promise<void> {
    return this.#threads.close()
  }
}
