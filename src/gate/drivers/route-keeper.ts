import { type ReleaseError, toReleaseError } from '../../core/error.ts'
import type { Address } from '../front/address.ts'
import type { Drained } from '../gate.ts'
import type { Timers } from '../machine/timers.ts'
import type { Route, Router } from './router.ts'

/** How often it is looked whether the server in front still does what it was told: it may have been restarted. */
const repairMs = 1000
/** How soon it is told again after it could not be. */
const troubledMs = 250
/** How soon it is looked again whether those who waited are on their way. */
const releasedCheckMs = 10
/** How often the server is asked what it has in flight. */
const drainCheckMs = 10

/** Where requests are to go, as things are now. */
export interface WantedRoute {
  readonly route: Route
  /** The route waits for those who wait here to be on their way. */
  readonly isReleasing: boolean
  /** The application does not accept. */
  readonly isAway: boolean
}

/** What a keeper needs. */
export interface RouteKeeperOptions {
  readonly router: Router
  readonly timers: Timers
  readonly wanted: () => WantedRoute
  /** Told when the server in front does not do what it should, and when it does again. */
  readonly tell: (trouble: ReleaseError | undefined) => void
}

/** Keep the server in front doing what is wanted: tell it one thing after the other, see that it still does it, and tell it again. */
export class RouteKeeper {
  readonly #options: RouteKeeperOptions
  #followed: Route | undefined
  #trouble: ReleaseError | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #isStopped = false
  #cancelCheck = () => {}

  constructor(options: RouteKeeperOptions) {
    this.#options = options
  }

  /** Whether requests were seen to come here last. */
  get leadsHere(): boolean {
    return this.#followed?.kind === 'waiting'
  }

  /** Begin, with an application that is going to be at one of these ports. Post: never rejects; what fails is told, and tried again. */
  async open(ports: readonly [number, number]): Promise<void> {
    try {
      await this.#options.router.prepare(ports)
    } catch (caught) {
      this.#tell(toReleaseError(caught))
    }
    await this.settle()
  }

  /** Bring the server in line with what is wanted. Post: never rejects; what fails is told, and tried again. */
  settle(): Promise<void> {
    return this.#inOrder(() => this.#settle())
  }

  /** The same, for those who do not wait for it. */
  settleSoon(): void {
    if (!this.#isStopped) void this.settle()
  }

  /**
   * Have requests come here from now on; `surely`: whoever asks depends on that they arrive.
   *
   * Errors: GATE_SERVER_UNREACHABLE, GATE_SERVER_REFUSED; told as well.
   */
  async turnAway(surely: boolean): Promise<void> {
    try {
      await this.#inOrder(async () => {
        if (surely) await this.#options.router.assertReaching()
        await this.#follow({ kind: 'waiting' })
      })
    } catch (caught) {
      this.#tell(toReleaseError(caught))
      throw caught
    }
  }

  /** Wait until the server has nothing at an application any more. Twice, for a request that was routed a moment ago may not be there yet. */
  async untilEmpty(place: Address, timeoutMs: number): Promise<Drained> {
    const { timers, router } = this.#options
    const endMs = timers.nowMs() + timeoutMs
    try {
      for (let empty = 0; ; ) {
        const count = await router.inFlight(place)
        empty = count === 0 ? empty + 1 : 0
        if (empty === 2 || timers.nowMs() >= endMs) return { ok: count === 0, evidence: `${count} in flight` }
        await new Promise<void>(resolve => timers.after(drainCheckMs, resolve))
      }
    } catch (caught) {
      return { ok: false, evidence: `what is in flight is not known (${toReleaseError(caught).message})` }
    }
  }

  /** Have the server keep no idle connection to an application that is empty. Post: never rejects. */
  rest(): Promise<void> {
    return this.#inOrder(async () => {
      try {
        await this.#options.router.rest()
      } catch (caught) {
        this.#tell(toReleaseError(caught))
      }
    })
  }

  /** Tell the server nothing more. Post: nothing is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancelCheck()
    await this.#queue
  }

  async #settle(): Promise<void> {
    const { router, wanted } = this.#options
    const { route, isAway } = wanted()
    try {
      const isFollowed = isSameRoute(route, this.#followed) && (await router.isFollowed(route))
      if (!isFollowed) await this.#follow(route)
      // What was sent there just before, and cannot arrive any more, comes here as well.
      if (route.kind === 'waiting' && isAway) await router.rest()
      this.#tell(undefined)
    } catch (caught) {
      this.#tell(toReleaseError(caught))
    } finally {
      this.#checkLater()
    }
  }

  async #follow(route: Route): Promise<void> {
    this.#followed = undefined
    await this.#options.router.follow(route)
    this.#followed = route
  }

  #checkLater(): void {
    this.#cancelCheck()
    if (this.#isStopped) return
    const { timers, wanted } = this.#options
    const usualMs = this.#trouble === undefined ? repairMs : troubledMs
    this.#cancelCheck = timers.after(wanted().isReleasing ? releasedCheckMs : usualMs, () => this.settleSoon())
  }

  #tell(trouble: ReleaseError | undefined): void {
    if (trouble?.message === this.#trouble?.message) return
    this.#trouble = trouble
    this.#options.tell(trouble)
  }

  #inOrder<Result>(operation: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(operation)
    this.#queue = result.catch(() => {})
    return result
  }
}

function isSameRoute(a: Route, b: Route | undefined): boolean {
  if (a.kind === 'waiting' || b === undefined || b.kind === 'waiting') return a.kind === b?.kind
  return a.place.host === b.place.host && a.place.port === b.place.port
}
