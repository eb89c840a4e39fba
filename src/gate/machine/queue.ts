/** The bounds of a hold. */
export interface HoldLimits {
  readonly requests: number
  readonly bytes: number
  readonly ageMs: number
}

/** A place in the queue; give it back with {@link HoldQueue.abandon} when the client hangs up. */
export interface Held<Item> {
  readonly item: Item
  readonly sizeBytes: number
  /** A monotonic reading in milliseconds. */
  readonly arrivedMs: number
  /** Its place in the order of arrival. */
  readonly turn: number
}

/** Hold requests within bounds, oldest first. Knows no time, sockets or timers: the caller says what time it is. */
export class HoldQueue<Item> {
  // A Set keeps the order of arrival and forgets a member in constant time.
  readonly #held = new Set<Held<Item>>()
  #sizeBytes = 0
  #nextTurn = 0
  limits: HoldLimits

  constructor(limits: HoldLimits) {
    this.limits = limits
  }

  get length(): number {
    return this.#held.size
  }

  /** What the held requests keep in memory at most. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Take a request in; undefined when it does not fit, so that the newest is turned away, never one that already waits. */
  offer(item: Item, sizeBytes: number, arrivedMs: number): Held<Item> | undefined {
    if (this.#held.size >= this.limits.requests || this.#sizeBytes + sizeBytes > this.limits.bytes) return undefined
    this.#nextTurn += 1
    return this.#insert({ item, sizeBytes, arrivedMs, turn: this.#nextTurn })
  }

  /** Put back what was taken out a moment ago and could not be sent: at its old place, whatever the bounds. */
  putBack(held: Held<Item>): void {
    this.#insert(held)
    const inOrder = [...this.#held].sort((a, b) => a.turn - b.turn)
    this.#held.clear()
    for (const other of inOrder) this.#held.add(other)
  }

  /** Forget a request whose client hung up. Post: false when it is not here any more. */
  abandon(held: Held<Item>): boolean {
    if (!this.#held.delete(held)) return false
    this.#sizeBytes -= held.sizeBytes
    return true
  }

  /** Take out up to `count` requests, oldest first. */
  take(count: number): Held<Item>[] {
    const taken: Held<Item>[] = []
    for (const held of this.#held) {
      if (taken.length >= count) break
      taken.push(held)
    }
    for (const held of taken) this.abandon(held)
    return taken
  }

  /** Take out those that have waited as long as a request may. */
  takeExpired(nowMs: number): Held<Item>[] {
    const expired: Held<Item>[] = []
    for (const held of this.#held) {
      if (nowMs - held.arrivedMs < this.limits.ageMs) break
      expired.push(held)
    }
    for (const held of expired) this.abandon(held)
    return expired
  }

  /** When the first of them will have waited too long; undefined when nothing waits. */
  nextExpiryMs(): number | undefined {
    for (const oldest of this.#held) return oldest.arrivedMs + this.limits.ageMs
    return undefined
  }

  #insert(held: Held<Item>): Held<Item> {
    this.#held.add(held)
    this.#sizeBytes += held.sizeBytes
    return held
  }
}
