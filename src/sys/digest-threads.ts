import { createRequire } from 'node:module'
import os from 'node:os'
import { SHARE_ENV, Worker } from 'node:worker_threads'
import { ReleaseError } from '../core/error.ts'
import type { DigestOrder, DigestReport } from './digest-thread.ts'
import { digestFileSync, type FileDigest } from './file-digest.ts'

/** Until so many files or bytes have come, they are digested sooner than threads are started. */
const threadsFrom = { files: 2000, sizeBytes: 64 * 1024 * 1024 }
/** More would only wait for the disk. */
const mostThreads = 2

interface Thread {
  readonly worker: Worker
  /** Given out, oldest first: a thread answers in order. */
  readonly waiting: PromiseWithResolvers<readonly (FileDigest | undefined)[]>[]
}

/** Digests many files of this machine, by threads once there are enough for them to pay. */
export class DigestThreads {
  readonly #threads: Thread[] = []
  #files = 0
  #sizeBytes = 0

  /**
   * Digest files, each told in its place; undefined for one that is not there. `sizeBytes` is how much is expected in all of them.
   *
   * Errors: FILE_IO.
   */
  digest(files: readonly string[], sizeBytes: number): Promise<readonly (FileDigest | undefined)[]> {
    this.#files += files.length
    this.#sizeBytes += sizeBytes
    const isMuch = this.#files > threadsFrom.files || this.#sizeBytes > threadsFrom.sizeBytes
    if (!isMuch) return Promise.resolve(files.map(digestFileSync))
    while (this.#threads.length < Math.min(os.availableParallelism(), mostThreads)) this.#threads.push(startThread())
    return ask(
      this.#threads.reduce((free, each) => (each.waiting.length < free.waiting.length ? each : free)),
      files,
    )
  }

  /** Whether there are any threads. */
  get areStarted(): boolean {
    return this.#threads.length > 0
  }

  /** End all threads, whatever they are doing. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }
}

function startThread(): Thread {
  // package.json says where it is, for it has one place in the sources and another in what is shipped.
  const program = createRequire(import.meta.url).resolve('#digest-thread')
  const thread: Thread = { worker: new Worker(program, { env: SHARE_ENV }), waiting: [] }
  thread.worker.on('message', (report: DigestReport) => {
    const asked = thread.waiting.shift()
    if (report.kind === 'digested') asked?.resolve(report.found)
    else asked?.reject(new ReleaseError('FILE_IO', report.message))
  })
  thread.worker.on('error', reason => {
    for (const asked of thread.waiting.splice(0)) asked.reject(reason)
  })
  return thread
}

function ask({ worker, waiting }: Thread, files: readonly string[]): Promise<readonly (FileDigest | undefined)[]> {
  const asked = Promise.withResolvers<readonly (FileDigest | undefined)[]>()
  waiting.push(asked)
  const order: DigestOrder = { files }
  worker.postMessage(order)
  return asked.promise
}
