import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { ServeStatus } from '../gate/control/protocol.ts'
import { formatAddress, parseAddress } from '../gate/front/address.ts'
import type { Gate } from '../gate/gate.ts'
import { Keeper } from '../gate/machine/keeper.ts'
import type { GateCommand, GateMode, GateState } from '../gate/machine/machine.ts'
import { runningShaping } from '../gate/machine/shaping.ts'
import { type GateFigures, sumFigures } from '../gate/observe/figures.ts'
import { newTally } from '../gate/observe/tally.ts'
import type { GateKind, RecipeGate } from '../recipe/schema.ts'
import type { Clock } from '../sys/clock.ts'
import { gateKind, openGate, type ServeGateOptions } from './serve-gate.ts'
import { withRecovery } from './serve-mode.ts'
import { ServeObserving } from './serve-observing.ts'
import type { ServedRelease } from './serve-release.ts'
import { readFrontSettings } from './serve-settings.ts'

export interface SessionGateOptions extends Omit<ServeGateOptions, 'observing'> {
  readonly clock: Clock
  /** Called when a mode has lasted as long as it may; {@link SessionGate.expire} ends it. */
  readonly onDeadline: () => void
  readonly warn: (caught: unknown) => void
  /** What is shown to whoever fetches metrics. */
  readonly renderMetrics: () => string
}

/** The gate of a serving process: its mode, on disk before it is acted on; the gate itself, once it is open; what it shows of requests. */
export class SessionGate {
  readonly #options: SessionGateOptions
  readonly #keeper: Keeper
  readonly #observing: ServeObserving
  #gate: Gate | undefined
  /** How many were turned away when requests last passed. */
  #backedOffBefore = 0
  /** Who answers in place of the own services. */
  #relaysTo: string | undefined

  constructor(options: SessionGateOptions) {
    this.#options = options
    this.#observing = new ServeObserving(options.renderMetrics, options.emit)
    this.#keeper = new Keeper({
      file: path.join(options.paths.run, 'gate.json'),
      clock: options.clock,
      onDeadline: options.onDeadline,
      onUnwritten: options.warn,
    })
    if (this.#keeper.damage !== undefined) options.warn(this.#keeper.damage)
  }

  get state(): GateState {
    return this.#keeper.state
  }

  /** Undefined before it is open. */
  get gate(): Gate | undefined {
    return this.#gate
  }

  get kind(): GateKind {
    return this.#gate?.kind ?? gateKind(this.#options, undefined)
  }

  get relaysTo(): string | undefined {
    return this.#relaysTo
  }

  /** The open gate. Errors: SERVE_NO_RELEASE. */
  require(): Gate {
    if (this.#gate !== undefined) return this.#gate
    throw new ReleaseError('SERVE_NO_RELEASE', `${this.#options.paths.root} has no release, so nothing is served yet`)
  }

  /** Open it without a release, where its address is known all the same. */
  async openWithout(): Promise<void> {
    this.#gate = await openGate(this.#gateOptions, this.state.mode, undefined)
  }

  /** Open it for a release, or have it behave as that one says. Post: the mode that was persisted holds. */
  async openFor(release: ServedRelease): Promise<Gate> {
    if (this.#gate === undefined) {
      this.#gate = await openGate(this.#gateOptions, this.state.mode, release)
      await this.enter(this.state)
    }
    const settings = readFrontSettings(release, this.#options.paths, this.#options.emit)
    this.#gate.configure(settings)
    await this.#observing.configure(settings, release)
    return this.#gate
  }

  /**
   * Change the mode as asked: on disk, then in effect. `recipe` is that of the live release.
   *
   * Errors: GATE_CANNOT_SOFTEN, those of entering it; then a hold or backoff that began with it is taken back.
   */
  async change(command: GateCommand, recipe: RecipeGate | undefined): Promise<void> {
    const before = this.state.mode
    if (command.kind === 'soften') this.#assertCanSoften()
    const backedOff = this.#gate?.counters().backedOff ?? 0
    const turnedAway = { kind: this.kind, count: backedOff - this.#backedOffBefore, gate: recipe }
    const after = this.#keeper.apply(withRecovery(command, turnedAway))
    if (before === 'pass' || after.mode === 'pass') this.#backedOffBefore = backedOff
    await this.#enterOrStay(after, before)
  }

  /** End a mode that has lasted as long as it may. Post: on disk, not yet in effect; undefined when it goes on. */
  expire(): { readonly before: GateState; readonly after: GateState } | undefined {
    const before = this.state
    const after = this.#keeper.apply({ kind: 'expire' })
    return after === before ? undefined : { before, after }
  }

  /** Act on a state that is persisted. */
  async enter({ mode, shaping }: GateState): Promise<void> {
    await this.#gate?.enter(mode, shaping && runningShaping(shaping, this.#options.clock.nowMs()))
  }

  /** Have the gate at an address answer in place of the own services. Errors: RELAY_UNSUPPORTED, GATE_ADDRESS_INVALID. */
  relay(to: string | undefined, isAlone: boolean): void {
    if (to === this.#relaysTo) return
    const gate = this.require()
    if (gate.relay === undefined || !isAlone) {
      throw new ReleaseError(
        'RELAY_UNSUPPORTED',
        `the ${gate.kind} gate of ${this.#options.paths.root} cannot do that now`,
      )
    }
    if (this.#relaysTo !== undefined) gate.relay(undefined)
    this.#relaysTo = to
    if (to !== undefined) gate.relay(parseAddress(to))
  }

  /** Read certificates again, and go on in a new access log. */
  reload(): void {
    this.#observing.reopen()
    this.#gate?.reload?.()
  }

  /** Give up the address of the metrics, for who goes on in our place. */
  hideMetrics(): Promise<void> {
    return this.#observing.hideMetrics()
  }

  status(): Pick<ServeStatus, 'address' | 'gateMode' | 'gate' | 'counters' | 'relaysTo'> {
    return {
      address: this.#gate === undefined ? '' : formatAddress(this.#gate.address),
      gateMode: this.kind,
      gate: this.state,
      counters: this.#gate?.counters() ?? newTally(),
      relaysTo: this.#relaysTo,
    }
  }

  /** What was seen of requests, here and in other processes of the gate. */
  figures(): GateFigures {
    const others = this.#gate?.figures === undefined ? [] : [this.#gate.figures()]
    return sumFigures([this.#observing.observing.figures(), ...others])
  }

  /** Watch no deadline any more: another process does, or nobody. */
  stopKeeping(): void {
    this.#keeper.close()
  }

  async close(): Promise<void> {
    await this.#gate?.close()
    await this.#observing.close()
  }

  /** Tell no more of requests; those who are with us are somebody else's. */
  closeObserving(): Promise<void> {
    return this.#observing.close()
  }

  get #gateOptions(): ServeGateOptions {
    return { ...this.#options, observing: this.#observing.observing }
  }

  /** A server in front of us that cannot be told to hold leaves all as it was. */
  async #enterOrStay(after: GateState, before: GateMode): Promise<void> {
    try {
      await this.enter(after)
    } catch (caught) {
      if (before === 'pass')
        this.#keeper.apply({ kind: 'pass', reason: `mode ${after.mode} could not be entered`, by: after.by })
      throw caught
    }
  }

  /** Errors: GATE_CANNOT_SOFTEN. */
  #assertCanSoften(): void {
    const { mode } = this.state
    // Whoever else stands in front of us adds nothing to answers.
    if (mode === 'pass' && this.kind === 'proxy') return
    const why = mode === 'pass' ? 'requests do not go through it' : `it is in mode ${mode}`
    throw new ReleaseError('GATE_CANNOT_SOFTEN', `the ${this.kind} gate tells nobody to stay away: ${why}`)
  }
}
