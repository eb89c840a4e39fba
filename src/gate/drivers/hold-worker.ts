import type { GateCounters } from '../control/protocol.ts'
import type { Address } from '../front/address.ts'
import { Front } from '../front/front.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { GateMode } from '../machine/machine.ts'
import { systemTimers } from '../machine/timers.ts'
import type { GateFigures } from '../observe/figures.ts'
import { Observing } from '../observe/observing.ts'
import { sumCounters } from '../observe/tally.ts'

/** What a serving process tells its hold worker. */
export type WorkerOrder =
  /** Accept on as many sockets, from descriptor 3 on, in a mode. */
  | { readonly kind: 'accept'; readonly settings: FrontSettings; readonly mode: GateMode; readonly sockets: number }
  | { readonly kind: 'enter'; readonly mode: GateMode }
  /** Leave the listening socket to others; what was accepted goes on. */
  | { readonly kind: 'stop-accepting' }
  /** The application accepts now, on each socket at its address: hand over what is held, then end. */
  | { readonly kind: 'release'; readonly addresses: readonly Address[] }
  | { readonly kind: 'end-streams' }

/** What a hold worker tells back. */
export type WorkerReport =
  | { readonly kind: 'accepting' }
  | { readonly kind: 'stopped-accepting' }
  | { readonly kind: 'counters'; readonly counters: GateCounters; readonly figures: GateFigures }
  | { readonly kind: 'failed'; readonly message: string }

/** The channel between the two; `closed` fires when the serving process is gone. */
export interface WorkerChannel {
  readonly send: (report: WorkerReport) => void
  readonly onOrder: (take: (order: WorkerOrder) => void) => void
  readonly onClosed: (call: () => void) => void
}

const countersEveryMs = 50

/** How long those that are still connected may take once the serving process is gone. */
const orphanMs = 3000

/**
 * Stand in for an application on the listening sockets that both have: accept and hold while it is away.
 *
 * A process of its own, because Node can only stop accepting on a descriptor by closing it: this one closes its copies and the sockets,
 * with the connections that wait in them, live on in the others. Post: resolves when every connection has ended.
 */
export async function runHoldWorker(channel: WorkerChannel): Promise<void> {
  const worker = new HoldWorker(channel)
  const timer = setInterval(() => worker.report(), countersEveryMs)
  await worker.ended
  clearInterval(timer)
  worker.report()
}

class HoldWorker {
  readonly ended: Promise<void>
  readonly #channel: WorkerChannel
  readonly #end: () => void
  /** One for each socket: what waits at one is handed over at its own address. The bounds of the hold are those of each. */
  #fronts: readonly Front[] = []
  readonly #observing = new Observing()
  #lastCounters = ''

  constructor(channel: WorkerChannel) {
    this.#channel = channel
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
    channel.onOrder(order => this.#obey(order))
    channel.onClosed(() => this.#beOrphaned())
  }

  /** Tell the counts, when they have changed. */
  report(): void {
    if (this.#fronts.length === 0) return
    const counters = sumCounters(this.#fronts.map(front => front.counters()))
    const text = JSON.stringify(counters)
    if (text === this.#lastCounters) return
    this.#lastCounters = text
    this.#channel.send({ kind: 'counters', counters, figures: this.#observing.figures() })
  }

  #obey(order: WorkerOrder): void {
    switch (order.kind) {
      case 'accept':
        this.#accept(order).then(
          () => this.#channel.send({ kind: 'accepting' }),
          (caught: Error) => this.#channel.send({ kind: 'failed', message: caught.message }),
        )
        break
      case 'enter':
        this.#enter(order.mode)
        break
      case 'stop-accepting':
        this.#stopAccepting()
        this.#channel.send({ kind: 'stopped-accepting' })
        break
      case 'release':
        for (const [index, front] of this.#fronts.entries()) front.serviceAt(order.addresses[index]!)
        this.#enter('pass')
        break
      case 'end-streams':
        for (const front of this.#fronts) void front.drain({ timeoutMs: 0, streamsMs: 0 })
        break
    }
  }

  async #accept({ settings, mode, sockets }: Extract<WorkerOrder, { kind: 'accept' }>): Promise<void> {
    this.#observing.configure(settings.accessLog)
    this.#fronts = Array.from({ length: sockets }, () => {
      return new Front({
        settings,
        timers: systemTimers,
        random: Math.random,
        closesConnections: true,
        observer: this.#observing,
      })
    })
    for (const front of this.#fronts) front.serviceExpected()
    this.#enter(mode)
    const listening = this.#fronts.map((front, index) => front.listen({ kind: 'descriptor', descriptor: 3 + index }))
    await Promise.all(listening)
  }

  #enter(mode: GateMode): void {
    for (const front of this.#fronts) front.enter(mode)
  }

  #stopAccepting(): void {
    void Promise.all(this.#fronts.map(front => front.stopAccepting())).then(this.#end)
  }

  /** Nobody will tell when the application is back: clients are told to come again, and the sockets are left to whoever serves next. */
  #beOrphaned(): void {
    this.#stopAccepting()
    this.#enter('drain')
    setTimeout(() => {
      for (const front of this.#fronts) front.closeAllConnections()
    }, orphanMs).unref()
  }
}
