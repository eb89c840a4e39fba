import { createRequire } from 'node:module'
import { parentPort, SHARE_ENV, Worker } from 'node:worker_threads'
import type { ErrorCode } from '../core/codes.ts'
import { type ErrorDetails, ReleaseError, toReleaseError } from '../core/error.ts'

/** What a thread tells of an order. */
export type ThreadReport<Answer> =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | {
      readonly kind: 'failed'
      readonly error: {
        readonly code: ErrorCode
        readonly message: string
        readonly hint: string
        readonly details: ErrorDetails
      }
    }

interface Thread<Answer> {
  readonly worker: Worker
  /** Given out, oldest first: a thread answers in order. */
  readonly waiting: PromiseWithResolvers<Answer>[]
}

/** Threads of one program that answer orders, each one after the other; they start as they are needed. */
export class ThreadPool<Order, Answer> {
  readonly #program: string
  readonly #mostThreads: number
  readonly #threads: Thread<Answer>[] = []

  /** `program` is a name among the `imports` of package.json; it calls {@link answerOrders}. */
  constructor(program: string, mostThreads: number) {
    this.#program = program
    this.#mostThreads = mostThreads
  }

  /** Have an order answered by the thread that has least to do. Errors: what the thread threw. */
  ask(order: Order): Promise<Answer> {
    const thread = this.#freest()
    const asked = Promise.withResolvers<Answer>()
    thread.waiting.push(asked)
    thread.worker.postMessage(order)
    return asked.promise
  }

  /** Have all threads at once, so that they are ready when orders come. */
  start(): void {
    while (this.#threads.length < this.#mostThreads) this.#threads.push(startThread(this.#program))
  }

  /** Whether there are any threads. */
  get areStarted(): boolean {
    return this.#threads.length > 0
  }

  /** End all threads, whatever they are doing. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #freest(): Thread<Answer> {
    const idle = this.#threads.find(({ waiting }) => waiting.length === 0)
    if (idle !== undefined) return idle
    if (this.#threads.length < this.#mostThreads) {
      const started = startThread<Answer>(this.#program)
      this.#threads.push(started)
      return started
    }
    return this.#threads.reduce((free, each) => (each.waiting.length < free.waiting.length ? each : free))
  }
}

function startThread<Answer>(program: string): Thread<Answer> {
  // package.json says where it is, for it has one place in the sources and another in what is shipped.
  const file = createRequire(import.meta.url).resolve(program)
  const thread: Thread<Answer> = { worker: new Worker(file, { env: SHARE_ENV }), waiting: [] }
  thread.worker.on('message', (report: ThreadReport<Answer>) => {
    const asked = thread.waiting.shift()
    if (report.kind === 'answered') asked?.resolve(report.answer)
    else asked?.reject(errorFrom(report.error))
  })
  thread.worker.on('error', reason => {
    for (const asked of thread.waiting.splice(0)) asked.reject(reason)
  })
  return thread
}

function errorFrom({ code, message, ...options }: (ThreadReport<never> & { kind: 'failed' })['error']): ReleaseError {
  return new ReleaseError(code, message, options)
}

/** Be a thread of a {@link ThreadPool}: answer orders as they come, until the thread is ended. */
export function answerOrders<Order, Answer>(answer: (order: Order) => Answer): void {
  parentPort?.on('message', (order: Order) => parentPort?.postMessage(reportOf(() => answer(order))))
}

function reportOf<Answer>(answer: () => Answer): ThreadReport<Answer> {
  try {
    return { kind: 'answered', answer: answer() }
  } catch (caught) {
    const { code, message, hint, details } = toReleaseError(caught)
    return { kind: 'failed', error: { code, message, hint, details } }
  }
}
