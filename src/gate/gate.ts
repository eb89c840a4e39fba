import type { GateKind } from '../recipe/schema.ts'
import type { HandedSocket } from '../sys/process.ts'
import type { GateCounters } from './control/protocol.ts'
import type { Address } from './front/address.ts'
import type { AnswerFigures, Drained, DrainLimits } from './front/flights.ts'
import type { Routing } from './front/routes.ts'
import type { FrontSettings } from './front/settings.ts'
import type { GateMode } from './machine/machine.ts'
import type { RunningShaping } from './machine/shaping.ts'
import type { GateFigures } from './observe/figures.ts'

export type { Drained } from './front/flights.ts'

/** Where the listening service accepts; decided anew at each start of it. */
export interface ServicePlace {
  /** The values of `${port}` and `${socket}`. */
  readonly port: string
  readonly socket: string
  /** The listening sockets that the service is given; empty when it opens its own. */
  readonly handed: readonly HandedSocket[]
}

/** How the listening service of one release gets its requests from a gate. */
export interface ServiceDoor {
  /** Where to ask the running service for its health. */
  readonly probeAddress: () => Address
  /** Make ready for a start of the listening service, and say where it accepts. */
  readonly prepareService: (kind: 'port' | 'socket') => Promise<ServicePlace>
  /** The listening service was started where {@link prepareService} said. */
  readonly serviceStarted: () => void
  /** The listening service is about to be asked to end: it gets no more requests, and no idle connection keeps it waiting. */
  readonly serviceStopping: () => void
  /** The listening service ended; `returns` tells whether it is started again soon. */
  readonly serviceEnded: (returns: boolean) => void
}

/**
 * How a gate has two releases behind it: the live one, which gets the requests, and one beside it.
 *
 * A door stays its release's own, also when that becomes the live one or ceases to be it.
 */
export interface GateOverlap {
  /** Whether requests can be shared out between both; where they cannot, both get some from the start of the second on. */
  readonly canRoute: boolean
  readonly live: () => ServiceDoor
  /** Make a door beside the live one. Pre: there is none. */
  readonly open: () => ServiceDoor
  /** Share requests out between both; undefined: all go to the live release. */
  readonly route: (routing: Routing | undefined) => void
  /** Have all requests that come from now on go to the release beside, and make it the live one: nothing waits, what is in flight stays. */
  readonly promote: () => Promise<void>
  /** Wait until the release beside has nothing in flight, as far as the gate can see. */
  readonly drain: (limits: DrainLimits) => Promise<Drained>
  /** Give the door beside up. Pre: what it was for has ended. */
  readonly close: () => void
  /** How the requests of both have ended so far. */
  readonly figures: () => { readonly live: AnswerFigures; readonly beside: AnswerFigures }
}

/**
 * How another process goes on in the place of a gate.
 *
 * Its sockets are shared for a moment: the other process accepts on its copies before we stop, so no connection is refused.
 */
export interface GateSuccession {
  readonly sockets: readonly HandedSocket[]
  /**
   * Stop accepting, and have the gate at `to` answer what still comes on connections that we have; each ends with its next answer.
   * Where no requests come through us, `to` is undefined.
   * Called again when that gate leaves as well. Post: resolves when no connection is left.
   */
  readonly leave: (to: Address | undefined) => Promise<void>
  /** Wait until what the application had when we left has ended. */
  readonly drain: (limits: DrainLimits) => Promise<Drained>
  /** End what is left. */
  readonly end: () => void
}

/**
 * What stands in front of an application, in either of two ways (`proxy`, `handover`).
 *
 * A mode is acted on after it was persisted. Calls may overlap: each way keeps them in order by itself.
 */
export interface Gate extends ServiceDoor {
  readonly kind: GateKind
  /** The public address, with its real port. */
  readonly address: Address
  /** Behave as another release's recipe says. */
  readonly configure: (settings: FrontSettings) => void
  /** Act on a mode. What shapes mode pass is for a gate whose requests go through it; others leave it out. */
  readonly enter: (mode: GateMode, shaping?: RunningShaping) => Promise<void>
  /** Wait until nothing is in flight, as far as the gate can see. */
  readonly drain: (limits: DrainLimits) => Promise<Drained>
  /** Undefined where two releases cannot stand behind it at once. */
  readonly overlap?: GateOverlap | undefined
  /** Have another gate answer all requests, or the own service again. Undefined where requests do not go through us. Pre: nothing is beside. */
  readonly relay?: (to: Address | undefined) => void
  /** Undefined where nobody can go on in its place. Asked for when it is needed. Pre: mode pass, nothing is beside. */
  readonly succession?: () => GateSuccession | undefined
  /** Answer for the gate before us what comes on its connections, at a socket of its and ours alone. Undefined where none does. */
  readonly answerFor?: (socket: Address) => Promise<void>
  /** Read its certificates again. Undefined where it has none. */
  readonly reload?: (() => void) | undefined
  /**
   * Make a door that no client reaches, for a release that is looked at while an operator keeps clients away. Undefined where the gate
   * keeps them away by itself.
   */
  readonly seclude?: () => ServiceDoor
  readonly counters: () => GateCounters
  /** Whether the live service accepts, as far as requests of ours find out. Undefined where none of them goes there. */
  readonly isUpstreamUp?: () => boolean
  /** What other processes of the gate have seen of requests; the observer is told of the rest. Undefined where there are none. */
  readonly figures?: () => GateFigures
  /** Stop accepting and end what is left. */
  readonly close: () => Promise<void>
}
