import type { ServiceStatus } from '../../core/service-status.ts'
import type { GateKind } from '../../recipe/schema.ts'
import type { AnswerFigures } from '../front/flights.ts'
import type { GateAsker, GateState } from '../machine/machine.ts'

export type { ServiceStatus } from '../../core/service-status.ts'

/*
 * The language between an installer and the serving process (`cutover serve`): JSON over HTTP on a unix socket in the prefix.
 * Each request is one POST of a ControlRequest to `/control`; each answer one ControlResponse.
 */

/** What can be asked of a serving process. Times in milliseconds. */
export type ControlRequest =
  | { readonly kind: 'status' }
  /** Change the gate's mode; see gate/machine/machine.ts. `deadlineMs` bounds how long the mode may last without further word. */
  | {
      readonly kind: 'gate'
      readonly mode: 'pass' | 'hold' | 'backoff' | 'drain'
      readonly reason: string
      readonly deadlineMs?: number
      /** Who asks; an installer when absent. */
      readonly by?: GateAsker
    }
  /** Begin the soft phase, in mode pass, or with 0 ms end it. Errors: GATE_CANNOT_SOFTEN. */
  | {
      readonly kind: 'soften'
      readonly reason: string
      /** How long it lasts, and which share of good answers tells to stay away at its end; what the release's recipe says when absent. */
      readonly lastsMs?: number
      readonly share?: number
      /** Who asks; an installer when absent. */
      readonly by?: GateAsker
    }
  /** Wait until nothing is in flight, at most `timeoutMs`; streams are ended after `streamsMs`, spread over `spreadMs`. Pre: mode hold, backoff or drain. */
  | { readonly kind: 'drain'; readonly timeoutMs: number; readonly streamsMs: number; readonly spreadMs?: number }
  /** Stop the running release's services, in reverse order. */
  | { readonly kind: 'stop' }
  /** Start the services of a release (a folder name below `releases/`) and wait until they run, not until they are healthy. */
  | { readonly kind: 'start'; readonly version: string }
  /** Ask a running release for its health once; the live one when none is named. */
  | { readonly kind: 'probe'; readonly version?: string }
  /** Start what listens of a release beside the live one, and send nothing there yet. Nothing is done when it runs. */
  | { readonly kind: 'start-beside'; readonly version: string }
  /** Send a share of the clients, 0 to 1, to the release beside, and those whose cookie of that name is `new`. Kept for `cookieSeconds`. */
  | {
      readonly kind: 'route'
      readonly version: string
      readonly share: number
      readonly cookie: string
      readonly cookieSeconds: number
    }
  /** Make the release beside the live one, which gets all requests from now on, and the other one beside. */
  | { readonly kind: 'promote'; readonly version: string }
  /** Let the release beside finish, within limits, and stop it. Nothing is done when it is not there. */
  | {
      readonly kind: 'retire'
      readonly version: string
      readonly timeoutMs: number
      readonly streamsMs: number
      readonly spreadMs?: number
    }
  /**
   * Have the gate at an address answer all requests, those that wait included, in place of the own services; without `to` no more.
   * The mode is what it was, and in effect again afterwards. For a slot whose clients have gone elsewhere.
   */
  | { readonly kind: 'relay'; readonly to?: string }
  /** Tell what was counted, as Prometheus reads it: in `metrics` of the answer. */
  | { readonly kind: 'metrics' }
  /**
   * Replace the serving process by its successor, which takes over its sockets and services: the executable at `cutover`, or its own as
   * it is on the disk now. It may take `readyMs` to be ready; streams keep the old process for `streamsMs`. The answer is the successor's.
   */
  | { readonly kind: 'upgrade'; readonly cutover?: string; readonly readyMs?: number; readonly streamsMs?: number }
  /** End the serving process itself, services included. */
  | { readonly kind: 'shutdown' }

/** What a serving process says of itself. */
export interface ServeStatus {
  readonly pid: number
  readonly version: string | undefined
  /** The role that the services were started in; undefined where there are no roles. */
  readonly role?: string | undefined
  /** Who answers in place of the own services. */
  readonly relaysTo?: string | undefined
  readonly address: string
  readonly gateMode: GateKind
  readonly gate: GateState
  readonly services: readonly ServiceStatus[]
  /** Set where a release can be started beside the live one: whether requests can be shared out between both. */
  readonly overlap?: { readonly canRoute: boolean } | undefined
  /** The release beside the live one. */
  readonly beside?: BesideStatus | undefined
  readonly counters: GateCounters
}

/** What a serving process says of a release beside the live one. */
export interface BesideStatus {
  readonly version: string
  readonly services: readonly ServiceStatus[]
  /** The share of the clients that it gets. */
  readonly share: number
  /** How the requests of both have ended since they were started. */
  readonly liveAnswers: AnswerFigures
  readonly besideAnswers: AnswerFigures
}

/** Counts since the serving process started. Times in milliseconds. */
export interface GateCounters {
  readonly requests: number
  readonly held: number
  readonly released: number
  readonly backedOff: number
  readonly abandoned: number
  readonly longestHoldMs: number
  readonly inFlight: number
  readonly streams: number
  readonly heldNow: number
  readonly heldBytes: number
}

/** What came of a drain or a probe. */
export interface ControlResult {
  readonly ok: boolean
  readonly evidence: string
  /** For a probe that was not good: the application said so itself. */
  readonly isAnswer?: boolean
}

/** What a serving process answers. */
export type ControlResponse =
  | {
      readonly ok: true
      readonly status: ServeStatus
      /** For `drain`: whether nothing is in flight any more. For `probe`: whether it is healthy. Both with what was seen. */
      readonly result?: ControlResult
      readonly metrics?: string
    }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string }

/** Where the control socket is, relative to the prefix. */
export const controlSocket = 'run/control.sock'
