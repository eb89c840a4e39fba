/** Something with times that run out. */
export interface Swept {
  /** Look whether a time has run out. */
  readonly sweep: (nowMs: number) => void
}

const [shortestMs, longestMs] = [10, 1000]

/**
 * One timer for many connections: each is looked at every now and then, so that no request costs a timer.
 *
 * Units: `nowMs` is monotonic, and as old as the last look: times are kept to within a quarter of the shortest one.
 */
export class Sweep {
  readonly #swept = new Set<Swept>()
  #everyMs = longestMs
  #timer: NodeJS.Timeout | undefined
  #nowMs = 0

  constructor(timesMs: readonly number[]) {
    this.setTimes(timesMs)
  }

  get nowMs(): number {
    return this.#timer === undefined ? performance.now() : this.#nowMs
  }

  /** Look as often as these times ask for. */
  setTimes(timesMs: readonly number[]): void {
    this.#everyMs = Math.min(Math.max(Math.min(...timesMs) / 4, shortestMs), longestMs)
    if (this.#timer === undefined) return
    this.#stop()
    this.#start()
  }

  add(swept: Swept): void {
    this.#swept.add(swept)
    if (this.#timer === undefined) this.#start()
  }

  delete(swept: Swept): void {
    this.#swept.delete(swept)
    if (this.#swept.size === 0) this.#stop()
  }

  #start(): void {
    this.#nowMs = performance.now()
    this.#timer = setInterval(() => this.#look(), this.#everyMs)
    // The listening socket keeps the process alive, not what waits on it.
    this.#timer.unref()
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    this.#nowMs = performance.now()
    for (const swept of this.#swept) swept.sweep(this.#nowMs)
  }
}
