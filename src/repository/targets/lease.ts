import { randomUUID } from 'node:crypto'
import os from 'node:os'
import { ReleaseError } from '../../core/error.ts'
import type { LockOwner } from '../../sys/lock.ts'
import type { Lease, LeaseOptions } from '../target.ts'
import type { TransferTools } from './tools.ts'

/** What a holder keeps at its target. `beat` grows with each renewal. */
export interface LeaseRecord {
  /** Chosen anew for each lease. */
  readonly id: string
  readonly state: 'held' | 'released'
  readonly owner: LockOwner
  readonly beat: number
}

/** A lease as it is found. `Place` is what its target knows it by. */
export interface LeaseView<Place> {
  readonly place: Place
  /** Undefined when it cannot be read, or was not written yet. */
  readonly record: LeaseRecord | undefined
  /** Changes with each renewal. */
  readonly mark: string
  /** How long ago it was renewed, by the target's own clock; undefined when it does not say. */
  readonly idleMs: number | undefined
}

/** Where leases of a target are kept. The target makes sure that one place is claimed once. */
export interface LeaseStore<Place> {
  /** Find the newest lease; undefined when there was none yet. */
  readonly look: () => Promise<LeaseView<Place> | undefined>
  /** Take the place after the one that was found; undefined when somebody else was faster. */
  readonly claim: (after: LeaseView<Place> | undefined, record: LeaseRecord) => Promise<Place | undefined>
  /** Renew or give back; undefined when it is somebody else's by now. */
  readonly write: (place: Place, record: LeaseRecord) => Promise<Place | undefined>
}

/**
 * How long leases last.
 *
 * A holder stops by itself after `holdMs` without a renewal; others take over after `takeoverMs`. What lies between covers requests under way,
 * and clocks that do not run alike.
 */
export interface LeaseTimes {
  readonly holdMs: number
  readonly renewMs: number
  readonly takeoverMs: number
  readonly pollMs: number
}

/** Long enough for a publisher that has much to compute, short enough to wait for a dead one. */
export const usualLeaseTimes: LeaseTimes = { holdMs: 60_000, renewMs: 15_000, takeoverMs: 90_000, pollMs: 1000 }

/** What is asked for. */
export interface LeaseRequest<Place> {
  /** The target, as messages name it. */
  readonly name: string
  readonly command: string
  readonly options: LeaseOptions
  readonly store: LeaseStore<Place>
  readonly times: LeaseTimes
  readonly tools: TransferTools
}

/**
 * Take a lease at a target that has no locks of its own.
 *
 * Two never hold it: a claim succeeds once for each place, and it is made only on a lease that was given back or whose holder has stopped
 * believing in it. A holder believes until `holdMs` after the start of the last renewal that ended before the belief did, so every renewal it
 * builds on was to be seen by whoever took over after `takeoverMs`.
 * Errors: LOCKED with the owner, after `waitMs`. Crash: others wait `takeoverMs`.
 * Source: Gray and Cheriton, Leases (1989).
 */
export async function takeLease<Place>(request: LeaseRequest<Place>): Promise<Lease> {
  const { store, times, tools, options } = request
  const owner = { pid: process.pid, host: os.hostname(), command: request.command, sinceMs: tools.clock.nowMs() }
  const deadlineMs = tools.clock.elapsedMs() + options.waitMs
  const watch = new Watch(times, tools)
  for (;;) {
    options.signal?.throwIfAborted()
    const askedMs = tools.clock.elapsedMs()
    const isLate = askedMs >= deadlineMs
    const view = await store.look()
    if (watch.isFree(view, askedMs)) {
      const start = now(tools)
      const record: LeaseRecord = { id: randomUUID(), state: 'held', owner, beat: 0 }
      const place = await store.claim(view, record)
      const held = place === undefined ? undefined : new HeldLease(request, { place, record, start })
      if (held?.isHeld() === true) return held
      // Somebody else was faster, or our own answer came too late.
      if (isLate) throw locked(request.name, undefined)
      continue
    }
    if (isLate) throw locked(request.name, view?.record?.owner)
    await tools.wait(times.pollMs * (0.5 + tools.random()), options.signal)
  }
}

/** Do what comes first under a lease that was just taken. It is given back when that fails, for nobody else has it to do so. */
export async function firstUnder(lease: Lease, work: () => Promise<void> | void): Promise<Lease> {
  try {
    await work()
    return lease
  } catch (caught) {
    await lease.release()
    throw caught
  }
}

/** Read a lease's record; undefined when it is none. */
export function parseLeaseRecord(bytes: Uint8Array): LeaseRecord | undefined {
  try {
    const { id, state, owner, beat } = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
    const { pid, host, command, sinceMs } = owner as Record<string, unknown>
    if ((state !== 'held' && state !== 'released') || typeof beat !== 'number' || typeof id !== 'string')
      return undefined
    if (typeof pid !== 'number' || typeof host !== 'string' || typeof command !== 'string') return undefined
    if (typeof sinceMs !== 'number' || !(Math.abs(sinceMs) < 8e15)) return undefined
    return { id, state, owner: { pid, host, command, sinceMs }, beat }
  } catch {
    // Whatever it is, its holder is unknown: it ends like that of one who died.
    return undefined
  }
}

/** Tell how long ago something was written, by the clock of the server that says so; undefined when it does not. */
export function idleMsOf(date: string | undefined, lastModified: string | undefined): number | undefined {
  const idleMs = Date.parse(date ?? '') - Date.parse(lastModified ?? '')
  return Number.isNaN(idleMs) ? undefined : idleMs
}

/** A reading of both clocks: one stands still while the machine sleeps, the other can be set. */
interface Instant {
  readonly nowMs: number
  readonly elapsedMs: number
}

function now({ clock }: TransferTools): Instant {
  return { nowMs: clock.nowMs(), elapsedMs: clock.elapsedMs() }
}

function sinceMs(start: Instant, tools: TransferTools): number {
  const { nowMs, elapsedMs } = now(tools)
  return Math.max(nowMs - start.nowMs, elapsedMs - start.elapsedMs)
}

/** Sees a lease age. */
class Watch {
  readonly #times: LeaseTimes
  readonly #tools: TransferTools
  #mark: string | undefined
  #sinceMs = 0

  constructor(times: LeaseTimes, tools: TransferTools) {
    this.#times = times
    this.#tools = tools
  }

  /** An answer may be old when it comes: what it shows was there when it was asked for, at the earliest. */
  isFree(view: LeaseView<unknown> | undefined, askedMs: number): boolean {
    if (view === undefined || view.record?.state === 'released') return true
    if (view.mark !== this.#mark) {
      this.#mark = view.mark
      this.#sinceMs = this.#tools.clock.elapsedMs()
    }
    return Math.max(view.idleMs ?? 0, askedMs - this.#sinceMs) >= this.#times.takeoverMs
  }
}

interface Holding<Place> {
  readonly place: Place
  readonly record: LeaseRecord
  /** When the request began that it was taken or renewed by. */
  readonly start: Instant
}

/** A lease that renews itself until it is given back. It keeps no process alive. */
class HeldLease<Place> implements Lease {
  readonly #request: LeaseRequest<Place>
  #holding: Holding<Place>
  #isLost = false
  #timer: NodeJS.Timeout
  #renewing: Promise<void> = Promise.resolve()

  constructor(request: LeaseRequest<Place>, holding: Holding<Place>) {
    this.#request = request
    this.#holding = holding
    this.#timer = this.#startTimer(request.times.renewMs)
  }

  isHeld(): boolean {
    // Once lost it stays so, whatever the clocks say later.
    this.#isLost ||= sinceMs(this.#holding.start, this.#request.tools) >= this.#request.times.holdMs
    return !this.#isLost
  }

  assertHeld = (): void => {
    if (this.isHeld()) return
    throw new ReleaseError(
      'REPOSITORY_CHANGED',
      `the lease on ${this.#request.name} was lost: it was not renewed in time`,
      {
        details: { path: this.#request.name },
      },
    )
  }

  release = async (): Promise<void> => {
    clearTimeout(this.#timer)
    await this.#renewing
    clearTimeout(this.#timer)
    if (!this.isHeld()) return
    this.#isLost = true
    const { place, record } = this.#holding
    await this.#request.store.write(place, { ...record, state: 'released', beat: record.beat + 1 })
  }

  #startTimer(durationMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#renewing = this.#renew()
    }, durationMs).unref()
  }

  async #renew(): Promise<void> {
    const { store, times, tools } = this.#request
    const start = now(tools)
    if (!this.isHeld()) return
    const { place, record } = this.#holding
    const next = { ...record, beat: record.beat + 1 }
    try {
      const renewed = await store.write(place, next)
      if (renewed === undefined) this.#isLost = true
      // A renewal whose answer came too late may have been overtaken.
      if (!this.isHeld() || renewed === undefined) return
      this.#holding = { place: renewed, record: next, start }
      this.#timer = this.#startTimer(times.renewMs)
    } catch {
      // Whatever it was, there is some time left to try again; then the lease is lost, and that is told when it is asked for.
      this.#timer = this.#startTimer(times.renewMs / 4)
    }
  }
}

function locked(name: string, owner: LockOwner | undefined): ReleaseError {
  const who =
    owner === undefined
      ? 'another publisher'
      : `${owner.command} (pid ${owner.pid} on ${owner.host}, since ${new Date(owner.sinceMs).toISOString()})`
  return new ReleaseError('LOCKED', `${name} is held by ${who}`, {
    details: { path: name, pid: owner?.pid, since: owner?.sinceMs },
  })
}
