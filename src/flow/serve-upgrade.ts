import type { ControlRequest, ControlResponse } from '../gate/control/protocol.ts'
import { assertFollowed, refused, tellMainProcess } from './serve-leaving.ts'
import type { ServeSession } from './serve-session.ts'
import { Successor } from './serve-successor.ts'

/** How long a successor may take until it could take over, and how long streams may keep us, where nobody says so. */
const defaultReadyMs = 30_000
const defaultStreamsMs = 3_600_000

type UpgradeRequest = Extract<ControlRequest, { kind: 'upgrade' }>

export interface ServeUpgradeOptions {
  readonly session: ServeSession
  readonly environment: Readonly<Record<string, string | undefined>>
  /** How to run a successor: the executable at a path, or the one that we were started with as it is on the disk now. */
  readonly successorArgv: (cutover: string | undefined) => readonly [string, ...string[]]
  /** Have control requests come here again: a successor may have taken their place before it failed. */
  readonly reclaim: () => Promise<void>
  readonly signal: AbortSignal
}

/** Replace a serving process by its successor. */
export class ServeUpgrade {
  readonly #options: ServeUpgradeOptions
  readonly #left = new AbortController()
  #alone = new AbortController()
  #underWay: Promise<unknown> | undefined
  #allowed: Promise<unknown> | undefined
  #successor: Successor | undefined
  #streamsMs = defaultStreamsMs

  constructor(options: ServeUpgradeOptions) {
    this.#options = options
  }

  /** Aborted once a successor serves. */
  get left(): AbortSignal {
    return this.#left.signal
  }

  /** Allow it from when something has come to be on. */
  allow(from: Promise<unknown>): void {
    this.#allowed = from
  }

  /** Do what is asked: the one thing is ours, the rest the session's or the successor's. Errors: those of what is asked for. */
  async handle(request: ControlRequest): Promise<ControlResponse> {
    const { session } = this.#options
    if (request.kind !== 'upgrade') return session.handle(request)
    if (this.left.aborted) return session.forward(request)
    await this.#upgrade(request)
    return session.forward({ kind: 'status' })
  }

  /** Wait until none is under way. Post: never rejects. */
  async idle(): Promise<void> {
    await this.#underWay?.catch(() => {})
  }

  /** See those to the end who were with us when we left. Pre: {@link left}. Post: the successor's process number. */
  async end(signal: AbortSignal): Promise<number> {
    const { pid } = this.#successor!
    await this.#options.session.endLeft({ now: signal, alone: this.#alone.signal, streamsMs: this.#streamsMs })
    this.#successor!.leave()
    return pid
  }

  /**
   * Start a successor and let it take over. Post: we decide nothing any more.
   *
   * Errors: GATE_UPGRADE_REFUSED, GATE_UPGRADE_FAILED; then all is as before. Crash: whoever is left goes on, or the next `serve` does.
   */
  async #upgrade(request: UpgradeRequest): Promise<void> {
    if (this.#underWay !== undefined || this.#allowed === undefined) throw refused('it is being replaced already')
    this.#underWay = this.#allowed.then(() => this.#replace(request))
    try {
      await this.#underWay
    } finally {
      this.#underWay = undefined
    }
  }

  async #replace(request: UpgradeRequest): Promise<void> {
    const { session, environment, successorArgv, signal } = this.#options
    assertFollowed(environment)
    const { sockets } = await session.succession()
    const alone = new AbortController()
    const successor = await Successor.start({
      argv: successorArgv(request.cutover),
      descriptors: sockets.map(({ descriptor }) => descriptor),
      readyMs: request.readyMs ?? defaultReadyMs,
      signal,
      hooks: {
        drain: limits => session.drainLeft(limits),
        answersAt: address => session.answersAt(address),
        closed: () => alone.abort(),
      },
    })
    try {
      await tellMainProcess(successor.pid, environment)
      await session.leave(estate => successor.take(estate))
    } catch (caught) {
      await successor.kill()
      await this.#options.reclaim()
      // What went wrong before is what is to be told.
      await tellMainProcess(process.pid, environment).catch(() => {})
      throw caught
    }
    this.#streamsMs = request.streamsMs ?? defaultStreamsMs
    this.#successor = successor
    this.#alone = alone
    this.#left.abort()
  }
}
