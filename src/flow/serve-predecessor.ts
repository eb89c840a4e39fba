import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { Drained, DrainLimits } from '../gate/front/flights.ts'
import { delay } from '../sys/clock.ts'
import { type Estate, type PredecessorMessage, type SuccessionChannel, successionSchema } from './succession.ts'

/** How much longer than asked for a predecessor may take to tell how a drain ended. */
const answerMs = 2000

/** The serving process whose place we are to take: first it is asked for that, then it sees its connections to the end. */
export class Predecessor {
  readonly #channel: SuccessionChannel
  readonly #gone = Promise.withResolvers<void>()
  readonly #estate = Promise.withResolvers<Estate>()
  #isGone = false
  #drained: ((drained: Drained) => void) | undefined

  constructor(channel: SuccessionChannel) {
    this.#channel = channel
    channel.onMessage(received => this.#hear(received as PredecessorMessage))
    channel.onClosed(() => {
      this.#isGone = true
      this.#gone.resolve()
    })
  }

  /** Say that we could take over, and wait until we are to. Errors: GATE_UPGRADE_FAILED (it has ended), the signal's reason. */
  async estate(signal: AbortSignal): Promise<Estate> {
    this.#channel.send({ kind: 'ready', schema: successionSchema })
    const gone = this.#gone.promise.then(() => {
      throw new ReleaseError('GATE_UPGRADE_FAILED', 'the serving process that was to be replaced has ended')
    })
    const aborted = new Promise<never>((_resolve, reject) => {
      const abort = () => reject(toReleaseError(signal.reason))
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
    gone.catch(() => {})
    return await Promise.race([this.#estate.promise, gone, aborted])
  }

  /** Say that we serve. From here on it decides nothing. */
  taken(answersAt: string | undefined): void {
    this.#channel.send({ kind: 'taken', answersAt })
  }

  /** Say that we shall not serve. */
  failed(caught: unknown): void {
    const { code, message } = toReleaseError(caught)
    this.#channel.send({ kind: 'failed', code, message })
  }

  /** Say that another one answers in our place. */
  answersAt(path: string): void {
    if (!this.#isGone) this.#channel.send({ kind: 'answers-at', path })
  }

  /** Have what the application still has of its connections end. Post: never rejects; nothing is left of one that is gone. */
  async drain(limits: DrainLimits): Promise<Drained> {
    const nothing = { ok: true, evidence: 'nothing was left' }
    if (this.#isGone) return nothing
    const told = new Promise<Drained>(resolve => {
      this.#drained = resolve
    })
    this.#channel.send({ kind: 'drain', limits })
    const over = new AbortController()
    const late = delay(limits.timeoutMs + answerMs, over.signal).then(
      () => ({ ok: false, evidence: 'the process before this one does not say what it has' }),
      () => nothing,
    )
    const drained = await Promise.race([told, late, this.#gone.promise.then(() => nothing)])
    over.abort()
    return drained
  }

  /** Wait until it has no connection any more. */
  gone(): Promise<void> {
    return this.#gone.promise
  }

  close(): void {
    this.#channel.close()
  }

  #hear(message: PredecessorMessage): void {
    if (message.kind === 'take') this.#estate.resolve(message.estate)
    else this.#drained?.(message)
  }
}
