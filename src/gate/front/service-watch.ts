import type { UpstreamSettings } from '../http1/limits.ts'
import { accepts, createUpstream, type Upstream } from '../http1/upstream.ts'
import type { UpstreamState } from '../machine/decide.ts'
import type { Timers } from '../machine/timers.ts'
import type { Address } from './address.ts'

/** Held requests wait for this on top of the application's start; a refused connection on the same machine costs a twentieth of it. */
const firstPauseMs = 2
/** Of one that takes long to start a few milliseconds are nothing. */
const longestPauseMs = 50
const pauseGrowth = 1.02
const connectTimeoutMs = 1000

/** Know whether the application accepts connections, by asking while it does not and by what forwarding meets while it does. */
export class ServiceWatch {
  readonly #timers: Timers
  readonly #changed: () => void
  readonly #settings: () => UpstreamSettings
  #upstream: Upstream | undefined
  #state: UpstreamState = 'absent'

  constructor(timers: Timers, changed: () => void, settings: () => UpstreamSettings) {
    this.#timers = timers
    this.#changed = changed
    this.#settings = settings
  }

  get state(): UpstreamState {
    return this.#state
  }

  /** Whom to forward to. Pre: the state is `up`. */
  get upstream(): Upstream | undefined {
    return this.#upstream
  }

  absent(): void {
    this.#replace(undefined)
    this.#become('absent')
  }

  expected(): void {
    this.#replace(undefined)
    this.#become('down')
  }

  at(address: Address): void {
    this.#replace(createUpstream(address, this.#settings()))
    this.#become('down')
    this.#ask(firstPauseMs)
  }

  /** Forwarding met a refused connection. One that was meant for an application that is gone says nothing about the present one. */
  refused(upstream: Upstream): void {
    if (upstream !== this.#upstream || this.#state !== 'up') return
    this.#become('down')
    this.#ask(firstPauseMs)
  }

  /** Connections to the application before are not used for the one after it. */
  #replace(upstream: Upstream | undefined): void {
    this.#upstream?.retire()
    this.#upstream = upstream
  }

  #become(state: UpstreamState): void {
    this.#state = state
    this.#changed()
  }

  #ask(pauseMs: number): void {
    const upstream = this.#upstream
    if (upstream === undefined) return
    void accepts(upstream.address, connectTimeoutMs).then(accepted => {
      if (upstream !== this.#upstream || this.#state !== 'down') return
      if (accepted) this.#become('up')
      else this.#timers.after(pauseMs, () => this.#ask(Math.min(pauseMs * pauseGrowth, longestPauseMs)))
    })
  }
}
