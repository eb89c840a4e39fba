import type { Decision } from '../machine/decide.ts'
import { ReleaseLatency } from '../machine/release-latency.ts'
import type { Timers } from '../machine/timers.ts'
import { WaitingRoom } from '../machine/waiting.ts'
import type { Tally } from '../observe/tally.ts'
import type { FrontSettings } from './settings.ts'
import type { Visit } from './visit.ts'

/** What becomes of those who wait. */
export interface LobbyHooks {
  /** Its turn has come. */
  readonly leaves: (visit: Visit) => void
  /** It has waited as long as it may, or waiting is of no use any more. */
  readonly turnedAway: (visit: Visit) => void
  /** Its client hung up. */
  readonly hungUp: (visit: Visit) => void
}

/** What the lobby of a front works with. */
export interface LobbyOptions {
  readonly settings: FrontSettings
  readonly timers: Timers
  readonly tally: Tally
  readonly hooks: LobbyHooks
}

/** Tells how long a released request waits for its answer. */
export interface AnswerWatch {
  readonly begins: () => void
  /** It ended, with or without one. */
  readonly ends: () => void
}

/** Those who wait: everybody, and apart from them those who bypass, who wait for the service only. */
export class Lobby {
  readonly #options: LobbyOptions
  readonly #usual: WaitingRoom<Visit>
  readonly #bypassing: WaitingRoom<Visit>
  readonly #latency = new ReleaseLatency()
  #settings: FrontSettings

  constructor(options: LobbyOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#usual = this.#newRoom()
    this.#bypassing = this.#newRoom()
  }

  get length(): number {
    return this.#usual.length + this.#bypassing.length
  }

  get sizeBytes(): number {
    return this.#usual.sizeBytes + this.#bypassing.sizeBytes
  }

  /** Keep to other bounds from now on. */
  configure(settings: FrontSettings): void {
    this.#settings = settings
    for (const room of [this.#usual, this.#bypassing]) room.setLimits(settings.hold)
  }

  /** Let a request wait; one that waited before goes on from its own arrival, whatever the bounds. Post: false when it does not fit. */
  wait(visit: Visit): boolean {
    const room = visit.isBypassing ? this.#bypassing : this.#usual
    const { tally, hooks } = this.#options
    visit.stopListening = visit.exchange.onGone(() => {
      if (visit.held === undefined || !room.abandon(visit.held)) return
      tally.abandoned += 1
      this.end(visit)
      hooks.hungUp(visit)
    })
    if (visit.held !== undefined) {
      room.putBack(visit.held)
      return true
    }
    visit.held = room.offer(visit, visit.exchange.sizeBytes)
    if (visit.held === undefined) visit.stopListening()
    else tally.held += 1
    return visit.held !== undefined
  }

  /** The wait of a request is over, for now at least. */
  end(visit: Visit): void {
    const { timers, tally } = this.#options
    visit.stopListening?.()
    visit.waitedMs = timers.nowMs() - visit.arrivedMs
    tally.longestHoldMs = Math.max(tally.longestHoldMs, Math.round(visit.waitedMs))
  }

  /** A request that waited is handed to the application. Undefined where nothing depends on how long that takes. */
  watchAnswer(visit: Visit): AnswerWatch | undefined {
    if (visit.held === undefined || this.#settings.rampLatencyMs === undefined) return undefined
    const { nowMs } = this.#options.timers
    const released = this.#latency.released(nowMs())
    return { begins: () => this.#latency.answered(released, nowMs()), ends: () => this.#latency.forget(released) }
  }

  /** Bring those who wait in line with what is decided now for them. */
  settle(decided: (isBypassing: boolean) => Decision): void {
    this.#settleRoom(this.#usual, decided(false))
    this.#settleRoom(this.#bypassing, decided(true))
  }

  #settleRoom(room: WaitingRoom<Visit>, wanted: Decision): void {
    const { rampPerSecond: perSecond, rampLatencyMs: latencyMs } = this.#settings
    if (wanted === 'forward') room.startRelease({ perSecond, latencyMs })
    else if (wanted === 'hold') room.stopRelease()
    else for (const { item } of room.takeAll()) this.#options.hooks.turnedAway(item)
  }

  #newRoom(): WaitingRoom<Visit> {
    const { settings, timers, hooks } = this.#options
    return new WaitingRoom(settings.hold, timers, {
      release: ({ item }) => hooks.leaves(item),
      expire: ({ item }) => hooks.turnedAway(item),
      recentLatencyMs: () => this.#latency.recentMs(timers.nowMs()),
    })
  }
}
