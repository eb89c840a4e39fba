import type { GateKind } from '../recipe/schema.ts'
import type { HandedSocket } from '../sys/process.ts'
import type { GateCounters } from './control/protocol.ts'
import type { Address } from './front/address.ts'
import type { FrontSettings } from './front/settings.ts'
import type { GateMode } from './machine/machine.ts'

/** Where the listening service accepts; decided anew at each start of it. */
export interface ServicePlace {
  /** The values of `${port}` and `${socket}`. */
  readonly port: string
  readonly socket: string
  /** The listening sockets that the service is given; empty when it opens its own. */
  readonly handed: readonly HandedSocket[]
}

/** How a drain ended. */
export interface Drained {
  readonly ok: boolean
  readonly evidence: string
}

/**
 * What stands in front of an application, in either of two ways (`proxy`, `handover`).
 *
 * A mode is acted on after it was persisted. Calls may overlap: each way keeps them in order by itself.
 */
export interface Gate {
  readonly kind: GateKind
  /** The public address, with its real port. */
  readonly address: Address
  /** Where to ask the running service for its health. */
  readonly probeAddress: () => Address
  /** Behave as another release's recipe says. */
  readonly configure: (settings: FrontSettings) => void
  readonly enter: (mode: GateMode) => Promise<void>
  /** Wait until nothing is in flight, as far as the gate can see. */
  readonly drain: (limits: { readonly timeoutMs: number; readonly streamsMs: number }) => Promise<Drained>
  /** Make ready for a start of the listening service, and say where it accepts. */
  readonly prepareService: (kind: 'port' | 'socket') => Promise<ServicePlace>
  /** The listening service was started where {@link prepareService} said. */
  readonly serviceStarted: () => void
  /** The listening service is about to be asked to end: it gets no more requests, and no idle connection keeps it waiting. */
  readonly serviceStopping: () => void
  /** The listening service ended; `returns` tells whether it is started again soon. */
  readonly serviceEnded: (returns: boolean) => void
  readonly counters: () => GateCounters
  /** Stop accepting and end what is left. */
  readonly close: () => Promise<void>
}
