import { type Held, type HoldLimits, HoldQueue } from './queue.ts'
import { advanceRamp, type Ramp, type RampSettings, rampAllowance, startRamp } from './ramp.ts'
import type { Timers } from './timers.ts'

/** How often a release lets requests go at least, so that a ramp is even, and at most, for a timer costs more than a request. */
const longestTickMs = 10
const shortestTickMs = 1

/** What happens to those who wait. */
export interface WaitingHooks<Item> {
  readonly release: (held: Held<Item>) => void
  readonly expire: (held: Held<Item>) => void
  /** How long answers to released requests take; asked once a second where the ramp depends on it. */
  readonly recentLatencyMs?: () => number | undefined
}

/** Let requests wait: those that wait too long expire, the others are released on a ramp when the time has come. */
export class WaitingRoom<Item> {
  readonly #queue: HoldQueue<Item>
  readonly #timers: Timers
  readonly #hooks: WaitingHooks<Item>
  #cancelExpiry: (() => void) | undefined
  #release: { readonly settings: RampSettings; ramp: Ramp; count: number; cancel: () => void } | undefined

  constructor(limits: HoldLimits, timers: Timers, hooks: WaitingHooks<Item>) {
    this.#queue = new HoldQueue(limits)
    this.#timers = timers
    this.#hooks = hooks
  }

  get length(): number {
    return this.#queue.length
  }

  get sizeBytes(): number {
    return this.#queue.sizeBytes
  }

  setLimits(limits: HoldLimits): void {
    this.#queue.limits = limits
    this.#cancelExpiry?.()
    this.#cancelExpiry = undefined
    this.#awaitExpiry()
  }

  /** Let a request wait; undefined when it does not fit. */
  offer(item: Item, sizeBytes: number): Held<Item> | undefined {
    const held = this.#queue.offer(item, sizeBytes, this.#timers.nowMs())
    if (held !== undefined) this.#awaitExpiry()
    return held
  }

  /** Let a request wait on that could not be sent after all. */
  putBack(held: Held<Item>): void {
    this.#queue.putBack(held)
    this.#awaitExpiry()
  }

  /** Forget a request whose client hung up. */
  abandon(held: Held<Item>): boolean {
    return this.#queue.abandon(held)
  }

  /** Take out all at once. */
  takeAll(): Held<Item>[] {
    this.stopRelease()
    return this.#queue.take(this.#queue.length)
  }

  /** Begin to release, oldest first, on a ramp. A release that is under way goes on. */
  startRelease(settings: RampSettings): void {
    if (this.#release !== undefined || this.#queue.length === 0) return
    this.#release = { settings, ramp: startRamp(settings, this.#timers.nowMs()), count: 0, cancel: () => {} }
    this.#tick()
  }

  /** Stop releasing: who is still here goes on waiting. */
  stopRelease(): void {
    this.#release?.cancel()
    this.#release = undefined
  }

  #tick(): void {
    const release = this.#release
    if (release === undefined) return
    const nowMs = this.#timers.nowMs()
    if (nowMs - release.ramp.sinceMs >= 1000) {
      const recentMs = release.settings.latencyMs === undefined ? undefined : this.#hooks.recentLatencyMs?.()
      release.ramp = advanceRamp(release.ramp, nowMs, release.settings, recentMs)
    }
    const batch = this.#queue.take(Math.max(0, rampAllowance(release.ramp, nowMs) - release.count))
    release.count += batch.length
    for (const held of batch) this.#hooks.release(held)
    // A hook may have stopped the release: the one that it belongs to decides.
    if (this.#release !== release) return
    if (this.#queue.length === 0) this.#release = undefined
    else release.cancel = this.#timers.after(tickMs(release.ramp), () => this.#tick())
  }

  #awaitExpiry(): void {
    if (this.#cancelExpiry !== undefined) return
    const atMs = this.#queue.nextExpiryMs()
    if (atMs === undefined) return
    this.#cancelExpiry = this.#timers.after(Math.max(0, atMs - this.#timers.nowMs()), () => {
      this.#cancelExpiry = undefined
      for (const held of this.#queue.takeExpired(this.#timers.nowMs())) this.#hooks.expire(held)
      this.#awaitExpiry()
    })
  }
}

/** How long until the next one may go, about. */
function tickMs({ perSecond }: Ramp): number {
  return Math.min(Math.max(1000 / perSecond, shortestTickMs), longestTickMs)
}
