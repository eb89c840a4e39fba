import type { Held } from '../machine/queue.ts'
import type { Outcome, RequestRecord } from '../observe/observer.ts'
import type { Exchange, ForwardFigures, Origin } from './exchange.ts'

/** A request from its arrival to the end of its answer. Times in milliseconds, on a clock that nobody sets. */
export interface Visit {
  readonly exchange: Exchange
  readonly arrivedMs: number
  readonly isBypassing: boolean
  /** Its place among those that wait, from when it first waited on. */
  held: Held<Visit> | undefined
  /** Stops listening for its client to hang up while it waits. */
  stopListening: (() => void) | undefined
  waitedMs: number
  isBeside: boolean
}

/** How a visit ended. */
export interface VisitEnd extends ForwardFigures {
  readonly outcome: Outcome
}

/** Begin a visit. */
export function beginVisit(exchange: Exchange, arrivedMs: number, isBypassing: boolean): Visit {
  return {
    exchange,
    arrivedMs,
    isBypassing,
    held: undefined,
    stopListening: undefined,
    waitedMs: 0,
    isBeside: false,
  }
}

/** Say what is known of a visit that ended now. `nowMs` is on the visit's clock, `epochMs` the same moment since 1970. */
export function recordOf(
  visit: Visit,
  end: VisitEnd,
  { nowMs, epochMs }: { nowMs: number; epochMs: number },
): RequestRecord {
  const { exchange, arrivedMs, waitedMs, isBypassing, isBeside } = visit
  const durationMs = nowMs - arrivedMs
  return {
    method: exchange.method,
    target: exchange.target,
    httpVersion: exchange.httpVersion,
    host: exchange.field('host'),
    remoteAddress: exchange.origin.remoteAddress,
    userAgent: exchange.field('user-agent'),
    referrer: exchange.field('referer'),
    status: end.status,
    receivedBytes: end.receivedBytes,
    sentBytes: end.sentBytes,
    arrivedMs: epochMs - durationMs,
    durationMs,
    waitedMs,
    outcome: end.outcome,
    bypassed: isBypassing,
    isCanary: isBeside,
  }
}

/** Say what is known of something that was refused before it was a request. */
export function recordOfRefusal({ remoteAddress }: Origin, status: number, nowMs: number): RequestRecord {
  return {
    method: '-',
    target: '-',
    httpVersion: '-',
    host: undefined,
    remoteAddress,
    userAgent: undefined,
    referrer: undefined,
    status,
    receivedBytes: 0,
    sentBytes: 0,
    arrivedMs: nowMs,
    durationMs: 0,
    waitedMs: 0,
    outcome: 'refused',
    bypassed: false,
    isCanary: false,
  }
}
