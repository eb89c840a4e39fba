import path from 'node:path'
import { ReleaseError, unreachable } from '../core/error.ts'
import { connectControl } from '../gate/control/client.ts'
import {
  type ControlRequest,
  type ControlResponse,
  type ControlResult,
  controlSocket,
  type ServeStatus,
} from '../gate/control/protocol.ts'
import type { Address, UnixAddress } from '../gate/front/address.ts'
import type { Drained, DrainLimits } from '../gate/front/flights.ts'
import type { Gate, GateSuccession } from '../gate/gate.ts'
import type { GateCommand } from '../gate/machine/machine.ts'
import { currentVersion } from '../prefix/installed.ts'
import { checkRuntime } from '../prefix/runtime-check.ts'
import type { DriverPlaces } from '../service/driver.ts'
import { type Clock, delay } from '../sys/clock.ts'
import type { ServeGateOptions } from './serve-gate.ts'
import { assertSettledData, isBetweenVersions, observeInstaller } from './serve-installer.ts'
import { allDrained, type Left, type LeftLimits, leaveTo, successionOf } from './serve-leaving.ts'
import { metricsText } from './serve-metrics.ts'
import { drainLimits, gateCommand, softenCommand } from './serve-mode.ts'
import type { Predecessor } from './serve-predecessor.ts'
import { ServeReleases } from './serve-releases.ts'
import { SessionGate } from './session-gate.ts'
import type { Estate } from './succession.ts'

/** What a session is given for its whole life. */
export interface SessionOptions extends Omit<ServeGateOptions, 'observing'> {
  /** What services get of our environment. */
  readonly base: Readonly<Record<string, string>>
  readonly places: DriverPlaces
  readonly clock: Clock
  /** Called when it is asked to end. */
  readonly shutdown: () => void
  /** In whose place it goes on; see {@link ServeSession.takeOver}. */
  readonly predecessor?: Predecessor | undefined
}

/** What a session can be asked. */
export type SessionRequest = Exclude<ControlRequest, { kind: 'upgrade' }>

/** A serving process from its lock to its end: one gate, the releases behind it, and what it is asked to do with both. */
export class ServeSession {
  readonly #options: SessionOptions
  readonly #gate: SessionGate
  readonly #releases: ServeReleases
  /** Requests and deadlines change things one after the other. */
  #queue: Promise<unknown> = Promise.resolve()
  #installerWatch: NodeJS.Timeout | undefined
  /** Aborted once it ends: what is being started is not waited for. */
  readonly #ending = new AbortController()
  /** Set once another process has taken over: nothing is decided here any more. */
  #left: Left | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#gate = new SessionGate({
      ...options,
      onDeadline: () => this.#background(() => this.#deadline()),
      warn: caught => this.#warn(caught),
      renderMetrics: () => this.#metrics(),
    })
    this.#releases = new ServeReleases({
      ...options,
      openFor: release => this.#gate.openFor(release),
      signal: this.#ending.signal,
    })
  }

  get address(): Address | undefined {
    return this.#gate.gate?.address
  }

  /** Open the public address, when it is known: from the installed release, or because it was given. Post: the mode that was persisted holds. */
  open(): Promise<void> {
    return this.#inOrder(async () => {
      const version = currentVersion(this.#options.paths)
      if (version !== undefined) {
        await this.#gate.openFor(this.#releases.read(version))
      } else if (this.#options.listen !== undefined || this.#options.inherited.length > 0) {
        await this.#gate.openWithout()
      }
    })
  }

  /**
   * Start the active release, unless a mode is under way in which that is another's to say: an installer's at work, or that of one that
   * was killed (what it ran may still run: the deadline is waited for). A mode whose installer has ended ends once the release is healthy.
   */
  resume(): Promise<boolean> {
    return this.#inOrder(() => this.#resume())
  }

  async #resume(): Promise<boolean> {
    const version = currentVersion(this.#options.paths)
    if (version === undefined || this.#releases.isRunning) return false
    if (isBetweenVersions(this.#options.paths)) {
      this.#resumeSoon()
      return false
    }
    await this.#assertRuntime(version)
    const { mode, by } = this.#gate.state
    if (mode === 'pass') {
      await this.#releases.start(version)
      return true
    }
    if (by === 'operator') return this.#resumeForOperator(version)
    const installer = await observeInstaller(this.#options.paths.lock)
    if (installer === 'at work') this.#resumeSoon()
    if (installer !== 'ended') return false
    await this.#releases.start(version)
    this.#background(() => this.#passOnceHealthy('the installer that held requests has ended'))
    return true
  }

  /** Tell an upgrade of the machine that took the interpreter away from a service that does not start. Errors: RUNTIME_*. */
  async #assertRuntime(version: string): Promise<void> {
    const { node, account } = this.#releases.read(version)
    await checkRuntime({ paths: this.#options.paths, version, runtime: node.runtime, account })
  }

  /** In handover the application would accept in spite of the operator: it waits for the mode's end. */
  async #resumeForOperator(version: string): Promise<boolean> {
    if (this.#gate.kind === 'handover') return false
    await this.#releases.start(version)
    return true
  }

  /** An operator's word stands over what an installer starts meanwhile. */
  #keepsClientsAway(): boolean {
    const { mode, by } = this.#gate.state
    return mode !== 'pass' && by === 'operator'
  }

  #resumeSoon(): void {
    setTimeout(() => this.#background(async () => void (await this.#resume())), installerCheckMs).unref()
  }

  /** Go on in the place of another process, instead of {@link open} and {@link resume}. Post: `answersAt` is where what still comes to it is answered. */
  takeOver(estate: Estate, answersAt: UnixAddress): Promise<UnixAddress | undefined> {
    return this.#inOrder(async () => {
      const { release } = estate
      if (release !== undefined) await this.#releases.adopt(release.version, release.place)
      else await this.#gate.openWithout()
      const gate = this.#gate.require()
      if (gate.answerFor === undefined) return undefined
      await gate.answerFor(answersAt)
      return answersAt
    })
  }

  /** Give up what {@link takeOver} took: the process that it was taken from goes on with it. */
  async abandon(): Promise<void> {
    this.#ending.abort()
    this.#gate.stopKeeping()
    this.#releases.letGo()('taken')
    await this.#gate.close()
  }

  /** Say how another process can go on in the place of this one, now. Errors: GATE_UPGRADE_REFUSED. */
  succession(): Promise<GateSuccession> {
    const { gate, state, relaysTo } = this.#gate
    const { paths, listen, places } = this.#options
    const isReachedAsNamed = listen === undefined && places.inheritedNames.length === 0
    return successionOf({ gate, mode: state.mode, relaysTo, releases: this.#releases, paths, isReachedAsNamed })
  }

  /**
   * Have another process take over, between two things that are asked. Post: what is asked from now on is asked of it.
   *
   * Errors: GATE_UPGRADE_REFUSED, those of `take`; then all is as before.
   */
  leave(take: (estate: Estate) => Promise<UnixAddress | undefined>): Promise<void> {
    return this.#inOrder(async () => {
      const succession = await this.succession()
      const letGo = this.#releases.letGo()
      try {
        await this.#gate.hideMetrics()
        const answersAt = await take(this.#estate(succession))
        this.#left = leaveTo(answersAt, succession)
        // What still comes to the process before us would find nobody at our socket.
        if (answersAt !== undefined) this.#options.predecessor?.answersAt(answersAt.path)
      } catch (caught) {
        letGo('kept')
        const { live } = this.#releases
        if (live !== undefined) await this.#gate.openFor(live)
        throw caught
      }
      letGo('taken')
      this.#gate.stopKeeping()
      clearTimeout(this.#installerWatch)
    })
  }

  #estate({ sockets }: GateSuccession): Estate {
    const { inheritedNames } = this.#options.places
    return {
      sockets: sockets.map(({ name, boundTo }) => ({ name, boundTo })),
      inheritedNames,
      release: this.#releases.running,
    }
  }

  /** Have what the application had when we left end, and what it has of the process before us. */
  async drainLeft(limits: DrainLimits): Promise<Drained> {
    return allDrained(await Promise.all([this.#left!.drain(limits), ...this.#drainPredecessor(limits)]))
  }

  /** The process that took over has a successor itself. */
  answersAt(address: UnixAddress): void {
    this.#left?.answersAt(address)
    this.#options.predecessor?.answersAt(address.path)
  }

  /** Wait for the end of those who were with us when we left, and end what is left then; see {@link Left.end}. */
  async endLeft(limits: LeftLimits): Promise<void> {
    await this.#left!.end(limits, this.#options.predecessor)
    await this.#gate.closeObserving()
  }

  /** Do what is asked. Errors: those of what is asked for. */
  handle(request: SessionRequest): Promise<ControlResponse> {
    if (this.#left !== undefined) return this.forward(request)
    if (request.kind === 'status') return Promise.resolve(this.#done())
    if (request.kind === 'metrics') return Promise.resolve({ ...this.#done(), metrics: this.#metrics() })
    if (request.kind === 'shutdown') {
      this.#options.shutdown()
      return Promise.resolve(this.#done())
    }
    return this.#inOrder(() => (this.#left === undefined ? this.#handleInOrder(request) : this.forward(request)))
  }

  /** Ask the process that took over. Errors: what it reports, GATE_UNREACHABLE. */
  async forward(request: ControlRequest): Promise<ControlResponse> {
    const successor = await connectControl(path.join(this.#options.paths.root, controlSocket))
    if (successor !== undefined) return successor.request(request)
    throw new ReleaseError('GATE_UNREACHABLE', 'the serving process that took over does not answer')
  }

  /** Read certificates again, and go on in a new access log. */
  reload(): Promise<void> {
    return this.#inOrder(async () => this.#gate.reload())
  }

  /** Let requests in flight finish, stop the services, close the address. Not persisted: a start after this one begins where the gate was. */
  async end(): Promise<void> {
    this.#ending.abort()
    this.#gate.stopKeeping()
    await this.#queue.catch(() => {})
    const { gate } = this.#gate
    await gate?.enter('drain')
    const limits = this.#releases.live?.node.gate.drain
    if (limits !== undefined && gate !== undefined) await this.#drainGate(gate, drainLimits(limits))
    await this.#releases.stop()
    await this.#gate.close()
  }

  async #handleInOrder(
    request: Exclude<SessionRequest, { kind: 'status' | 'metrics' | 'shutdown' }>,
  ): Promise<ControlResponse> {
    switch (request.kind) {
      case 'gate':
        await this.#change(gateCommand(request, this.#releases.live?.node.gate))
        return this.#done()
      case 'soften':
        await this.#change(softenCommand(request, this.#releases.live?.node.gate))
        return this.#done()
      case 'drain':
        return this.#done(await this.#drain(request))
      case 'stop':
        await this.#releases.stop()
        return this.#done()
      case 'relay':
        this.#gate.relay(request.to, this.#releases.beside === undefined)
        return this.#done()
      case 'start':
        await this.#releases.start(request.version, { secluded: this.#keepsClientsAway() })
        return this.#done()
      case 'probe':
        return this.#done(await this.#releases.probe(request.version))
      case 'start-beside':
        await this.#releases.startBeside(request.version)
        this.#watchInstallerSoon()
        return this.#done()
      case 'route':
        this.#releases.route(request.version, request)
        return this.#done()
      case 'promote':
        await this.#releases.promote(request.version)
        return this.#done()
      case 'retire':
        // What a process before us has of that release counts as well.
        await Promise.all(this.#drainPredecessor(request))
        return this.#done(await this.#releases.retire(request.version, request))
      default:
        return unreachable(request)
    }
  }

  async #change(command: GateCommand): Promise<void> {
    const before = this.#gate.state.mode
    const version = currentVersion(this.#options.paths)
    // Requests are let through to something that runs.
    if (command.kind === 'pass' && version !== undefined && !this.#releases.isReachable) {
      assertSettledData(this.#options.paths)
      await this.#releases.start(version)
    }
    await this.#gate.change(command, this.#releases.live?.node.gate)
    // In handover the application accepts by itself: only its end keeps requests from it.
    const isClosed = before === 'pass' && this.#gate.state.mode !== 'pass'
    if (this.#gate.kind === 'handover' && isClosed) void this.#releases.stopListening()
  }

  async #drain(limits: DrainLimits) {
    const gate = this.#gate.require()
    if (gate.kind !== 'handover' || this.#releases.live === undefined || this.#gate.state.mode === 'pass')
      return this.#drainGate(gate, limits)
    await this.#drainGate(gate, limits)
    const timeout = new AbortController()
    const late = delay(limits.timeoutMs, timeout.signal).then(
      () => false,
      () => true,
    )
    const ended = this.#releases.stopListening().then(() => timeout.abort())
    const inTime = await Promise.race([late, ended.then(() => true)])
    return { ok: inTime, evidence: inTime ? 'the application has ended' : 'the application is still at work' }
  }

  async #drainGate(gate: Gate, limits: DrainLimits): Promise<Drained> {
    return allDrained(await Promise.all([gate.drain(limits), ...this.#drainPredecessor(limits)]))
  }

  #drainPredecessor(limits: DrainLimits): readonly Promise<Drained>[] {
    const { predecessor } = this.#options
    return predecessor === undefined ? [] : [predecessor.drain(limits)]
  }

  /** A release beside is an installer's: when that has died, it goes. The next installer or recovery starts it again, if it wants it. */
  async #watchInstaller(): Promise<void> {
    const { beside } = this.#releases
    if (beside === undefined) return
    if ((await observeInstaller(this.#options.paths.lock)) === 'at work') return this.#watchInstallerSoon()
    await this.#releases.retire(beside.version, drainLimits(beside.node.gate.drain))
  }

  #watchInstallerSoon(): void {
    clearTimeout(this.#installerWatch)
    this.#installerWatch = setTimeout(() => this.#background(() => this.#watchInstaller()), installerWatchMs).unref()
  }

  /**
   * A mode has lasted as long as it may. A hold becomes backoff; then, if whoever asked for it is gone, the active release is brought
   * back and requests pass. An installer that is merely slow still has its lock: it is waited for, for starting the services beside its
   * migrations could harm the data. So is a recovery where one that was killed left the data between two versions.
   */
  async #deadline(): Promise<void> {
    const expired = this.#gate.expire()
    if (expired === undefined) return
    const { before, after } = expired
    if (before.mode === 'pass') return this.#gate.enter(after)
    const { paths } = this.#options
    if ((await observeInstaller(paths.lock)) === 'at work' || isBetweenVersions(paths)) {
      const { reason, by } = after
      await this.#change({ kind: 'enter', mode: 'backoff', reason, lastsMs: installerPatienceMs, by })
      return
    }
    await this.#gate.enter(after)
    const version = currentVersion(paths)
    if (version !== undefined && (!this.#releases.isReachable || this.#releases.live?.version !== version))
      await this.#releases.start(version)
    await this.#passOnceHealthy(after.reason)
  }

  /** Give the release the time that its recipe allows to become healthy; after that requests pass all the same, for nobody else will say so. */
  async #passOnceHealthy(reason: string): Promise<void> {
    const health = this.#releases.live?.node.health
    if (health !== undefined) {
      const untilMs = this.#options.clock.elapsedMs() + health.deadline
      while (
        !this.#ending.signal.aborted &&
        !(await this.#releases.probe()).ok &&
        this.#options.clock.elapsedMs() < untilMs
      )
        await delay(health.interval)
    }
    await this.#change({ kind: 'pass', reason })
  }

  #metrics(): string {
    const { identity, clock } = this.#options
    const seen = { figures: this.#gate.figures(), isUpstreamUp: this.#gate.gate?.isUpstreamUp?.() }
    return metricsText(identity.application, this.#status(), seen, clock.nowMs())
  }

  #done(result?: ControlResult): ControlResponse {
    return { ok: true, status: this.#status(), ...(result === undefined ? {} : { result }) }
  }

  #status(): ServeStatus {
    return { pid: process.pid, ...this.#releases.status(), ...this.#gate.status() }
  }

  #warn(caught: unknown): void {
    if (this.#ending.signal.aborted) return
    const { code, message } = caught instanceof ReleaseError ? caught : { code: 'INTERNAL', message: String(caught) }
    this.#options.emit({ kind: 'warning', code, message })
  }

  /** Do something that nobody waits for; a failure is told. */
  #background(operation: () => Promise<void>): void {
    if (this.#ending.signal.aborted) return
    this.#inOrder(async () => (this.#left === undefined ? operation() : undefined)).catch(caught => this.#warn(caught))
  }

  #inOrder<Result>(operation: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(() => {
      // Whatever came in meanwhile must not start anything that nobody would stop.
      if (this.#ending.signal.aborted) throw new ReleaseError('GATE_UNREACHABLE', 'the serving process is ending')
      return operation()
    })
    this.#queue = result.catch(() => {})
    return result
  }
}

/** How long clients are sent away at a time while an installer is slower than it said. */
const installerPatienceMs = 10_000

/** How often is looked whether the installer still lives whose release is beside the live one. */
const installerWatchMs = 1000

/** How often a serving process that came up beside an installer looks whether it is still at work. */
const installerCheckMs = 250
