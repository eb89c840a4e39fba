import type { GateCounters } from '../control/protocol.ts'
import type { Address } from '../front/address.ts'
import { Front } from '../front/front.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { GateMode } from '../machine/machine.ts'
import { systemTimers } from '../machine/timers.ts'

/** What a serving process tells its hold worker. */
export type WorkerOrder =
  /** Accept on descriptor 3, in a mode. */
  | { readonly kind: 'accept'; readonly settings: FrontSettings; readonly mode: GateMode }
  | { readonly kind: 'enter'; readonly mode: GateMode }
  /** Leave the listening socket to others; what was accepted goes on. */
  | { readonly kind: 'stop-accepting' }
  /** The application accepts at `address` now: hand over what is held, then end. */
  | { readonly kind: 'release'; readonly address: Address }
  | { readonly kind: 'end-streams' }

/** What a hold worker tells back. */
export type WorkerReport =
  | { readonly kind: 'accepting' }
  | { readonly kind: 'stopped-accepting' }
  | { readonly kind: 'counters'; readonly counters: GateCounters }
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
 * Stand in for an application on the listening socket that both have: accept and hold while it is away.
 *
 * A process of its own, because Node can only stop accepting on a descriptor by closing it: this one closes its copy and the socket,
 * with the connections that wait in it, lives on in the others. Post: resolves when every connection has ended.
 */
export async function runHoldWorker(channel: WorkerChannel): Promise<void> {
  let front: Front | undefined
  let lastCounters = ''
  const report = () => {
    const counters = front?.counters()
    if (counters === undefined || JSON.stringify(counters) === lastCounters) return
    lastCounters = JSON.stringify(counters)
    channel.send({ kind: 'counters', counters })
  }
  const timer = setInterval(report, countersEveryMs)
  await new Promise<void>(ended => {
    const stopAccepting = () => {
      if (front === undefined) return ended()
      void front.stopAccepting().then(ended)
    }
    channel.onOrder(order => {
      switch (order.kind) {
        case 'accept':
          front = new Front({
            settings: order.settings,
            timers: systemTimers,
            random: Math.random,
            closesConnections: true,
          })
          front.serviceExpected()
          front.enter(order.mode)
          front.listen({ kind: 'descriptor', descriptor: 3 }).then(
            () => channel.send({ kind: 'accepting' }),
            (caught: Error) => channel.send({ kind: 'failed', message: caught.message }),
          )
          break
        case 'enter':
          front?.enter(order.mode)
          break
        case 'stop-accepting':
          stopAccepting()
          channel.send({ kind: 'stopped-accepting' })
          break
        case 'release':
          front?.serviceAt(order.address)
          front?.enter('pass')
          break
        case 'end-streams':
          void front?.drain({ timeoutMs: 0, streamsMs: 0 })
          break
      }
    })
    channel.onClosed(() => {
      // Nobody will tell when the application is back: clients are told to come again, and the socket is left to whoever serves next.
      stopAccepting()
      front?.enter('drain')
      setTimeout(() => front?.closeAllConnections(), orphanMs).unref()
    })
  })
  clearInterval(timer)
  report()
}
