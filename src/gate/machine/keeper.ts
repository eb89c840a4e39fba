import type { ReleaseError } from '../../core/error.ts'
import { toReleaseError } from '../../core/error.ts'
import type { Clock } from '../../sys/clock.ts'
import { readTextIfExists, writeFileAtomic } from '../../sys/files.ts'
import { endsAtMs, type GateCommand, type GateState, initialState, remainingMs, transition } from './machine.ts'
import { gateStateText, parseGateState } from './state-text.ts'

export interface KeeperOptions {
  /** Where the state is kept. */
  readonly file: string
  readonly clock: Pick<Clock, 'nowMs'>
  /** Called when a mode, or its shaping, has lasted as long as it may. The keeper stays in it until it is told `expire`. */
  readonly onDeadline: () => void
  /** Told when a mode ended whose end could not be written. */
  readonly onUnwritten?: (error: ReleaseError) => void
}

/** Keep a gate's state: on disk before anybody acts on it, and with a watch on its deadline. */
export class Keeper {
  readonly #options: KeeperOptions
  #state: GateState
  #timer: NodeJS.Timeout | undefined
  /** The mode has lasted as long as it may by the time that passed here, whatever the wall clock was set to meanwhile. */
  #isDue = false
  /** Why the state that was found could not be used; the gate then begins anew, for its application must be served. */
  readonly damage: ReleaseError | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
    const found = readState(options)
    this.#state = found.state
    this.damage = found.damage
    this.#watch()
  }

  get state(): GateState {
    return this.#state
  }

  /**
   * Change the state. Post: durable when it returns; the caller acts on it then.
   *
   * Errors: FILE_IO, FILE_NO_SPACE (state unchanged). Not for `expire`, which a full disk must not keep from ending a hold: what is on
   * the disk then has had its time as well, and a gate that starts with it ends it at once.
   */
  apply(command: GateCommand): GateState {
    const next = transition(this.#state, command, this.#nowMs(command))
    if (next === this.#state) return next
    try {
      writeFileAtomic(this.#options.file, gateStateText(next), { mode: 0o600 })
    } catch (caught) {
      if (command.kind !== 'expire') throw caught
      this.#options.onUnwritten?.(toReleaseError(caught))
    }
    this.#state = next
    this.#watch()
    return next
  }

  #nowMs(command: GateCommand): number {
    const nowMs = this.#options.clock.nowMs()
    return command.kind === 'expire' && this.#isDue ? Math.max(nowMs, endsAtMs(this.#state) ?? nowMs) : nowMs
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #watch(): void {
    clearTimeout(this.#timer)
    this.#isDue = false
    const waitMs = remainingMs(this.#state, this.#options.clock.nowMs())
    if (waitMs === undefined) return
    this.#timer = setTimeout(() => {
      this.#isDue = true
      this.#options.onDeadline()
    }, waitMs)
    this.#timer.unref()
  }
}

function readState({ file, clock }: KeeperOptions): { state: GateState; damage: ReleaseError | undefined } {
  const text = readTextIfExists(file)
  if (text === undefined) return { state: initialState(clock.nowMs()), damage: undefined }
  try {
    return { state: parseGateState(text, file), damage: undefined }
  } catch (caught) {
    return { state: initialState(clock.nowMs()), damage: toReleaseError(caught) }
  }
}
