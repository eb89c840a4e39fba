import { ReleaseError, toReleaseError } from '../core/error.ts'
import { type UnixAddress, unixAddress } from '../gate/front/address.ts'
import type { Drained, DrainLimits } from '../gate/front/flights.ts'
import { delay } from '../sys/clock.ts'
import { describeExit, startWorker, type Worker } from '../sys/process.ts'
import { type Estate, type SuccessorMessage, successionSchema } from './succession.ts'

/** How long a successor that is ready may take to take over: everything long is done by then. */
const takingMs = 10_000

/** What its predecessor does for a successor that has taken over. */
export interface SuccessorHooks {
  readonly drain: (limits: DrainLimits) => Promise<Drained>
  /** It left, and another one answers there. */
  readonly answersAt: (address: UnixAddress) => void
  /** It is gone. */
  readonly closed: () => void
}

export interface SuccessorOptions {
  readonly argv: readonly [string, ...string[]]
  /** What it gets from descriptor 3 on. */
  readonly descriptors: readonly number[]
  /** How long it may take until it could take over. */
  readonly readyMs: number
  readonly signal: AbortSignal
  readonly hooks: SuccessorHooks
}

type Answer = Extract<SuccessorMessage, { kind: 'ready' | 'taken' | 'failed' }>

/** A process that is to go on in our place. */
export class Successor {
  readonly #worker: Worker
  readonly #hooks: SuccessorHooks
  #answer: (answer: Answer) => void = () => {}

  private constructor(worker: Worker, hooks: SuccessorHooks) {
    this.#worker = worker
    this.#hooks = hooks
    worker.onMessage(message => this.#hear(message as SuccessorMessage))
    worker.onClosed(() => hooks.closed())
  }

  get pid(): number {
    return this.#worker.pid
  }

  /**
   * Start one and wait until it says that it could take over; nothing changes until {@link take}.
   *
   * Errors: GATE_UPGRADE_FAILED with its reason (it refused, ended, or said nothing in time), and then it is gone; SERVICE_START_FAILED;
   * the signal's reason.
   */
  static async start({ argv, descriptors, readyMs, signal, hooks }: SuccessorOptions): Promise<Successor> {
    const successor = new Successor(await startWorker(argv, descriptors, { takesOver: true }), hooks)
    const ready = await successor.#ask(() => {}, readyMs, signal)
    if (ready.kind === 'ready' && ready.schema === successionSchema) return successor
    throw successor.#refused(ready)
  }

  /**
   * Have it take over. Post: where it answers what still comes to us; undefined where nothing does. Errors: GATE_UPGRADE_FAILED, and
   * then it is gone, and may have accepted connections for a moment.
   */
  async take(estate: Estate): Promise<UnixAddress | undefined> {
    const taken = await this.#ask(() => this.#worker.send({ kind: 'take', estate }), takingMs)
    if (taken.kind !== 'taken') throw this.#refused(taken)
    return taken.answersAt === undefined ? undefined : unixAddress(taken.answersAt)
  }

  /** Let it live on without us. */
  leave(): void {
    this.#worker.leave()
  }

  /** Post: it is gone. */
  async kill(): Promise<void> {
    this.#worker.kill()
    await this.#worker.exited
  }

  #hear(message: SuccessorMessage): void {
    if (message.kind === 'answers-at') this.#hooks.answersAt(unixAddress(message.path))
    else if (message.kind === 'drain') void this.#drain(message.limits)
    else this.#answer(message)
  }

  async #drain(limits: DrainLimits): Promise<void> {
    const drained = await this.#hooks
      .drain(limits)
      .catch((caught: unknown) => ({ ok: false, evidence: toReleaseError(caught).message }))
    this.#worker.send({ kind: 'drained', ...drained })
  }

  /** Wait for what it says to something; that it ends, or is late, fails. */
  async #ask(say: () => void, limitMs: number, signal?: AbortSignal): Promise<Answer> {
    const over = new AbortController()
    const said = new Promise<Answer>(resolve => {
      this.#answer = resolve
    })
    const ended = this.#worker.exited.then(exit => failed(`it ended: ${describeExit(exit)}`))
    const limit = AbortSignal.any([over.signal, ...(signal === undefined ? [] : [signal])])
    const late = delay(limitMs, limit).then(() => failed(`it said nothing within ${limitMs} ms`))
    late.catch(() => {})
    say()
    try {
      const first = await Promise.race([said, ended, late])
      if (first instanceof ReleaseError) throw first
      return first
    } catch (caught) {
      await this.kill()
      throw caught
    } finally {
      over.abort()
    }
  }

  #refused(answer: Answer): ReleaseError {
    this.#worker.kill()
    return failed(answer.kind === 'failed' ? `${answer.code}: ${answer.message}` : `it said ${JSON.stringify(answer)}`)
  }
}

function failed(why: string): ReleaseError {
  return new ReleaseError('GATE_UPGRADE_FAILED', `the successor did not take over: ${why}`, { details: { why } })
}
