/** What became of one request. Times in milliseconds. */
export type Outcome =
  | { readonly kind: 'answered' }
  /** A 503 that says when to come back: the gate's doing, and no failure. */
  | { readonly kind: 'backed-off' }
  | { readonly kind: 'failed'; readonly reason: string }

/** What happened in one second of a load, counted by when requests ended. */
export interface LoadSecond {
  readonly second: number
  readonly answered: number
  readonly backedOff: number
  readonly failed: number
  readonly longestMs: number
}

/** One failed request, for finding out why. */
export interface LoadFailure {
  readonly atMs: number
  readonly request: string
  readonly reason: string
}

/** Requests counted since the load began. */
export interface LoadCounts {
  readonly sent: number
  readonly answered: number
  readonly backedOff: number
  readonly failed: number
  /** GETs sent a second time because an idle connection had gone; counted once in `sent`. */
  readonly retried: number
}

/** The times that requests took. */
export interface LoadLatency {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
}

const failuresKept = 50

/** Count requests as they begin and end. `nowMs` is a clock that does not jump. */
export class Tally {
  readonly #nowMs: () => number
  readonly #startedMs: number
  readonly #latenciesMs: number[] = []
  readonly #seconds: { -readonly [K in keyof LoadSecond]: LoadSecond[K] }[] = []
  readonly #failures: LoadFailure[] = []
  readonly #counts = { sent: 0, answered: 0, backedOff: 0, failed: 0, retried: 0 }

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#startedMs = nowMs()
  }

  /** Count a request that is being sent; call the answer with what became of it. */
  begin(request: string): (outcome: Outcome) => void {
    this.#counts.sent += 1
    const beganMs = this.#nowMs()
    return outcome => this.#end(request, outcome, beganMs)
  }

  retry(): void {
    this.#counts.retried += 1
  }

  counts(): LoadCounts {
    return { ...this.#counts }
  }

  latency(): LoadLatency {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
    return { p50Ms: at(0.5), p99Ms: at(0.99), longestMs: at(1) }
  }

  /** Shape: one entry per second from the first on, quiet seconds included. */
  timeline(): readonly LoadSecond[] {
    this.#second(this.elapsedMs())
    return this.#seconds.map(second => ({ ...second }))
  }

  failures(): readonly LoadFailure[] {
    return [...this.#failures]
  }

  elapsedMs(): number {
    return this.#nowMs() - this.#startedMs
  }

  #end(request: string, outcome: Outcome, beganMs: number): void {
    const latencyMs = this.#nowMs() - beganMs
    const atMs = this.elapsedMs()
    const second = this.#second(atMs)
    second.longestMs = Math.max(second.longestMs, latencyMs)
    this.#latenciesMs.push(latencyMs)
    switch (outcome.kind) {
      case 'answered':
        this.#counts.answered += 1
        second.answered += 1
        break
      case 'backed-off':
        this.#counts.backedOff += 1
        second.backedOff += 1
        break
      case 'failed':
        this.#counts.failed += 1
        second.failed += 1
        if (this.#failures.length < failuresKept) this.#failures.push({ atMs, request, reason: outcome.reason })
        break
    }
  }

  #second(atMs: number) {
    const index = Math.floor(atMs / 1000)
    while (this.#seconds.length <= index)
      this.#seconds.push({ second: this.#seconds.length, answered: 0, backedOff: 0, failed: 0, longestMs: 0 })
    return this.#seconds[index]!
  }
}
