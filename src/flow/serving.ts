import { ReleaseError } from '../core/error.ts'
import type { ControlAnswer, ControlClient } from '../gate/control/client.ts'
import type { ControlRequest, ControlResult, GateCounters, ServeStatus } from '../gate/control/protocol.ts'
import { type GateMode, type GateState, remainingMs } from '../gate/machine/machine.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import { type Clock, delay } from '../sys/clock.ts'
import { drainLimits } from './serve-mode.ts'

/** What a change did to the requests that came during it. Units: milliseconds. */
export interface HoldFigures {
  readonly heldRequests: number
  readonly backedOffRequests: number
  readonly longestHoldMs: number
  /** From the hold to the release. */
  readonly holdMs: number
}

/** Whether a release is healthy, and what was seen last. */
export type Verdict = ControlResult

/** Which release is asked for its health, and until when. */
export interface Asked {
  /** The live one when absent. */
  readonly version?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** What {@link ServingProcess.enterHold} keeps up until {@link ServingProcess.leaveHold}. */
interface Hold {
  readonly asked: ControlRequest
  /** What the gate goes back to. */
  readonly after: ControlRequest
  readonly beganMs: number
  readonly countersBefore: GateCounters
  readonly timer: NodeJS.Timeout
  renewal: Promise<void>
}

/** Slack for the control socket beside the time that something may take. */
const slackMs = 10_000
/** How soon a version is asked again that is not healthy yet; then twice as long each time. */
const firstPauseMs = 10
const longestPauseMs = 50
/** After so many ends of a service, waiting longer for its health is of no use. */
const hopelessRestarts = 3

/** The process that serves a prefix, as an installation deals with it. Errors of all: those of gate/control/client.ts. */
export class ServingProcess {
  readonly #client: ControlClient
  readonly #clock: Clock
  #hold: Hold | undefined
  #figures: HoldFigures | undefined

  constructor(client: ControlClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /** What the last hold came to; undefined before one has ended. */
  get figures(): HoldFigures | undefined {
    return this.#figures
  }

  async status(timeoutMs?: number): Promise<ServeStatus> {
    return (await this.#client.request({ kind: 'status' }, timeoutMs === undefined ? {} : { timeoutMs })).status
  }

  /** Ask for something that has no method here: see flow/overlap-effects.ts. */
  request(request: ControlRequest, timeoutMs: number): Promise<ControlAnswer> {
    return this.#client.request(request, { timeoutMs: timeoutMs + slackMs })
  }

  /**
   * Hold requests until {@link leaveHold}; the gate's deadline is renewed meanwhile.
   *
   * A gate that an operator has set stays so, then and afterwards.
   */
  async enterHold(reason: string, deadlineMs: number): Promise<void> {
    if (this.#hold !== undefined) return
    const { gate, counters } = await this.status()
    const leftMs = Math.max(1, (gate.deadlineAtMs ?? 0) - this.#clock.nowMs())
    const asked = isOperators(gate)
      ? { mode: gate.mode, reason: gate.reason, deadlineMs: Math.max(leftMs, deadlineMs), by: gate.by }
      : { mode: 'hold' as const, reason, deadlineMs, by: 'installer' as const }
    await this.#client.request({ kind: 'gate', ...asked })
    this.#hold = {
      asked: { kind: 'gate', ...asked },
      after: isOperators(gate)
        ? { kind: 'gate', ...asked, deadlineMs: leftMs }
        : { kind: 'gate', mode: 'pass', reason },
      beganMs: this.#clock.elapsedMs(),
      countersBefore: counters,
      timer: setInterval(() => this.#renew(), Math.max(500, deadlineMs / 4)).unref(),
      renewal: Promise.resolve(),
    }
  }

  /** Let requests through again, also after the hold of an installer that was killed; an operator's word stays. */
  async leaveHold(reason: string): Promise<void> {
    const hold = this.#hold
    if (hold === undefined) {
      if (!isOperators((await this.status()).gate)) await this.#client.request({ kind: 'gate', mode: 'pass', reason })
      return
    }
    await this.#endRenewal()
    const { counters } = (await this.#client.request(hold.after)).status
    this.#hold = undefined
    this.#figures = {
      heldRequests: counters.held - hold.countersBefore.held + (this.#figures?.heldRequests ?? 0),
      backedOffRequests: counters.backedOff - hold.countersBefore.backedOff + (this.#figures?.backedOffRequests ?? 0),
      longestHoldMs: counters.longestHoldMs,
      holdMs: this.#clock.elapsedMs() - hold.beganMs + (this.#figures?.holdMs ?? 0),
    }
  }

  /**
   * Have good answers tell clients to stay away, for as long as the recipe wants; one that an operator began goes on to its end.
   *
   * Post: how long to wait for its end. Errors: GATE_CANNOT_SOFTEN.
   */
  async beginSoft(reason: string, soft: NodeRecipe['gate']['soft']): Promise<number> {
    const { gate } = await this.#soften({ reason, lastsMs: soft.for, share: soft.share })
    return remainingMs(gate, this.#clock.nowMs()) ?? 0
  }

  /** Have answers tell nobody any more, unless an operator wants it. Errors: GATE_CANNOT_SOFTEN. */
  async endSoft(reason: string): Promise<void> {
    await this.#soften({ reason, lastsMs: 0 })
  }

  async #soften(asked: { readonly reason: string; readonly lastsMs: number; readonly share?: number }) {
    return (await this.#client.request({ kind: 'soften', ...asked, by: 'installer' })).status
  }

  /** Let requests in flight finish. Post: whether none was cut. */
  async drain(limits: NodeRecipe['gate']['drain']): Promise<Verdict> {
    const timeoutMs = limits.timeout + limits.streams + slackMs
    const request = { kind: 'drain', ...drainLimits(limits) } as const
    const { result } = await this.#client.request(request, { timeoutMs })
    return result ?? { ok: true, evidence: 'nothing was in flight' }
  }

  /** Have the gate at an address answer what waits here and all that comes; undefined: no more. Errors: RELAY_UNSUPPORTED. */
  async relay(to: string | undefined): Promise<void> {
    await this.#client.request(to === undefined ? { kind: 'relay' } : { kind: 'relay', to })
  }

  /** Turn away what waits, and all that comes until {@link leaveHold}. */
  async turnAway(reason: string, deadlineMs: number): Promise<void> {
    await this.#endRenewal()
    await this.#client.request({ kind: 'gate', mode: 'backoff', reason, deadlineMs })
  }

  /** Stop the running services, each within its time. */
  async stop(stopTimeoutsMs: readonly number[]): Promise<void> {
    const timeoutMs = stopTimeoutsMs.reduce((sum, each) => sum + each, 0) + slackMs
    await this.#client.request({ kind: 'stop' }, { timeoutMs })
  }

  /** Start the services of a release. Post: they run; their health is another matter. */
  async start(version: string, timeoutMs: number): Promise<void> {
    await this.#client.request({ kind: 'start', version }, { timeoutMs })
  }

  /** Tell whether the services of a version run. */
  async isRunning(version: string): Promise<boolean> {
    const { version: served, services } = await this.status()
    return served === version && services.every(service => service.state === 'running')
  }

  /**
   * Ask for health until it was good as often in a row as the recipe wants, or its deadline is over.
   *
   * It is asked more often than the recipe says: requests wait for that, unless the version runs beside another.
   */
  async awaitHealth(health: NodeRecipe['health'], asked: Asked = {}): Promise<Verdict> {
    const { signal, version } = asked
    const { deadline, startup, patience = deadline } = health
    const endMs = this.#clock.elapsedMs() + deadline
    const restartsBefore = restarts(await this.status(), version)
    await delay(Math.min(startup, deadline), signal)
    const pauses = pausesBetween(health)
    let sickFromMs: number | undefined
    for (let successes = 0; ; ) {
      const { verdict, status } = await this.#probe(health, version)
      const nowMs = this.#clock.elapsedMs()
      successes = verdict.ok ? successes + 1 : 0
      sickFromMs = verdict.isAnswer === true ? (sickFromMs ?? nowMs) : undefined
      if (successes >= health.successes) return verdict
      if (restarts(status, version) - restartsBefore >= hopelessRestarts) return verdict
      if (sickFromMs !== undefined && nowMs - sickFromMs >= patience) {
        return { ok: false, evidence: `not healthy ${patience} ms after its first answer: ${verdict.evidence}` }
      }
      if (nowMs >= endMs) return { ok: false, evidence: `not healthy within ${deadline} ms: ${verdict.evidence}` }
      await delay(verdict.ok ? confirmationMs(health, isBeside(status, version)) : pauses.next(), signal)
    }
  }

  /**
   * Watch for as long as the recipe wants: as many bad probes in a row as it says, or a service that ended, are an answer, and so is
   * what `judge` finds wrong with what the serving process says.
   */
  async watch(
    health: NodeRecipe['health'],
    asked: Asked & { readonly judge?: (status: ServeStatus) => Verdict } = {},
  ): Promise<Verdict> {
    const { signal, version, judge } = asked
    const endMs = this.#clock.elapsedMs() + health.watch
    const restartsBefore = restarts(await this.status(), version)
    for (let failures = 0; ; ) {
      const { verdict, status } = await this.#probe(health, version)
      failures = verdict.ok ? 0 : failures + 1
      if (failures >= health.failures) return verdict
      const judged = judge?.(status) ?? verdict
      if (verdict.ok && !judged.ok) return judged
      if (restarts(status, version) > restartsBefore) {
        return { ok: false, evidence: `a service ended and was started again; ${verdict.evidence}` }
      }
      const leftMs = endMs - this.#clock.elapsedMs()
      if (verdict.ok && leftMs <= 0) return judged
      await delay(leftMs <= 0 ? health.interval : Math.min(health.interval, leftMs), signal)
    }
  }

  /** Stop renewing; a hold that is left behind ends by its deadline. */
  async close(): Promise<void> {
    await this.#endRenewal()
  }

  async #probe(health: NodeRecipe['health'], version: string | undefined) {
    const request = { kind: 'probe', ...(version === undefined ? {} : { version }) } as const
    const { result, status } = await this.#client.request(request, { timeoutMs: health.timeout + slackMs })
    return { verdict: result ?? { ok: false, evidence: 'the serving process gave no answer about it' }, status }
  }

  #renew(): void {
    const hold = this.#hold
    if (hold === undefined) return
    hold.renewal = this.#client.request(hold.asked).then(
      () => {},
      caught => {
        // The operation at work meets the same and tells of it.
        if (!(caught instanceof ReleaseError)) throw caught
      },
    )
  }

  /** A renewal that arrives after the gate was told to pass would hold for good. */
  async #endRenewal(): Promise<void> {
    if (this.#hold === undefined) return
    clearInterval(this.#hold.timer)
    await this.#hold.renewal
  }
}

/** The pauses before a version is asked again that is not healthy yet: short at first. */
function pausesBetween({ command, interval }: NodeRecipe['health']): { readonly next: () => number } {
  // To run a command again and again would keep the version from starting.
  if (command !== undefined) return { next: () => interval }
  let pauseMs = firstPauseMs
  const next = () => {
    const nextMs = Math.min(pauseMs, longestPauseMs, interval)
    pauseMs *= 2
    return nextMs
  }
  return { next }
}

/** Whether a release is the one beside the live one. */
function isBeside({ beside }: ServeStatus, version: string | undefined): boolean {
  return beside !== undefined && beside.version === version
}

/** The pause after a good answer that has to be followed by others. */
function confirmationMs({ command, interval }: NodeRecipe['health'], nobodyWaits: boolean): number {
  return nobodyWaits || command !== undefined ? interval : Math.min(interval, longestPauseMs)
}

/** Whether a person has set the gate to something; that is not for an installer to end. */
function isOperators(gate: GateState): gate is GateState & { readonly mode: Exclude<GateMode, 'pass'> } {
  return gate.mode !== 'pass' && gate.by === 'operator'
}

/** How often services of a release were started again; those of the live one, unless it is the one beside. */
function restarts(status: ServeStatus, version: string | undefined): number {
  const counted = isBeside(status, version) ? status.beside!.services : status.services
  return counted.reduce((sum, service) => sum + service.restarts, 0)
}
